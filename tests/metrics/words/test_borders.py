"""A judge that sees no writing: at chance where nothing gives words away, sure where something does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansmith.metrics.words.borders import by_surroundings, surroundings, told_apart
from gansmith.metrics.words.sets import Words, gather
from tests.metrics.words.test_hands import bars


def noisy(
    count: int, seed: int, frame: int = 0, slant: float = 0.0, haze: float = 0.0, rows: int = 24
) -> Words:
    """Strokes on paper with a little noise; `frame` levels darker along the top, `haze` in places."""
    draw = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        picture = bars(slant + draw.normal(0, 0.1), width=draw.uniform(2, 6), rows=rows).astype(
            float
        )
        picture -= np.abs(draw.normal(0, 1.5, picture.shape))
        picture[:2] -= frame
        picture -= 10 * (draw.random(picture.shape) < haze)
        pictures.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return gather(pictures, ["abcd"] * count)


HALVES = (torch.arange(0, 60), torch.arange(60, 120))


def test_words_of_one_kind_are_told_apart_by_chance() -> None:
    found = by_surroundings(noisy(120, 1), noisy(120, 2), HALVES)
    assert set(found) == {"all", "paper", "frame", "frame_with_ink"}
    for accuracy in found.values():
        assert abs(accuracy.value - 0.5) < 4 * accuracy.error
        assert accuracy.error == pytest.approx(0.5 / 240**0.5, rel=0.05)
        assert accuracy.floor == pytest.approx(0.5, abs=0.2)


def test_the_writing_is_not_looked_at() -> None:
    """Strokes that reach the border in other places: found where ink is left in, and only there."""
    left, right = noisy(120, 1, slant=-0.4, rows=32), noisy(120, 2, slant=0.4, rows=32)
    found = by_surroundings(left, right, HALVES)
    assert found["frame_with_ink"].value > 0.9
    assert abs(found["frame"].value - 0.5) < 4 * found["frame"].error
    assert abs(found["all"].value - 0.5) < 4 * found["all"].error


def test_a_planted_frame_and_haze_are_found() -> None:
    framed = by_surroundings(noisy(120, 1, frame=3), noisy(120, 2), HALVES)
    assert framed["frame"].value > 0.95
    assert framed["all"].value > 0.95
    hazy = by_surroundings(noisy(120, 1, haze=0.05), noisy(120, 2), HALVES)
    assert hazy["paper"].value > 0.95
    assert (hazy["paper"].floor or 0) < 0.7


def test_a_frame_has_one_size_whatever_the_word_is() -> None:
    words = gather([np.full((32, w), 255, np.uint8) for w in (8, 64)], ["a", "b"])
    frames, papers = surroundings(words)
    assert frames.shape == (2, 4 * 2 * 32)
    assert not frames.any()
    assert papers.tolist() == [[1.0] + [0.0] * 13] * 2
    black = gather([np.zeros((32, 16), np.uint8)], ["a"])  # nothing of it is paper
    assert all(part.isfinite().all() for part in surroundings(black))


def test_two_of_a_pair_are_never_on_two_sides() -> None:
    """Rows that are known by heart say nothing of others: pairs of one value are guessed."""
    rows = torch.eye(40, dtype=torch.float64)
    assert told_apart(rows, rows).value == pytest.approx(0.5, abs=0.01)
    with pytest.raises(ValueError, match="two sets of one shape"):
        told_apart(rows, rows[:20])
