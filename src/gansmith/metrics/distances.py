"""Distances between two sets of vectors: functions of two matrices, one row an example.

Sums are taken in float64, whatever the features are in, and over blocks of rows: nothing here
holds a matrix of all examples by all examples, or a whole set in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gansmith.metrics.neighbours import TIE, blocks, mean_of, nearest, require_features, within


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error: None where there is too little to know it from."""

    value: float
    error: float | None


@dataclass(frozen=True)
class Moments:
    """What FID knows of a set: mean (D,) and covariance (D, D), float64."""

    mean: Tensor
    covariance: Tensor


@dataclass(frozen=True)
class FidInfinity:
    """FID at infinitely many examples, the line's slope in 1/N, the value's standard error."""

    value: float
    slope: float
    error: float


@dataclass(frozen=True)
class PrecisionRecall:
    """Shares of generated examples that could be real, and of real ones that could be made."""

    precision: float
    recall: float


@dataclass(frozen=True)
class DensityCoverage:
    """How thickly real examples' neighbourhoods are filled (1 for fresh real ones), and how many."""

    density: float
    coverage: float


@dataclass(frozen=True)
class ClassBalance:
    """Shares (K,) of the classes, their entropies in nats, their total variation distance."""

    shares: list[float]
    real_shares: list[float]
    entropy: float
    real_entropy: float
    distance: float

    @property
    def missing(self) -> list[int]:
        """The classes that are among the real examples and never among the others."""
        pairs = zip(self.shares, self.real_shares, strict=True)
        return [label for label, (share, real) in enumerate(pairs) if real > 0 and share == 0]


def sliced_wasserstein(a: Tensor, b: Tensor, projections: int = 256, seed: int = 0) -> float:
    """Mean 1-Wasserstein distance of `a` (N, D) and `b` (N, D) along random directions.

    In one dimension the optimal transport pairs the sorted values (Rabin et al. 2011). Directions
    are uniform on the sphere and fixed by `seed`; both sets must have the same number of rows.
    """
    if a.shape != b.shape:
        raise ValueError(f"expected two sets of one shape, got {tuple(a.shape)}, {tuple(b.shape)}")
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(a.shape[1], projections, generator=generator, dtype=torch.float64)
    directions = directions / directions.norm(dim=0)
    along_a, along_b = (x.double().cpu() @ directions for x in (a, b))
    return float((along_a.sort(0).values - along_b.sort(0).values).abs().mean())


