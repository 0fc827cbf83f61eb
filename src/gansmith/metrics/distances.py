"""Distances between two sets of vectors: functions of two matrices, one row an example."""

from __future__ import annotations

import torch
from torch import Tensor


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
