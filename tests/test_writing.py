from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gansmith.writing import FARTHER, slerp, style_like


class Guesser:
    """Guesses a style by a word's ink: as much of the first number as there is ink."""

    height = 32

    def look(self, word: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        assert word.shape[3] % 16 == 0  # as wide as batches are
        own = word[..., : int(labels[0, 0])]
        assert not word[..., int(labels[0, 0]) :].any()  # paper
        return torch.zeros(1), torch.tensor([[float(own.mean()), 0.1, 0.0, 0.0]])


def test_a_style_is_the_mean_of_the_guesses_farther_out() -> None:
    black, white = (np.full((32, 20), value, np.uint8) for value in (0, 255))
    for shown, ink in (([white], 0.0), ([white, black], 0.5)):
        found = style_like(Guesser(), shown)
        assert found.tolist() == pytest.approx([FARTHER * ink, FARTHER * 0.1, 0, 0])


def test_but_no_farther_out_than_styles_are() -> None:
    found = style_like(Guesser(), [np.zeros((32, 20), np.uint8)])
    assert float(found.norm()) == pytest.approx(2)  # √Z; twice the guess would be 2.01
    assert float(found[1] / found[0]) == pytest.approx(0.1)


def test_a_walk_keeps_its_distance_from_the_origin() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert slerp(a, b, 0.5).tolist() == pytest.approx([0.5**0.5, 0.5**0.5])
    assert torch.equal(slerp(a, a, 0.3), a)