def fid(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of the Gaussians of `a` (N, D) and `b` (M, D): Heusel et al. 2017, eq. 6."""
    require_features(a, b)
    return _frechet(_gaussian(a), _gaussian(b))


def fid_of_moments(a: Moments, b: Moments) -> float:
    """The same from moments that were kept; from fewer than D rows `fid` is the more exact."""
    require_features(a.covariance, b.covariance, at_least=1)
    return _frechet(*((m.mean, _root(m.covariance)) for m in (a, b)))


def moments(features: Tensor) -> Moments:
    """Mean and covariance (over N - 1) of `features` (N, D)."""
    require_features(features)
    mean = mean_of(features)
    covariance = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for block in blocks(features):
        centred = block - mean
        covariance.addmm_(centred.T, centred)
    return Moments(mean, covariance / (len(features) - 1))


def _frechet(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """‖m - n‖² + tr(S + T - 2√(ST)) of means and roots of covariances, RᵀR = S and QᵀQ = T.

    The eigenvalues of ST = RᵀRQᵀQ are those of (RQᵀ)(RQᵀ)ᵀ, so tr √(ST) is the sum of the singular
    values of RQᵀ. No square root of a singular matrix and no imaginary part, whatever the rank, and
    none of the digits that eigenvalues of a product lose.
    """
    (mean, root), (other_mean, other_root) = a, b
    cross = torch.linalg.svdvals(root @ other_root.T).sum()
    spread = root.square().sum() + other_root.square().sum() - 2 * cross
    return max(0.0, float((mean - other_mean).square().sum() + spread))


def _gaussian(features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (D,) and a root (min(N, D), D) of the covariance: for few rows, those rows."""
    count, size = features.shape
    if count > size:
        known = moments(features)
        return known.mean, _root(known.covariance)
    mean = mean_of(features)
    return mean, (features.cpu().double() - mean) / math.sqrt(count - 1)


def _root(covariance: Tensor) -> Tensor:
    """R (D, D) with RᵀR = `covariance`; directions that are empty but for rounding are nought."""
    least = len(covariance) * torch.finfo(torch.float64).eps * covariance.diagonal().max()
    root: Tensor
    root, failed = torch.linalg.cholesky_ex(covariance, upper=True)
    if failed or root.diagonal().square().min() <= least:
        values, vectors = torch.linalg.eigh(covariance)
        root = values.where(values > least, 0.0).sqrt()[:, None] * vectors.T
    return root


def fid_infinity(real: Tensor, fake: Tensor, points: int = 15, seed: int = 0) -> FidInfinity:
    """FID without the bias of a finite `fake` (N, D): Chong & Forsyth 2020, section 4.

    FID of random subsets, from the smaller of 5,000 and N/2 up to N, is close to a straight line in
    1/N, read at nought; where N is not many times D the line is curved, and the value too low.
    `real`'s own size still counts. The error is that of least squares, which takes the subsets for
    independent: they overlap, so it is too small.
    """
    require_features(real, fake)
    total = len(fake)
    sizes = torch.linspace(max(2, min(5000, total // 2)), total, points).round().long()
    sizes = torch.unique_consecutive(sizes)
    if len(sizes) < 3:
        raise ValueError(f"expected 4 examples and 3 points or more, got {total} and {points}")
    generator = torch.Generator().manual_seed(seed)
    reference = _gaussian(real)
    subsets = (fake[torch.randperm(total, generator=generator)[:n]] for n in sizes.tolist())
    distances = [_frechet(reference, _gaussian(subset)) for subset in subsets]
    return _line(1 / sizes.double(), torch.tensor(distances, dtype=torch.float64))


def _line(x: Tensor, y: Tensor) -> FidInfinity:
    """Least squares through (x, y), with the standard error of the intercept."""
    across = (x - x.mean()).square().sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / across
    value = y.mean() - slope * x.mean()
    variance = (y - value - slope * x).square().sum() / (len(x) - 2)
    error = (variance * (1 / len(x) + x.mean().square() / across)).sqrt()
    return FidInfinity(float(value), float(slope), float(error))


def kid(
    a: Tensor, b: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> Estimate:
    """Mean unbiased MMD² with the kernel (x·y/D + 1)³ over subsets: Bińkowski et al. 2018, eq. 4.

    Subsets are drawn without repeats, of `subset_size` or of the smaller set. The error is that of
    sets of these sizes drawn anew, by the delete-d jackknife (Shao & Wu 1989): the deviation over
    subsets of r out of n, here at most half of each set, times √(r / (n - r)), of the set where
    that is larger. Near nought, where the estimate's spread falls faster than √n, it is too large.
    """
    require_features(a, b)
    size = min(subset_size, len(a), len(b))
    if size < 2 or subsets < 1:
        raise ValueError(f"expected subsets of 2 or more, got {subsets} of {subset_size}")
    generator = torch.Generator().manual_seed(seed)

    def over_subsets(count: int, sizes: tuple[int, int]) -> Tensor:
        values = []
        for _ in range(count):
            x, y = (
                s[torch.randperm(len(s), generator=generator)[:n]].cpu().double()
                for s, n in zip((a, b), sizes, strict=True)
            )
            values.append(_mmd(x, y))
        return torch.tensor(values, dtype=torch.float64)

    whole = size == len(a) == len(b)
    found = over_subsets(1 if whole else subsets, (size, size))
    parts = min(subset_size, len(a) // 2), min(subset_size, len(b) // 2)
    if min(*parts, subsets) < 2:
        return Estimate(float(found.mean()), None)
    spread = (found if parts == (size, size) else over_subsets(subsets, parts)).std()
    left_out = max(r / (len(s) - r) for s, r in zip((a, b), parts, strict=True))
    return Estimate(float(found.mean()), float(spread) * math.sqrt(left_out))


def _mmd(x: Tensor, y: Tensor) -> float:
    """The U-statistic of MMD² for `x` (m, D) and `y` (n, D)."""
    within, within_y, across = (
        ((p @ q.T) / x.shape[1] + 1) ** 3 for p, q in ((x, x), (y, y), (x, y))
    )
    apart = sum((k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in (within, within_y))
    return float(apart - 2 * across.mean())


def _estimate(values: list[float]) -> Estimate:
    parts = torch.tensor(values, dtype=torch.float64)
    error = float(parts.std()) / math.sqrt(len(values)) if len(values) > 1 else None
    return Estimate(float(parts.mean()), error)


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> PrecisionRecall:
    """Shares of `fake` (M, D) within the k-th neighbours' radii of `real` (N, D), and conversely.

    Kynkäänniemi et al. 2019, eqs. 1-2. An example that lies on another is within its radius.
    """
    require_features(real, fake, at_least=k + 1)
    inside, covered = (
        within(points, centres, nearest(centres, centres, k, itself=True)[0][:, -1]) > 0
        for points, centres in ((fake, real), (real, fake))
    )
    return PrecisionRecall(float(inside.double().mean()), float(covered.double().mean()))


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> DensityCoverage:
    """Naeem et al. 2020, eqs. 4-5, with closed balls of the k-th neighbours' radii of `real`.

    Closed, as those of `precision_recall` are: an example that lies on a real one covers it even
    where that one has k duplicates, so its radius is nought.
    """
    require_features(real, fake, at_least=k + 1)
    radii = nearest(real, real, k, itself=True)[0][:, -1]
    density = within(fake, real, radii).double().mean() / k
    covered = nearest(real, fake)[0][:, 0] <= radii * TIE
    return DensityCoverage(float(density), float(covered.double().mean()))


def inception_score(probabilities: Tensor, splits: int = 10) -> Estimate:
    """exp E KL(p(y|x) ‖ p(y)) of `probabilities` (N, K), over `splits`: Salimans et al. 2016, sec. 4.

    The rows are shuffled first, for examples may come in the order of their classes. The error is
    the mean's; papers often give the splits' standard deviation, √splits times as much.
    """
    require_features(probabilities, at_least=splits)
    sums = probabilities.double().sum(1)
    if probabilities.min() < 0 or (sums - 1).abs().max() > 1e-3:
        least, most = float(sums.min()), float(sums.max())
        raise ValueError(
            f"expected rows of 0 or more that sum to 1, got sums from {least:g} to {most:g}"
        )
    order = torch.randperm(len(sums), generator=torch.Generator().manual_seed(0))
    parts = probabilities[order].cpu().double().tensor_split(splits)
    return _estimate([_score(part / part.sum(1, keepdim=True)) for part in parts])


def _score(p: Tensor) -> float:
    # xlogy(0, y) = 0 for every y, nought too: what is never predicted adds nothing.
    return float((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean().exp())


def class_balance(predicted: Tensor, real: Tensor, classes: int) -> ClassBalance:
    """The classes' shares among `predicted` (N,) against those among `real` (M,) labels."""
    shares, real_shares = (_shares(labels, classes) for labels in (predicted, real))
    return ClassBalance(
        shares.tolist(),
        real_shares.tolist(),
        float(torch.special.entr(shares).sum()),
        float(torch.special.entr(real_shares).sum()),
        float((shares - real_shares).abs().sum() / 2),
    )


def _shares(labels: Tensor, classes: int) -> Tensor:
    if not len(labels):
        raise ValueError("expected labels, got none")
    if labels.min() < 0 or labels.max() >= classes:
        found = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(f"expected labels from 0 to {classes - 1}, got {found}")
    return torch.bincount(labels.cpu().long(), minlength=classes).double() / len(labels)


def per_class_fid(
    real: Tensor, real_labels: Tensor, fake: Tensor, fake_labels: Tensor, classes: int
) -> list[float | None]:
    """FID within each class, None where a set has fewer than 2 of it. Few examples bias it up."""
    require_features(real, fake)
    if (len(real_labels), len(fake_labels)) != (len(real), len(fake)):
        raise ValueError(
            f"expected a label a row, got {len(real_labels)} and {len(fake_labels)} labels for "
            f"{len(real)} and {len(fake)} rows"
        )
    pairs = [(real[real_labels == k], fake[fake_labels == k]) for k in range(classes)]
    return [fid(a, b) if min(len(a), len(b)) > 1 else None for a, b in pairs]
