from __future__ import annotations

import pytest
import torch

from gansmith.models.layout import columns_of, encode, label_rows, widths_for
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
