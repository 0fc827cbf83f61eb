from __future__ import annotations

import pytest
import torch

from gansmith.data import Written
from gansmith.models.layout import columns_of, encode, label_rows, widths_for
from gansmith.script import fit_pace, learn_script
from tests.builders import words


def test_texts_are_rows_of_numbers_from_one() -> None:
    rows = encode(["ba", "c", ""], "abc")
    assert rows.tolist() == [[2, 1], [3, 0], [0, 0]]
    assert label_rows(torch.tensor([8, 4, 0]), rows).tolist() == [[8, 2, 1], [4, 3, 0], [0, 0, 0]]


def test_characters_share_a_word_as_their_usual_widths_are() -> None:
    """Closed form: of eight columns one character of weight 1 has two, one of weight 3 six."""
    usual = torch.tensor([0.0, 1.0, 3.0])
    place, phase, wide = columns_of(torch.tensor([[1, 2]]), torch.tensor([8]), 10, usual)
    assert place.tolist() == [[0, 0, 1, 1, 1, 1, 1, 1, 1, 1]]
    expected = [0.25, 0.75, *((n + 0.5) / 6 for n in range(6)), 1.0, 1.0]
    assert phase[0].tolist() == pytest.approx(expected)
    assert wide[0].tolist() == [2, 2, *[6] * 8]


def test_a_wide_hand_writes_wider_and_all_widths_are_whole_columns() -> None:
    spec = words()
    codes = encode(["abcde".replace("e", "é")] * 101, spec.script.alphabet)
    latent = torch.zeros(101, 6)
    latent[:, 0] = torch.linspace(-3, 3, 101)
    widths = widths_for(codes, latent, spec)
    assert (widths % 4 == 0).all()
    assert (widths.diff() >= 0).all()
    # 50 pixels at pace 0, exp(-0.2) and exp(0.3) times as many at the ends, rounded up to columns
    assert [int(widths[0]), int(widths[50]), int(widths[-1])] == [44, 52, 68]


def test_a_width_stays_within_what_can_be_read() -> None:
    spec = words()
    one = spec.script.model_copy(update={"widths": (1e-3,) * 5})
    narrow = spec.model_copy(update={"script": one})
    assert widths_for(encode(["abc"], "abcdé"), torch.zeros(1, 6), narrow).tolist() == [16]
    broad = spec.model_copy(update={"script": one.model_copy(update={"widths": (1e3,) * 5})})
    assert widths_for(encode(["abc"], "abcdé"), torch.zeros(1, 6), broad).tolist() == [96]


def test_usual_widths_and_paces_are_found_in_made_up_data() -> None:
    """Words of a known width a character, times a known pace: both come back."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(1, 4, (3000, 5), generator=generator)
    usual = torch.tensor([0.0, 8.0, 16.0, 32.0])
    pace = 0.2 * torch.randn(3000, generator=generator)
    widths, found = fit_pace(usual[codes].sum(1) * pace.exp(), codes, 3, 32)
    ratio = widths / usual[1:]
    assert (ratio / ratio.mean() - 1).abs().max() < 0.06
    assert (found + ratio.mean().log() - pace).abs().max() < 0.06


def test_a_script_is_learnt_from_what_is_written() -> None:
    written = Written(["été", "tee\u0323\u0303"], None, [48, 40])
    script = learn_script(written, 32)
    assert script.alphabet == ("e", "e\u0323\u0303", "t", "é")
    assert len(script.widths) == 4
    assert script.steady == 0.3  # nobody knows


def test_paces_are_quantiles_of_which_hands_have_their_share() -> None:
    """Two thirds of the variance lie between sixty hands that write fifty words each."""
    generator = torch.Generator().manual_seed(0)
    hands = torch.arange(60).repeat_interleave(50)
    apart = 0.2 * torch.randn(60, generator=generator)
    pace = apart[hands] + 0.1414 * torch.randn(3000, generator=generator)
    widths = (300 * pace.exp()).round().int().tolist()
    writers = [f"w{n}" for n in hands.tolist()]
    script = learn_script(Written(["abc"] * 3000, writers, widths), 32)
    low, high = (script.paces[round(q * 32)] for q in (0.1875, 0.8125))
    assert high - low == pytest.approx(2 * 0.887 * pace.std().item(), rel=0.1)  # normal quantiles
    exact = apart.var().item() / (apart.var().item() + 0.02)
    assert script.steady == pytest.approx(exact, abs=0.05)
    few = Written(["abc"] * 350, writers[:350], widths[:350])  # seven
    assert learn_script(few, 32).steady == 0.3
    strangers = Written(["abc"] * 350, [str(n) for n in range(350)], widths[:350])
    assert learn_script(strangers, 32).steady == 0.3
