from __future__ import annotations

import math

import pytest
import torch

from gansmith.metrics.distances import sliced_wasserstein


def test_a_set_is_at_distance_zero_from_itself_in_any_order() -> None:
    a = torch.randn(100, 5)
    assert sliced_wasserstein(a, a[torch.randperm(100)]) == pytest.approx(0, abs=1e-12)


def test_in_one_dimension_it_is_the_wasserstein_distance() -> None:
    a = torch.tensor([[0.0], [1.0], [3.0]])
    b = torch.tensor([[5.0], [6.0], [8.0]])
    assert sliced_wasserstein(a, b[[2, 0, 1]]) == pytest.approx(5.0)
    # 0, 1, 3 against 2, 2, 2: sorted pairs differ by 2, 1, 1
    assert sliced_wasserstein(a, torch.full((3, 1), 2.0)) == pytest.approx(4 / 3)


@pytest.mark.parametrize("dimension", [2, 3, 10])
def test_a_translation_costs_its_length_times_the_mean_projection(dimension: int) -> None:
    # E|t·u| for u uniform on the sphere = ‖t‖ Γ(d/2) / (√π Γ((d+1)/2)): 2/π in the plane.
    a, t = torch.randn(50, dimension), torch.ones(dimension)
    mean = math.gamma(dimension / 2) / (math.sqrt(math.pi) * math.gamma((dimension + 1) / 2))
    expected = math.sqrt(dimension) * mean
    assert sliced_wasserstein(a, a + t, projections=20_000) == pytest.approx(expected, rel=0.02)


def test_it_is_symmetric_scales_and_obeys_the_triangle_inequality() -> None:
    a, b, c = (torch.randn(64, 4) * s + s for s in (1.0, 2.0, 0.5))
    ab, bc, ac = sliced_wasserstein(a, b), sliced_wasserstein(b, c), sliced_wasserstein(a, c)
    assert sliced_wasserstein(b, a) == pytest.approx(ab)
    assert sliced_wasserstein(3 * a, 3 * b) == pytest.approx(3 * ab, rel=1e-5)
    assert ac <= ab + bc


def test_the_directions_depend_on_the_seed_alone() -> None:
    a, b = torch.randn(30, 6), torch.randn(30, 6)
    first = sliced_wasserstein(a, b)
    state = torch.get_rng_state()
    assert sliced_wasserstein(a, b) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert sliced_wasserstein(a, b, seed=1) != first


def test_a_lost_mode_shows() -> None:
    real = torch.cat([torch.randn(128, 2) * 0.1 + c for c in (-2, 2)])
    good = torch.cat([torch.randn(128, 2) * 0.1 + c for c in (-2, 2)])
    collapsed = torch.randn(256, 2) * 0.1 + 2
    assert sliced_wasserstein(real, collapsed) > 10 * sliced_wasserstein(real, good)


def test_sets_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 2\), \(4, 2\)"):
        sliced_wasserstein(torch.zeros(3, 2), torch.zeros(4, 2))
