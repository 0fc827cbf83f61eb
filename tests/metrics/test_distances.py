from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from gansmith.metrics.distances import (
    DensityCoverage,
    Estimate,
    PrecisionRecall,
    _line,
    class_balance,
    density_coverage,
    fid,
    fid_infinity,
    fid_of_moments,
    inception_score,
    kid,
    moments,
    per_class_fid,
    precision_recall,
    sliced_wasserstein,
)

saves_features = pytest.mark.filterwarnings("ignore:Metric .* will save", "ignore:std")


class AsTheyAre(nn.Module):
    """For torchmetrics: the rows it is given are the features."""

    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features

    def forward(self, rows: Tensor) -> Tensor:
        return rows


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


# Fréchet distance


def gaussian(count: int, mean: Tensor, covariance: Tensor) -> Tensor:
    """(count, D) rows of exactly this mean and covariance (over count - 1)."""
    noise = torch.randn(count, len(mean), dtype=torch.float64)
    noise -= noise.mean(0)
    white = noise @ torch.linalg.inv(torch.linalg.cholesky(noise.T @ noise / (count - 1))).T
    return white @ torch.linalg.cholesky(covariance).T + mean


def spread(size: int, rank: int | None = None, count: int = 40) -> Tensor:
    """(count, size) correlated rows off the origin, in a subspace of `rank`."""
    inner = torch.randn(count, rank or size, dtype=torch.float64)
    return inner @ torch.randn(rank or size, size, dtype=torch.float64) + torch.randn(size)


def frechet_by_sqrtm(a: Tensor, b: Tensor) -> float:
    """Heusel et al.'s eq. 6 as it stands, by scipy."""
    s, t = (np.atleast_2d(np.cov(x.double().numpy(), rowvar=False)) for x in (a, b))
    gap = (a.double().mean(0) - b.double().mean(0)).square().sum()
    return float(gap) + float(np.trace(s + t - 2 * scipy.linalg.sqrtm(s @ t)).real)


def test_fid_of_gaussians_of_known_moments() -> None:
    # Commuting covariances: the squared difference of their square roots' diagonals.
    means = torch.tensor([[1.0, 2.0, 3.0], [1.0, 0.0, 4.0]], dtype=torch.float64)
    scales = torch.tensor([[1.0, 4.0, 9.0], [16.0, 4.0, 1.0]], dtype=torch.float64)
    a, b = (gaussian(50, m, s.diag()) for m, s in zip(means, scales, strict=True))
    assert fid(a, b) == pytest.approx((4 + 1) + (9 + 0 + 4), rel=1e-9)
    # Two that don't commute, 2 x 2: tr √M = √(tr M + 2 √det M).
    s, t = (
        torch.tensor([[2.0, 1.0], [1.0, 3.0]]).double(),
        torch.tensor([[4.0, 0], [0, 1]]).double(),
    )
    product = s @ t
    root = (product.trace() + 2 * product.det().sqrt()).sqrt()
    a, b = gaussian(30, torch.zeros(2).double(), s), gaussian(20, torch.zeros(2).double(), t)
    assert fid(a, b) == pytest.approx(float(s.trace() + t.trace() - 2 * root), rel=1e-9)


def test_fid_in_one_dimension_and_of_two_rows() -> None:
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [9.0]])  # variances 2 and 8
    assert fid(a, b) == pytest.approx(6**2 + 2 + 8 - 2 * 4)
    # In a plane, on axes at right angles, no root of the product is left.
    a, b = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, -1.0]])
    assert fid(a, b) == pytest.approx(2 + 2)


@pytest.mark.parametrize(
    ("rows", "other_rows", "rank", "tolerance"),
    [
        (60, 50, None, 1e-8),  # full rank: by Cholesky factors
        (60, 8, None, 1e-5),  # fewer rows than dimensions: scipy's root is of a singular matrix
        (8, 6, None, 1e-5),
        (60, 50, 5, 1e-5),  # enough rows, but of a subspace
    ],
)
def test_fid_is_that_of_scipys_matrix_root(
    rows: int, other_rows: int, rank: int | None, tolerance: float
) -> None:
    a, b = spread(12, rank, rows), spread(12, rank, other_rows)
    assert fid(a, b) == pytest.approx(frechet_by_sqrtm(a, b), rel=tolerance)
    assert fid_of_moments(moments(a), moments(b)) == pytest.approx(fid(a, b), rel=1e-6)


