"""A recogniser of another kind than the one in the game: convolutions and an LSTM, no lexicon.

What judges words must not be what they were made for. This one reads left to right and back, as
recognisers in use do (Shi et al. 2017; Puigcerver 2017).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.models.masked import MaskedBatchNorm, column_mask

WIDTHS = (32, 64, 96, 96, 128)
HIDDEN = 128  # each way
DROPPED = 0.2
SLOPE = 0.1


class CRNN(nn.Module):
    """Words (N, 1, 32, W) in [0, 1] and their widths (N,) → log probabilities (N, W / 4, A + 1).

    A second head reads without the LSTM, for training alone: with it the alignment is found several
    times sooner (the shortcut of Retsinas et al. 2022, §3.3).
    """

    def __init__(self, characters: int):
        super().__init__()
        sizes = (4, *WIDTHS)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(sizes)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(b) for b in sizes[1:])
        self.flat = nn.Conv2d(sizes[-1], 2 * HIDDEN, (4, 1), bias=False)
        self.flat_norm = MaskedBatchNorm(2 * HIDDEN)
        self.ahead = nn.LSTM(2 * HIDDEN, HIDDEN, batch_first=True)
        self.back = nn.LSTM(2 * HIDDEN, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(DROPPED)
        self.out = nn.Linear(2 * HIDDEN, characters + 1)
        self.shortcut = nn.Conv1d(2 * HIDDEN, characters + 1, 3, padding=1)

    def forward(self, words: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        """The log probabilities of both heads; the shortcut's second."""
        seen = self._see(words, widths)
        shortcut = self.shortcut(seen).transpose(1, 2)
        scores = self.out(self.dropout(self._remember(seen, widths)))
        return scores.float().log_softmax(-1), shortcut.float().log_softmax(-1)

    def features(self, words: Tensor, widths: Tensor) -> Tensor:
        """(N, 2 `HIDDEN`): what the LSTM gives, the mean over each word's own columns."""
        remembered = self._remember(self._see(words, widths), widths)
        own = column_mask(widths, remembered.shape[1], 4)[:, 0, 0, :, None]
        return (remembered * own).sum(1) / own.sum(1)

    def _see(self, words: Tensor, widths: Tensor) -> Tensor:
        x = F.pixel_unshuffle(words, 2).contiguous(memory_format=torch.channels_last)
        pools: list[tuple[int, int] | None] = [None, (2, 2), None, (2, 1), None]
        for layer, norm, pool in zip(self.layers, self.norms, pools, strict=True):
            mask = column_mask(widths, x.shape[3], words.shape[3] // x.shape[3])
            x = F.leaky_relu(norm(layer(x) * mask.to(x.dtype), mask), SLOPE)
            x = F.max_pool2d(x, pool) if pool else x
        mask = column_mask(widths, x.shape[3], 4)
        x = F.leaky_relu(self.flat_norm(self.flat(x) * mask.to(x.dtype), mask), SLOPE)
        return x[:, :, 0]

    def _remember(self, seen: Tensor, widths: Tensor) -> Tensor:
        """The LSTM over each word's own columns; the way back begins at its last.

        Not packed, which takes one product a column: rows turned round do as well.
        """
        rows = seen.transpose(1, 2).float()
        place = torch.arange(rows.shape[1], device=rows.device)
        turned = ((widths // 4)[:, None] - 1 - place).clamp(min=0)[..., None]
        with torch.autocast(rows.device.type, enabled=False):
            ahead, _ = self.ahead(rows)
            back, _ = self.back(rows.gather(1, turned.expand_as(rows)))
        back = back.gather(1, turned.expand_as(back))
        own = column_mask(widths, rows.shape[1], 4)[:, 0, 0, :, None]
        return torch.cat([ahead, back], 2) * own
