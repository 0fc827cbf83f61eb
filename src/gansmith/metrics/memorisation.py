"""Whether a generator made its examples or took them from the training set."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gansmith.imaging import grid
from gansmith.metrics.neighbours import nearest, require_features

ALPHA = 0.01  # a chance result this rare is taken for no chance
MOST_BESIDE = 5_000  # training examples that stand in for held-out ones
SHOWN, GAP = 64, 8  # pixels of a picture in the sheet of pairs, and between pairs
FEW = 100  # held-out examples, below which the verdict says what it can't see


@dataclass(frozen=True)
class Pair:
    """A generated example, the training example nearest to it, and how far they are apart."""

    made: int
    train: int
    distance: float
    relative: float  # to the median distance of held-out examples


@dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest training example: of generated ones, and of unseen real ones."""

    made: int  # how many generated examples
    held_out: int  # how many real ones they are compared with
    unseen: bool  # or those are the training examples themselves, each against the others
    median: float  # of the generated examples' distances
    held_out_median: float
    near: float  # the quantile of held-out distances below which an example is a near duplicate
    near_distance: float
    near_duplicate_rate: float  # among the generated examples
    expected_rate: float  # what fresh real examples would show
    near_p: float  # how often fresh real examples would show as many near duplicates, or more
    z: float  # below nought: generated examples are nearer than held-out ones
    p: float  # how often fresh real examples would be as near or nearer
    closest: tuple[Pair, ...]  # the nearest pairs: every class's nearest first, then the next

    @property
    def ratio(self) -> float:
        """The generated examples' median distance in held-out medians."""
        return _ratio(self.median, self.held_out_median)

    @property
    def has_near_duplicates(self) -> bool:
        """More than chance explains, and at least twice as many as fresh real examples show."""
        return self.near_p < ALPHA and self.near_duplicate_rate >= 2 * self.expected_rate

    @property
    def verdict(self) -> str:
        """In plain words, with what could not be seen."""
        if self.has_near_duplicates:
            found = (
                f"Copies: {self.near_duplicate_rate:.1%} of the generated examples lie nearer to a "
                f"training example than the nearest {self.near:.0%} of unseen real ones "
                f"({self.expected_rate:.1%} would by chance). Look at the closest pairs."
            )
        elif self.p < ALPHA:
            found = (
                "Nearer than unseen real examples: generated ones lie "
                f"{self.ratio:.2f} times as far from the training set ({_chance(self.p)}), without "
                "more near duplicates than chance. They may be blends or the commonest kind "
                "rather than copies. Look at the closest pairs."
            )
        else:
            found = (
                "No sign of copying: generated examples lie "
                f"{self.ratio:.2f} times as far from the training set as unseen real ones, and "
                f"{self.near_duplicate_rate:.1%} are near duplicates ({self.expected_rate:.1%} "
                "would be by chance)."
            )
        return " ".join(filter(None, (found, self._far, self._blind)))

    @property
    def _far(self) -> str:
        if self.p > 1 - ALPHA and self.ratio > 1:
            return "Farther is no merit: it is what examples unlike the data are."
        return ""

    @property
    def _blind(self) -> str:
        if not self.unseen:
            return (
                "No unseen real examples were given: training examples, each beside the others, "
                "stood in for them, which makes the chances rough."
            )
        if self.held_out >= FEW:
            return ""
        # The nearest of n held-out examples lies below the x-quantile but for a chance of (1-x)^n.
        hidden = 1 - ALPHA ** (1 / self.held_out)
        return (
            f"Only {self.held_out:,} unseen real examples to compare with: copies among less than "
            f"about {hidden:.0%} of the generated examples would not show."
        )


def audit(
    train: Tensor,
    held_out: Tensor | None,
    made: Tensor,
    near: float = 0.01,
    closest: int = 16,
    classes: Tensor | None = None,
) -> Memorisation:
    """Compare features of generated examples `made` (M, D) with real ones that training never saw.

    `train` (N, D) is the training set, `held_out` (L, D) comes from the same source. Given the
    training set, fresh real examples and held-out ones are draws of one distribution, so their
    distances to it are too, and both tests hold however the features are spread: as long as they
    don't come from a network that was fitted to `train`, which would tell it from `held_out`.

    Without `held_out` training examples' distances to the nearest other one stand in, of at most
    `MOST_BESIDE` drawn ones. Those depend on each other, so that chance alone goes below `ALPHA` a
    few times as often.

    `classes` (M,) of the generated examples decide which pairs are worth looking at: without them
    all would be of the class that lies densest (ones, among digits).
    """
    drawn = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    train = train[drawn]
    beside = train[:MOST_BESIDE] if held_out is None else held_out
    require_features(train, beside, made, at_least=2 if held_out is None else 1)
    if not 0 < near < 1:
        raise ValueError(f"expected near between 0 and 1, got {near}")
    distances, places = (values[:, 0] for values in nearest(made, train))
    unseen = nearest(beside, train, itself=held_out is None)[0][:, 0]
    limit = unseen.sort().values[math.ceil(near * len(unseen)) - 1]
    below, unseen_below = int((distances <= limit).sum()), int((unseen <= limit).sum())
    z = z_score(distances, unseen)
    return Memorisation(
        made=len(made),
        held_out=len(beside),
        unseen=held_out is not None,
        median=float(distances.quantile(0.5)),
        held_out_median=float(unseen.quantile(0.5)),
        near=near,
        near_distance=float(limit),
        near_duplicate_rate=below / len(made),
        expected_rate=unseen_below / (len(unseen) + 1),
        near_p=chance_of(below, len(made), unseen_below, len(unseen)),
        z=z,
        p=0.5 * math.erfc(-z / math.sqrt(2)),
        closest=_closest(distances, drawn[places], float(unseen.quantile(0.5)), closest, classes),
    )