def test_fid_is_that_of_torchmetrics() -> None:
    metric = FrechetInceptionDistance(feature=AsTheyAre(10)).set_dtype(torch.float64)
    a, b = spread(10, count=80), spread(10, count=70)
    metric.update(a, real=True)
    metric.update(b, real=False)
    assert fid(a, b) == pytest.approx(float(metric.compute()), rel=1e-8)


@pytest.mark.parametrize("count", [2, 20, 200])
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_fid_of_a_set_with_itself_is_nought(count: int, scale: float) -> None:
    a = torch.cat([spread(30, 9, count), torch.zeros(count, 5), torch.ones(count, 1)], 1) * scale
    assert fid(a, a) == pytest.approx(0, abs=1e-8 * scale**2)
    assert fid(torch.ones(4, 3), torch.ones(5, 3)) == 0
    full = spread(30, count=count) * scale
    assert fid(full, full) == pytest.approx(0, abs=1e-8 * scale**2)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 12), st.integers(0, 10**6))
def test_fid_is_symmetric_and_the_same_from_every_side(
    count: int, other: int, size: int, seed: int
) -> None:
    torch.manual_seed(seed)
    a, b = spread(size, count=count), spread(size, count=other) * 0.5
    value = fid(a, b)
    turn = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64)).Q
    shift = torch.randn(size, dtype=torch.float64) * 10
    same = {"rel": 1e-6, "abs": 1e-6}
    assert value >= 0
    assert fid(b, a) == pytest.approx(value, **same)
    assert fid(a @ turn + shift, b @ turn + shift) == pytest.approx(value, **same)
    assert fid(a[torch.randperm(count)], b) == pytest.approx(value, **same)
    assert fid(3 * a, 3 * b) == pytest.approx(9 * value, **same)
    assert fid_of_moments(moments(a), moments(b)) == pytest.approx(value, **same)


def test_fid_of_a_flat_set_and_a_round_one() -> None:
    # Two directions of variance 4 among twelve against twelve of 1: (2 - 1)² twice, ten times 1.
    turn = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64)).Q
    flat = 2 * gaussian(50, torch.zeros(2).double(), torch.eye(2).double()) @ turn[:2]
    a_round_one = gaussian(60, torch.zeros(12).double(), torch.eye(12).double())
    assert fid(flat, a_round_one) == pytest.approx(2 + 10, abs=1e-9)


def test_moments_do_not_lose_digits_far_from_the_origin() -> None:
    a = torch.randn(5000, 3, dtype=torch.float64) + 1e6
    found = moments(a)
    assert torch.allclose(found.covariance, a.T.cov(), rtol=1e-9)
    assert torch.allclose(found.mean, a.mean(0), rtol=1e-12)


def test_fid_of_what_is_no_feature_matrix_is_refused() -> None:
    good = torch.randn(5, 3)
    for bad, message in (
        (torch.full((5, 3), math.nan), "expected finite features"),
        (torch.full((5, 3), math.inf), "expected finite features"),
        (good[:1], "expected 2 rows or more, got 1"),
        (torch.randn(5, 4), r"of one D, got \(5, 3\) and \(5, 4\)"),
        (torch.randn(5), r"expected matrices \(N, D\)"),
    ):
        with pytest.raises(ValueError, match=message):
            fid(good, bad)
    with pytest.raises(ValueError, match=r"of one D, got \(3, 3\) and \(4, 4\)"):
        fid_of_moments(moments(good), moments(torch.randn(9, 4)))


def test_fid_infinity_takes_the_bias_away() -> None:
    torch.manual_seed(1)
    real = gaussian(3000, torch.zeros(8).double(), torch.eye(8).double())
    fake = torch.randn(3000, 8, dtype=torch.float64)
    found = fid_infinity(real, fake)
    assert found.slope > 0
    assert abs(found.value) < 0.5 * fid(real, fake)
    assert abs(found.value) < 6 * found.error
    assert fid_infinity(real, fake) == found
    assert fid_infinity(real, fake, seed=1) != found


