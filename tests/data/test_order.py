"""The order of the data: permutations, and nothing but a function of seed and position."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gansmith.data import order


@given(n=st.integers(1, 50), seed=st.integers(0, 2**40), epoch=st.integers(0, 100))
def test_each_epoch_is_a_permutation(n: int, seed: int, epoch: int) -> None:
    assert sorted(order(n, seed, epoch * n, n)) == list(range(n))


@given(
    n=st.integers(1, 20),
    start=st.integers(0, 100),
    first=st.integers(0, 60),
    second=st.integers(0, 60),
)
def test_slices_join_up(n: int, start: int, first: int, second: int) -> None:
    whole = order(n, 7, start, first + second)
    parts = [order(n, 7, start, first), order(n, 7, start + first, second)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_epochs_and_seeds_differ() -> None:
    first, second = order(100, 0, 0, 100), order(100, 0, 100, 100)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, order(100, 1, 0, 100))


def test_never_changes_between_versions() -> None:
    assert order(8, 0, 5, 8).tolist() == [2, 6, 4, 3, 7, 4, 2, 1]


@pytest.mark.parametrize("wrong", [(0, 0, 0, 1), (1, -1, 0, 1), (1, 0, -1, 1), (1, 0, 0, -1)])
def test_refuses_what_makes_no_sense(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected n of at least 1"):
        order(*wrong)


def test_every_position_is_equally_likely() -> None:
    places = np.stack([order(6, seed, 0, 6) for seed in range(3000)])
    counts = np.stack([np.bincount(places[:, k], minlength=6) for k in range(6)])
    assert np.abs(counts - 500).max() < 100  # 5 standard deviations