def _closest(
    distances: Tensor, neighbours: Tensor, unit: float, count: int, classes: Tensor | None
) -> tuple[Pair, ...]:
    by_distance = distances.argsort(stable=True)
    groups = torch.zeros_like(by_distance) if classes is None else classes[by_distance]
    rank = torch.empty_like(by_distance)  # within its class, nearest first
    for group in set(groups.tolist()):
        members = groups == group
        rank[members] = torch.arange(int(members.sum()))
    order = by_distance[rank.argsort(stable=True)][:count].tolist()
    return tuple(
        Pair(i, int(neighbours[i]), float(distances[i]), _ratio(float(distances[i]), unit))
        for i in order
    )


def _chance(p: float) -> str:
    return f"p = {p:.1g}" if p >= 1e-4 else "p < 0.0001"


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else (1.0 if part == 0 else math.inf)


def z_score(a: Tensor, b: Tensor) -> float:
    """Of the Mann-Whitney U of `a` (m,) against `b` (n,), below nought where `a` is the smaller.

    The data-copying statistic of Meehan et al. 2020, section 3.1, over one cell, with the variance
    corrected for ties and without a correction for continuity. Nought where all values are equal.
    """
    m, n = len(a), len(b)
    _, group, sizes = torch.unique(torch.cat([a, b]), return_inverse=True, return_counts=True)
    sizes = sizes.double()
    ranks = (sizes.cumsum(0) - (sizes - 1) / 2)[group]
    u = float(ranks[:m].sum()) - m * (m + 1) / 2
    total = m + n
    ties = float((sizes**3 - sizes).sum()) / (total * (total - 1))
    variance = m * n / 12 * (total + 1 - ties)
    return (u - m * n / 2) / math.sqrt(variance) if variance > 1e-9 * m * n else 0.0


def chance_of(count: int, m: int, rank: int, n: int) -> float:
    """How often `count` or more of `m` draws lie below the `rank`-th smallest of `n` others.

    Draws of one distribution interleave in every order alike, which leaves the beta-binomial
    P(c) = C(c + rank - 1, c) C(m - c + n - rank, m - c) / C(m + n, m): no distribution enters.
    """
    c = torch.arange(count, m + 1, dtype=torch.float64)
    ways = _log_choose(c + rank - 1, c) + _log_choose(m - c + n - rank, m - c)
    every = _log_choose(torch.tensor(m + n).double(), torch.tensor(m).double())
    return min(1.0, float((ways - every).exp().sum()))


def _log_choose(n: Tensor, k: Tensor) -> Tensor:
    return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)


def pairs_picture(made: Tensor, train: Tensor) -> Image.Image:
    """A sheet of pairs, generated on the left, its training neighbour on the right.

    Both are uint8 (K, C, H, W), the k-th of one beside the k-th of the other. Small ones are shown
    several times as large, to about `SHOWN` pixels.
    """
    if made.shape != train.shape or made.dim() != 4 or not len(made):
        raise ValueError(
            f"expected as many pictures of one shape, got {tuple(made.shape)}, {tuple(train.shape)}"
        )
    times = max(1, round(SHOWN / max(made.shape[2:])))
    pairs: np.ndarray = torch.cat([made, train], 3).permute(0, 2, 3, 1).cpu().numpy()
    pairs = pairs.repeat(times, 1).repeat(times, 2)
    # A pair is twice as wide as it is high: half as many columns as rows make a square.
    return grid(pairs, columns=max(1, math.ceil(math.sqrt(len(pairs) / 2))), gap=GAP)


def closest_picture(found: Memorisation, made: Tensor, train: Tensor) -> Image.Image:
    """The closest pairs of `found`, of all pictures uint8 (N, C, H, W) it was found in."""
    return pairs_picture(
        made[[pair.made for pair in found.closest]], train[[pair.train for pair in found.closest]]
    )