def test_the_line_is_least_squares_with_the_intercepts_error() -> None:
    x = torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64)
    line = _line(x, 1 + 2 * x)
    assert (line.value, line.slope, line.error) == pytest.approx((1, 2, 0))
    x, y = torch.rand(12).double(), torch.rand(12).double()
    reference, found = scipy.stats.linregress(x.numpy(), y.numpy()), _line(x, y)
    assert found.value == pytest.approx(reference.intercept)
    assert found.slope == pytest.approx(reference.slope)
    assert found.error == pytest.approx(reference.intercept_stderr)


def test_fid_infinity_needs_three_sizes() -> None:
    a = torch.randn(4, 2)
    assert math.isfinite(fid_infinity(a, a).value)
    with pytest.raises(ValueError, match="expected 4 examples and 3 points or more, got 3 and 15"):
        fid_infinity(a, a[:3])
    with pytest.raises(ValueError, match="got 4 and 2"):
        fid_infinity(a, a, points=2)


# Kernel distance


def test_kid_of_tiny_sets_by_hand() -> None:
    # D = 1, k(x, y) = (xy + 1)³: k(1, 2) = 27; k(0, 3) = 1; across k = 1, 4³, 1, 7³.
    a, b = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [3.0]])
    assert kid(a, b).value == pytest.approx(27 + 1 - 2 * (1 + 64 + 1 + 343) / 4)
    # D = 2: the product is halved. k = (1/2 + 1)³ within, 1 across.
    a, b = torch.tensor([[1.0, 0], [1.0, 0]]), torch.tensor([[0, 1.0], [0, 1.0]])
    assert kid(a, b) == Estimate(pytest.approx(2 * 1.5**3 - 2), None)


@saves_features
def test_kid_is_that_of_torchmetrics() -> None:
    a, b = spread(10, count=60), spread(10, count=60)
    metric = KernelInceptionDistance(feature=AsTheyAre(10), subsets=1, subset_size=60)
    metric.update(a, real=True)
    metric.update(b, real=False)
    assert kid(a, b).value == pytest.approx(float(metric.compute()[0]), rel=1e-8)


def test_kid_by_subsets_estimates_the_whole() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(300, 6), torch.randn(280, 6) + 0.3
    whole = kid(a[:280], b)
    found = kid(a, b, subsets=320, subset_size=50)
    assert whole.error is not None
    assert found.value == pytest.approx(whole.value, abs=whole.error / 2)
    assert kid(a, b, subsets=20, subset_size=50) == kid(a, b, subsets=20, subset_size=50)
    assert kid(a, b, subsets=20, subset_size=50, seed=1) != kid(a, b, subsets=20, subset_size=50)


@pytest.mark.parametrize(("other", "subset_size"), [(160, 1000), (160, 40), (480, 1000)])
def test_kids_error_is_how_much_other_sets_of_these_sizes_would_move_it(
    other: int, subset_size: int
) -> None:
    torch.manual_seed(3)
    found = [
        kid(torch.randn(160, 4), torch.randn(other, 4) + 1, subsets=40, subset_size=subset_size)
        for _ in range(120)
    ]
    moved = np.std([estimate.value for estimate in found])
    errors = [estimate.error for estimate in found if estimate.error is not None]
    assert len(errors) == 120
    assert np.mean(errors) == pytest.approx(moved, rel=0.3)


def test_kid_has_no_bias() -> None:
    torch.manual_seed(2)
    values = [kid(*torch.randn(2, 12, 4).unbind()).value for _ in range(600)]
    mean, error = np.mean(values), np.std(values) / math.sqrt(len(values))
    assert abs(mean) < 4 * error
    assert min(values) < 0


def test_kid_takes_no_subset_larger_than_a_set() -> None:
    a, b = torch.randn(5, 3), torch.randn(9, 3)
    assert math.isfinite(kid(a, b, subsets=3).value)
    with pytest.raises(ValueError, match="expected subsets of 2 or more, got 100 of 1"):
        kid(a, b, subset_size=1)


# Precision and recall, density and coverage


def test_precision_and_recall_on_a_line() -> None:
    real = torch.tensor([[0.0], [1.0], [3.0]])  # radii to the nearest: 1, 1, 2
    fake = torch.tensor([[-1.5], [1.5], [5.0], [5.5]])  # radii: 3, 3, .5, .5
    assert precision_recall(real, fake, k=1) == PrecisionRecall(0.5, 1.0)
    # k = 2: radii 3, 2, 3: everything is inside.
    assert precision_recall(real, fake, k=2).precision == 1
    assert precision_recall(real, fake[2:], k=1) == PrecisionRecall(0.5, 0.0)


