from __future__ import annotations

import math

import pytest
import torch

from gansmith.variance import deviations, numbered


def test_hands_are_numbered_from_nought() -> None:
    assert numbered(["b", "a", "b", "c"]).tolist() == [1, 0, 1, 2]


def test_deviations_between_hands_are_free_of_what_words_add() -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(5, 20, (400,), generator=generator)
    hands = torch.arange(400).repeat_interleave(sizes)
    noise = torch.randn(len(hands), 2, generator=generator, dtype=torch.float64)
    apart = 0.5 * torch.randn(400, generator=generator, dtype=torch.float64)[hands]
    values = torch.stack([2 * noise[:, 0] + apart, 2 * noise[:, 1]], 1)
    between, within = deviations(values, hands)
    assert within.tolist() == pytest.approx([2, 2], rel=0.05)
    assert between.tolist() == pytest.approx([0.5, 0], abs=0.12)
    # Without noise it is that of the hands themselves.
    exact = deviations(torch.tensor([[1.0], [1.0], [3.0], [3.0]]), torch.tensor([0, 0, 1, 1]))
    assert exact[:, 0].tolist() == pytest.approx([math.sqrt(2), 0])
