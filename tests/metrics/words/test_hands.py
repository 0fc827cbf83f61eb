"""Measures of a hand on pictures whose slant, ink and strokes are known, and spreads that are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gansmith.metrics.words.hands import (
    MEASURES,
    chosen_rows,
    compare_hands,
    measures_of,
)
from gansmith.metrics.words.sets import Words, gather


def bars(
    slant: float = 0.0, ink: float = 1.0, width: float = 4.0, step: int = 16, rows: int = 24
) -> np.ndarray:
    """Four strokes, anti-aliased, leaning to the right, `step` pixels from one to the next."""
    y, x = np.mgrid[0:32, 0 : 4 * step + 16].astype(float)
    inside = np.zeros_like(x)
    for n in range(4):
        middle = 12 + n * step + slant * (16 - y)
        inside += np.clip(width / 2 + 0.5 - np.abs(x - middle), 0, 1)
    inside[: (32 - rows) // 2] = inside[32 - (32 - rows) // 2 :] = 0
    return np.rint(255 * (1 - ink * np.clip(inside, 0, 1))).astype(np.uint8)


def measured(*pictures: np.ndarray) -> dict[str, list[float]]:
    found = measures_of(gather(pictures, ["abcd"] * len(pictures)))
    return {name: found[:, n].tolist() for n, name in enumerate(MEASURES)}


def test_slant_is_that_of_the_strokes() -> None:
    slants = [-0.4, -0.1, 0.0, 0.2, 0.5]
    found = measured(*(bars(slant) for slant in slants))["slant"]
    assert found == pytest.approx(slants, abs=0.02)


def test_strokes_are_as_wide_as_they_are_whatever_their_ink() -> None:
    found = measured(bars(width=3), bars(width=6), bars(width=6, ink=0.5), bars(0.5, width=6))
    exact = [3 * 24 / (3 + 24), 6 * 24 / (6 + 24)]
    assert found["stroke"][:2] == pytest.approx(exact, rel=0.05)
    assert found["stroke"][2:] == pytest.approx(exact[1:] * 2, rel=0.2)


def test_ink_pace_body_and_gaps() -> None:
    found = measured(bars(ink=0.5), bars(ink=1.0), bars(step=24), bars(rows=12))
    assert found["darkness"][:2] == pytest.approx([0.5, 1.0], abs=0.01)
    # From the first ink to the last: three steps and a stroke, of four characters.
    extents = [3 * 16 + 5, 3 * 24 + 5]
    assert found["pace"][1:3] == pytest.approx([math.log(e / 4) for e in extents], abs=0.03)
    assert found["gaps"][1:3] == pytest.approx([1 - 20 / e for e in extents], abs=0.08)
    # Rows that are all alike: a uniform distribution's deviation.
    uniform = [math.sqrt((n * n - 1) / 12) for n in (24, 12)]
    assert [found["body"][1], found["body"][3]] == pytest.approx(uniform, abs=0.01)


def test_what_padding_follows_a_word_is_no_matter() -> None:
    narrow, wide = bars(0.2), bars(0.2, step=30)
    alone, beside = measured(narrow), measured(narrow, wide)
    for name in MEASURES:
        assert beside[name][0] == pytest.approx(alone[name][0], abs=1e-5)


def test_paper_alone_is_measured_without_an_error() -> None:
    assert measures_of(gather([np.full((32, 24), 255, np.uint8)], ["a"])).isfinite().all()


def test_the_ratio_of_spreads_and_its_error() -> None:
    generator = torch.Generator().manual_seed(1)
    hands = torch.arange(60).repeat_interleave(12)
    shape = (60, len(MEASURES))
    apart, other = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    noise = 0.1 * torch.randn(len(hands), len(MEASURES), generator=generator, dtype=torch.float64)
    found = compare_hands(0.5 * other[hands] + noise, apart[hands] + noise, hands)
    assert (found.writers, found.words) == (60, 720)
    for spread in found.spreads.values():
        assert spread.ratio == pytest.approx(0.5, abs=4 * spread.error)
        assert spread.ratio == pytest.approx(spread.made / spread.real)
        assert spread.error == pytest.approx(0.5 / math.sqrt(60), rel=0.5)  # of two deviations
        assert spread.all_words == pytest.approx(spread.ratio, rel=0.05)
    assert found.ratio == pytest.approx(0.5, abs=0.06)
    same = compare_hands(apart[hands] + noise, apart[hands] + noise, hands)
    assert (same.ratio, same.error) == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    one_slant = apart[hands] + noise
    one_slant[:, 0] = 1.0  # real hands do not differ in it
    assert list(compare_hands(noise, one_slant, hands).spreads) == list(MEASURES)[1:]


def test_writers_of_few_words_are_left_out() -> None:
    def a_set(writers: list[str] | None) -> Words:
        count = 200 if writers is None else len(writers)
        values = torch.zeros(count, 1, 32, 4, dtype=torch.uint8)
        names = None if writers is None else tuple(writers)
        return Words(values, torch.full((count,), 4), ("a",) * count, names)

    writers = [f"w{n}" for n in range(8) for _ in range(40)] + ["few"] * 9
    rows = chosen_rows(a_set(writers))
    assert rows is not None
    assert len(rows) == 8 * 30
    assert a_set(writers).at(rows).hands.bincount().tolist() == [30] * 8
    assert chosen_rows(a_set(writers[:-49])) is None  # seven writers
    assert chosen_rows(a_set(None)) is None
