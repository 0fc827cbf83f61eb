"""Of what differs between words: how much between hands, and how much within one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def numbered(names: Sequence[str]) -> Tensor:
    """int64 (N,): whose each is, numbered from 0."""
    numbers = {name: n for n, name in enumerate(sorted(set(names)))}
    return torch.tensor([numbers[name] for name in names])


def deviations(values: Tensor, hands: Tensor) -> Tensor:
    """(2, M): the standard deviations between hands and within them, of values (N, M).

    One-way random effects (Searle et al. 1992, eq. 3.4): what chance within a hand adds to its mean is
    taken away. Nought where that is more than there is.
    """
    count, total = int(hands.max()) + 1, len(hands)
    sizes = hands.bincount(minlength=count).double()
    sums = torch.zeros(count, values.shape[1], dtype=values.dtype).index_add_(0, hands, values)
    means = sums / sizes[:, None]
    within = (values - means[hands]).square().sum(0) / (total - count)
    apart = (means - values.mean(0)).square()
    between = (sizes[:, None] * apart).sum(0) / (count - 1)
    size = (total - sizes.square().sum() / total) / (count - 1)
    return torch.stack([((between - within) / size).clamp_min(0), within]).sqrt()
