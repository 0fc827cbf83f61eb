"""The referee's network, against the library's own bidirectional LSTM over packed words."""

from __future__ import annotations

import torch
from torch import nn

from gansmith.metrics.crnn import CRNN, HIDDEN


def test_it_remembers_as_a_bidirectional_lstm_over_packed_words_does() -> None:
    network = CRNN(5).eval()
    reference = nn.LSTM(2 * HIDDEN, HIDDEN, bidirectional=True, batch_first=True)
    weights = dict(network.ahead.state_dict())
    weights |= {f"{name}_reverse": w for name, w in network.back.state_dict().items()}
    reference.load_state_dict(weights)
    seen, widths = torch.randn(4, 2 * HIDDEN, 16), torch.tensor([64, 40, 8, 24])
    packed = nn.utils.rnn.pack_padded_sequence(
        seen.transpose(1, 2), widths // 4, batch_first=True, enforce_sorted=False
    )
    expected, _ = nn.utils.rnn.pad_packed_sequence(
        reference(packed)[0], batch_first=True, total_length=16
    )
    torch.testing.assert_close(network._remember(seen, widths), expected, atol=1e-6, rtol=1e-5)
