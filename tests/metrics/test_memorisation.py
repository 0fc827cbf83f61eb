from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from gansmith.metrics.memorisation import (
    GAP,
    Pair,
    audit,
    chance_of,
    closest_picture,
    pairs_picture,
    z_score,
)


def draws(count: int, seed: int, size: int = 6) -> Tensor:
    """(count, size) of one distribution with clusters and correlations."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(5, size, generator=torch.Generator().manual_seed(0)) * 3
    noise = torch.randn(count, size, generator=generator)
    return centres[torch.randint(5, (count,), generator=generator)] + noise.cumsum(1)


def three(train: int = 600, held_out: int = 300, made: int = 400, seed: int = 0) -> list[Tensor]:
    counts = enumerate((train, held_out, made))
    return [draws(count, 1000 * (seed + 1) + place) for place, count in counts]


def test_all_figures_on_a_line() -> None:
    train = torch.tensor([[0.0], [10.0], [20.0]])
    held_out = torch.tensor([[1.0], [12.0], [23.0], [24.0]])  # 1, 2, 3, 4 away
    made = torch.tensor([[15.5], [10.5], [19.0], [6.0], [-1.5]])  # 4.5, .5, 1, 4, 1.5 away
    found = audit(train, held_out, made, closest=2)
    assert (found.made, found.held_out) == (5, 4)
    assert (found.median, found.held_out_median, found.ratio) == pytest.approx((1.5, 2.5, 0.6))
    assert (found.near_distance, found.near_duplicate_rate) == (1.0, pytest.approx(2 / 5))
    assert found.expected_rate == pytest.approx(1 / 5)
    assert found.closest == (Pair(1, 1, 0.5, 0.2), Pair(2, 2, 1.0, 0.4))
    # Of the C(9, 4) orders, those that begin with two of the generated.
    assert found.near_p == pytest.approx(math.comb(7, 4) / math.comb(9, 4))


def test_copies_are_found_and_named() -> None:
    train, held_out, made = three()
    copied, originals = [3, 50, 77, 200, *range(300, 320)], [9, 8, 7, 100, *range(20)]
    made[copied] = train[originals]
    found = audit(train, held_out, made, closest=24)
    assert {(pair.made, pair.train) for pair in found.closest} == set(
        zip(copied, originals, strict=True)
    )
    assert all(pair.distance == pair.relative == 0 for pair in found.closest)
    assert found.near_duplicate_rate >= 24 / 400
    assert found.has_near_duplicates
    assert found.verdict.startswith("Copies: ")
    assert "Look at the closest pairs" in found.verdict


def test_copies_with_a_little_noise_are_found() -> None:
    train, held_out, _ = three()
    made = train[:400] + 0.01 * draws(400, 5)
    found = audit(train, held_out, made)
    assert found.near_duplicate_rate > 0.5
    assert found.ratio < 0.5
    assert found.z < -10
    assert found.near_p < 1e-12
    assert [pair.made for pair in found.closest] == [pair.train for pair in found.closest]
    distances = [pair.distance for pair in found.closest]
    assert distances == sorted(distances)


def test_fresh_draws_pass_and_the_chances_are_chances() -> None:
    found = [audit(*three(seed=seed)) for seed in range(200)]
    clean = [one for one in found if one.verdict.startswith("No sign of copying")]
    assert len(clean) >= 194  # at 1 % for each of two tests, six or more fail once in four
    ps = np.array([one.p for one in found])
    assert scipy.stats.kstest(ps, "uniform").pvalue > 0.001
    rates = np.mean([one.near_duplicate_rate for one in found])
    assert rates == pytest.approx(found[0].expected_rate, rel=0.2)
    assert np.mean([one.near_p < 0.1 for one in found]) < 0.15


def test_a_set_that_is_nearer_without_copies_is_called_nearer() -> None:
    train, held_out = draws(800, 1, 30), draws(200, 2, 30)
    # Halfway to the middle of everything lie no copies, but the middle is near to all.
    made = 0.8 * draws(300, 3, 30) + 0.2 * train.mean(0)
    found = audit(train, held_out, made)
    assert found.p < 0.01
    assert not found.has_near_duplicates
    assert found.verdict.startswith("Nearer than unseen real examples")


def test_far_is_no_merit() -> None:
    train, held_out, made = three()
    found = audit(train, held_out, made * 3)
    assert found.z > 10
    assert found.ratio > 1.2
    assert found.verdict.startswith("No sign of copying")
    assert found.verdict.endswith("it is what examples unlike the data are.")


def test_near_is_a_quantile_of_held_out_distances() -> None:
    train, held_out, made = three()
    assert audit(train, held_out, made).expected_rate == pytest.approx(3 / 301)
    tenth = audit(train, held_out, made, near=0.1)
    assert tenth.expected_rate == pytest.approx(30 / 301)
    assert tenth.near_duplicate_rate == pytest.approx(0.1, abs=0.05)


def test_few_held_out_examples_are_said_to_be_few() -> None:
    train, held_out, made = three(held_out=40)
    found = audit(train, held_out, made)
    assert found.expected_rate == pytest.approx(1 / 41)
    assert "Only 40 unseen real examples" in found.verdict
    assert "less than about 11%" in found.verdict
    assert "Only" not in audit(*three(held_out=100)).verdict


@pytest.mark.parametrize("held_out", [10, 40, 90])
def test_what_is_said_to_stay_hidden_is_where_the_test_turns(held_out: int) -> None:
    m = 20_000
    hidden = 1 - 0.01 ** (1 / held_out)
    assert chance_of(round(m * hidden * 1.02), m, 1, held_out) < 0.01
    assert chance_of(round(m * hidden * 0.98), m, 1, held_out) > 0.01


def test_without_held_out_examples_training_ones_stand_in() -> None:
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])  # 1, 1, 2, 4 from the nearest other
    found = audit(line, None, torch.tensor([[0.5], [10.0]]))
    assert (found.held_out, found.unseen) == (4, False)
    assert (found.held_out_median, found.near_distance) == (1.5, 1.0)
    train, _, made = three()
    assert "No unseen real examples were given" in audit(train, None, made).verdict
    assert audit(train, None, made).verdict.startswith("No sign of copying")
    copies = audit(train, None, torch.cat([made, train[:40]]))
    assert copies.verdict.startswith("Copies: ")
    with pytest.raises(ValueError, match="expected 2 rows or more, got 1"):
        audit(line[:1], None, line)


def test_duplicates_in_the_data_are_no_copying() -> None:
    # A tenth of the held-out and of the fresh examples have a twin in the training set.
    train, held_out, made = three()
    held_out[:30], made[:40] = train[:30], train[:40]
    found = audit(train, held_out, made)
    assert found.near_distance == 0
    assert found.near_duplicate_rate == pytest.approx(0.1)
    assert found.expected_rate == pytest.approx(30 / 301)
    assert found.verdict.startswith("No sign of copying")
    all_copies = audit(train, held_out, train[:400])
    assert (all_copies.ratio, all_copies.near_duplicate_rate) == (0, 1)
    assert all_copies.verdict.startswith("Copies: 100.0%")


def test_sets_that_lie_on_the_training_set_have_a_ratio() -> None:
    train = draws(20, 1)
    same = audit(train, train[:10], train[5:15])
    assert (same.ratio, same.z, same.p) == (1, 0, 0.5)
    assert audit(train, train[:10], draws(10, 2)).ratio == math.inf


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_z_is_that_of_scipys_mann_whitney_u(decimals: int | None) -> None:
    a, b = torch.randn(40).double(), torch.randn(70).double() + 0.3
    if decimals is not None:  # ties
        a, b = a.round(decimals=decimals), b.round(decimals=decimals)
    reference = scipy.stats.mannwhitneyu(
        a.numpy(), b.numpy(), alternative="less", method="asymptotic", use_continuity=False
    )
    p = 0.5 * math.erfc(-z_score(a, b) / math.sqrt(2))
    assert p == pytest.approx(float(reference.pvalue), rel=1e-9)
    assert z_score(b, a) == pytest.approx(-z_score(a, b))


def test_z_by_hand() -> None:
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0, 5.0])
    assert z_score(a, b) == pytest.approx(-3 / math.sqrt(2 * 3 * 6 / 12))
    assert z_score(torch.ones(3), torch.ones(5)) == 0


@pytest.mark.parametrize(("count", "m", "rank", "n"), [(0, 9, 1, 4), (3, 9, 2, 5), (9, 9, 5, 5)])
def test_the_chance_of_near_duplicates_is_beta_binomial(
    count: int, m: int, rank: int, n: int
) -> None:
    expected = scipy.stats.betabinom(m, rank, n + 1 - rank).sf(count - 1)
    assert chance_of(count, m, rank, n) == pytest.approx(float(expected), rel=1e-9)


def test_the_verdict_stays_plain_at_the_edges() -> None:
    one = audit(draws(1, 1), draws(1, 2), draws(1, 3))
    assert one.verdict.startswith("No sign of copying")
    assert "Only 1 unseen" in one.verdict
    train, held_out, _ = three()
    collapsed = audit(train, held_out, train[:1].repeat(400, 1) + 1e-3)
    assert collapsed.verdict.startswith("Copies: 100.0%")
    assert {pair.train for pair in collapsed.closest} == {0}
    assert len(collapsed.closest) == 16


def test_what_can_not_be_compared_is_refused() -> None:
    train, held_out, made = three(10, 10, 10)
    with pytest.raises(ValueError, match="expected 1 rows or more, got 0"):
        audit(train, held_out[:0], made)
    with pytest.raises(ValueError, match="of one D"):
        audit(train, held_out[:, :2], made)
    with pytest.raises(ValueError, match="expected finite features"):
        audit(train, held_out, made * math.nan)
    with pytest.raises(ValueError, match="expected near between 0 and 1, got 1"):
        audit(train, held_out, made, near=1)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("size", "times"), [((6, 8), 8), ((100, 60), 1), ((28, 28), 2)])
def test_pairs_lie_side_by_side(channels: int, size: tuple[int, int], times: int) -> None:
    made = torch.full((5, channels, *size), 10, dtype=torch.uint8)
    train = torch.full((5, channels, *size), 200, dtype=torch.uint8)
    sheet = np.array(pairs_picture(made, train))
    height, width = (times * side for side in size)
    down, across = height + GAP, 2 * width + GAP
    # Five pairs, two in a row.
    assert sheet.shape[:2] == (3 * down + GAP, 2 * across + GAP)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0)):
        pair = sheet[GAP + row * down :, GAP + column * across :][:height, : 2 * width]
        assert (pair[:, :width] == 10).all()
        assert (pair[:, width:] == 200).all()
    assert (sheet[GAP + 2 * down :, GAP + across :] == 255).all()


def test_every_class_shows_its_nearest_pair_before_any_shows_two() -> None:
    train, held_out = torch.zeros(1, 1), torch.ones(3, 1)
    made = torch.tensor([[0.1], [0.2], [0.3], [5.0], [6.0], [9.0]])
    found = audit(train, held_out, made, closest=5, classes=torch.tensor([0, 0, 0, 1, 1, 2]))
    assert [pair.made for pair in found.closest] == [0, 3, 5, 1, 4]


def test_the_closest_pairs_are_drawn() -> None:
    pictures = torch.arange(40, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 64, 64)
    made, train = pictures[:20], pictures[20:]
    features = draws(20, 1)
    found = audit(features, draws(20, 2), features.flip(0), closest=2)
    sheet = np.array(closest_picture(found, made, train))
    first = found.closest[0]
    assert first.train == 19 - first.made
    assert sheet[GAP, GAP] == first.made
    assert sheet[GAP, GAP + 64] == 20 + first.train


def test_pictures_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="expected as many pictures of one shape"):
        pairs_picture(torch.zeros(2, 1, 4, 4), torch.zeros(3, 1, 4, 4))
    with pytest.raises(ValueError, match="expected as many pictures"):
        pairs_picture(torch.zeros(0, 1, 4, 4), torch.zeros(0, 1, 4, 4))