def test_density_and_coverage_on_a_line() -> None:
    real = torch.tensor(
        [[0.0], [1.0], [3.0]]
    )  # radii to the nearest: 1, 1, 2; to the second: 3, 2, 3
    fake = torch.tensor([[0.5], [0.6], [10.0]])
    # Each of two lies in two balls of the three; the third example of 3 is left uncovered.
    assert density_coverage(real, fake, k=1) == DensityCoverage(pytest.approx(4 / 3), 2 / 3)
    assert density_coverage(real, fake, k=2) == DensityCoverage(pytest.approx(6 / 6), 1.0)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_are_what_scikit_learns_neighbours_say(k: int) -> None:
    real, fake = torch.randn(90, 4), torch.randn(70, 4) * 0.7 + 0.4
    radii, fake_radii = (
        NearestNeighbors(n_neighbors=k).fit(x.numpy()).kneighbors()[0][:, -1] for x in (real, fake)
    )
    apart = pairwise_distances(real.double().numpy(), fake.double().numpy())
    inside = apart <= radii[:, None]
    expected = PrecisionRecall(inside.any(0).mean(), (apart <= fake_radii).any(1).mean())
    assert precision_recall(real, fake, k) == expected
    expected_density = DensityCoverage(pytest.approx(inside.sum() / (k * 70)), inside.any(1).mean())
    assert density_coverage(real, fake, k) == expected_density


def test_fresh_examples_have_density_one_and_a_coverage_that_is_known() -> None:
    # Naeem et al., eq. 9: 1 - ∏ (N - 1 - i)/(2N - 1 - i) over i < k for as many of each.
    torch.manual_seed(0)
    real, fake = torch.randn(1500, 3), torch.randn(1500, 3)
    found = density_coverage(real, fake)
    missed = math.prod((1500 - 1 - i) / (2 * 1500 - 1 - i) for i in range(5))
    assert found.density == pytest.approx(1, abs=0.06)
    assert found.coverage == pytest.approx(1 - missed, abs=0.02)


def test_a_collapsed_generator_is_precise_and_covers_nothing() -> None:
    torch.manual_seed(0)
    real = torch.randn(200, 8)
    collapsed = real[:1].repeat(100, 1)
    assert precision_recall(real, collapsed) == PrecisionRecall(1.0, 1 / 200)
    assert density_coverage(real, collapsed).coverage < 0.1


def test_duplicates_lie_on_each_other() -> None:
    real = torch.randn(8, 5).mul(100).repeat(7, 1)  # seven of each: all radii are nought
    assert precision_recall(real, real[:30]) == PrecisionRecall(1.0, 1.0)
    assert density_coverage(real, real[:8]) == DensityCoverage(pytest.approx(7 / 5), 1.0)
    assert precision_recall(real, real[:30] + 0.01).precision == 0


def test_rounding_does_not_decide_who_is_covered() -> None:
    real = torch.randn(30, 20)
    places = NearestNeighbors(n_neighbors=1).fit(real.numpy()).kneighbors()[1][:, 0]
    for place in set(places.tolist()):
        # Right on the rims of those whose neighbour it is, and in the middle of its own ball.
        covered = np.mean((places == place) | (np.arange(30) == place))
        assert density_coverage(real, real[[place, place]], k=1).coverage == pytest.approx(covered)


@settings(max_examples=15, deadline=None)
@given(st.integers(6, 30), st.integers(6, 30), st.integers(0, 10**6))
def test_neighbourhoods_are_the_same_from_every_side(n: int, m: int, seed: int) -> None:
    torch.manual_seed(seed)
    real, fake = torch.randn(n, 3).double(), torch.randn(m, 3).double() + 0.5
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    turned = 5 * real[torch.randperm(n)] @ turn + 7, 5 * fake[torch.randperm(m)] @ turn + 7
    assert precision_recall(*turned) == precision_recall(real, fake)
    found, again = density_coverage(real, fake), density_coverage(*turned)
    assert (again.density, again.coverage) == pytest.approx((found.density, found.coverage))
    exchanged = precision_recall(fake, real)
    assert (exchanged.recall, exchanged.precision) == (
        precision_recall(real, fake).precision,
        precision_recall(real, fake).recall,
    )


