from __future__ import annotations

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from gansmith.metrics import neighbours
from gansmith.metrics.neighbours import blocks, mean_of, nearest, within


@pytest.fixture(params=[3, 7, 2048], ids=lambda rows: f"blocks of {rows}")
def _rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS", request.param)


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("k", [1, 4])
def test_they_are_those_that_scikit_learn_finds(k: int) -> None:
    a, b = torch.randn(25, 5), torch.randn(31, 5) + 100
    reference = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(b.double().numpy())
    expected, places = reference.kneighbors(a.double().numpy())
    distances, found = nearest(a, b, k)
    assert torch.allclose(distances, torch.from_numpy(expected), rtol=1e-9)
    assert torch.equal(found, torch.from_numpy(places))


@pytest.mark.usefixtures("_rows")
def test_within_a_set_a_row_is_not_its_own_neighbour_but_its_duplicate_is() -> None:
    a = torch.randn(20, 4) * 3 + 1000
    a[13] = a[2]
    reference = NearestNeighbors(n_neighbors=2).fit(a.double().numpy())
    expected, _ = reference.kneighbors()  # of the set itself, a row not its own neighbour
    distances, found = nearest(a, a, 2, itself=True)
    assert torch.allclose(distances, torch.from_numpy(expected), atol=1e-8)
    assert distances[2, 0] == distances[13, 0] == 0
    assert (found[2, 0], found[13, 0]) == (13, 2)


def test_a_duplicate_is_at_nought_however_far_out_and_however_many() -> None:
    a = torch.randn(1, 300).mul(1e4).repeat(50, 1)
    assert torch.equal(nearest(a, a, 49, itself=True)[0], torch.zeros(50, 49).double())
    b = torch.cat([a, torch.randn(50, 300)])
    assert torch.equal(nearest(a, b, 50)[0], torch.zeros(50, 50).double())


def test_near_neighbours_far_from_the_origin_keep_their_distance() -> None:
    a = torch.arange(100, dtype=torch.float64)[:, None] * 1e-3 + 1e6
    distances, _ = nearest(a, a, 1, itself=True)
    assert torch.allclose(distances, torch.full_like(distances, 1e-3), rtol=1e-5)


@pytest.mark.usefixtures("_rows")
def test_balls_are_counted_with_their_rims() -> None:
    centres, radii = torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([1.0, 0.0, 2.0]).double()
    points = torch.tensor([[-1.0], [0.5], [1.0], [1.01], [3.0], [6.9], [7.1]])
    assert within(points, centres, radii).tolist() == [1, 1, 2, 0, 1, 1, 0]


@pytest.mark.usefixtures("_rows")
def test_blocks_are_the_set_in_float64_and_the_mean_is_theirs() -> None:
    a = torch.randn(17, 3)
    assert torch.equal(torch.cat(list(blocks(a))), a.double())
    assert torch.allclose(mean_of(a), a.double().mean(0))


def test_more_neighbours_than_there_are_rows_are_refused() -> None:
    a = torch.zeros(3, 2)
    assert nearest(a, a, 3)[0].shape == (3, 3)
    with pytest.raises(ValueError, match="expected 4 rows or more for 3 neighbours, got 3"):
        nearest(a, a, 3, itself=True)