def test_too_few_for_so_many_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 4 rows or more, got 3"):
        precision_recall(torch.randn(9, 2), torch.randn(3, 2))
    with pytest.raises(ValueError, match="expected 6 rows or more, got 5"):
        density_coverage(torch.randn(5, 2), torch.randn(9, 2))


# Inception score and classes


def test_the_inception_score_is_the_number_of_classes_at_best_and_one_at_worst() -> None:
    assert inception_score(torch.eye(7).repeat(20, 1), splits=1).value == pytest.approx(7)
    same = torch.tensor([0.7, 0.3, 0.0]).repeat(40, 1)
    assert inception_score(same) == Estimate(pytest.approx(1), pytest.approx(0, abs=1e-12))
    assert inception_score(torch.eye(3)[:1].repeat(40, 1)).value == pytest.approx(1)


@saves_features
def test_the_inception_score_is_that_of_torchmetrics() -> None:
    probabilities = torch.rand(60, 5).double().pow(4)
    probabilities /= probabilities.sum(1, keepdim=True)
    metric = InceptionScore(feature=AsTheyAre(5), splits=1)
    metric.update(probabilities.log())
    found = inception_score(probabilities, splits=1)
    assert found.value == pytest.approx(float(metric.compute()[0]), rel=1e-6)
    assert found.error is None


def test_the_inception_score_does_not_depend_on_the_order_of_classes() -> None:
    ordered = torch.eye(10).repeat_interleave(100, 0)
    in_turn = torch.eye(10).repeat(100, 1)
    for rows in (ordered, in_turn):
        found = inception_score(rows)
        assert found.value == pytest.approx(9.6, abs=0.3)
        assert found.error is not None
        assert 0 < found.error < 0.2


def test_what_are_no_probabilities_is_refused() -> None:
    with pytest.raises(
        ValueError, match="expected rows of 0 or more that sum to 1, got sums from 2"
    ):
        inception_score(torch.ones(20, 2))
    with pytest.raises(ValueError, match="expected rows of 0 or more"):
        inception_score(torch.tensor([[2.0, -1.0]]).repeat(20, 1))
    with pytest.raises(ValueError, match="expected 10 rows or more, got 3"):
        inception_score(torch.eye(3))


def test_class_balance_by_hand() -> None:
    predicted, real = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 2, 2])
    found = class_balance(predicted, real, 4)
    assert found.shares == [0.75, 0.25, 0, 0]
    assert found.real_shares == [0.25, 0.25, 0.5, 0]
    assert found.distance == pytest.approx(0.5)
    assert found.entropy == pytest.approx(scipy.stats.entropy([0.75, 0.25]))
    assert found.real_entropy == pytest.approx(1.5 * math.log(2))
    assert found.missing == [2]


def test_equal_classes_have_the_logarithm_of_their_number_for_entropy() -> None:
    labels = torch.arange(100) % 10
    found = class_balance(labels, labels.flip(0), 10)
    assert found.entropy == found.real_entropy == pytest.approx(math.log(10))
    assert (found.distance, found.missing) == (0, [])
    collapsed = class_balance(torch.zeros(5), labels, 10)
    assert (collapsed.entropy, collapsed.distance) == (0, pytest.approx(0.9))


def test_labels_that_are_no_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected labels from 0 to 1, got 0 to 2"):
        class_balance(torch.tensor([0, 2]), torch.tensor([0]), 2)
    with pytest.raises(ValueError, match="expected labels, got none"):
        class_balance(torch.tensor([0]), torch.tensor([], dtype=torch.int64), 2)


def test_fid_class_by_class() -> None:
    real, fake = torch.randn(30, 3), torch.randn(20, 3) + 1
    real_labels = torch.arange(30) % 3
    fake_labels = torch.tensor([0] * 10 + [1] * 9 + [2])
    found = per_class_fid(real, real_labels, fake, fake_labels, 4)
    assert found[:2] == [fid(real[real_labels == k], fake[fake_labels == k]) for k in (0, 1)]
    assert found[2:] == [None, None]
    with pytest.raises(
        ValueError, match="expected a label a row, got 30 and 5 labels for 30 and 20"
    ):
        per_class_fid(real, real_labels, fake, fake_labels[:5], 4)
