"""Nearest neighbours between sets of vectors, block by block: flat in memory whatever their size."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

ROWS = 2048  # in a block
SAME = 1e-12  # a squared distance below this share of the squared norms is rounding: it is nought
TIE = 1 + 1e-9  # rounding must not decide whether a neighbour lies within a radius


def nearest(a: Tensor, b: Tensor, k: int = 1, itself: bool = False) -> tuple[Tensor, Tensor]:
    """Distances float64 and places int64, both (N, k), of `b`'s rows nearest to `a`'s, in order.

    With `itself`, where `b` is `a`, a row is no neighbour of its own; its duplicates are.
    """
    if k + itself > len(b):
        raise ValueError(f"expected {k + itself} rows or more for {k} neighbours, got {len(b)}")
    distances = torch.full((len(a), k), math.inf, dtype=torch.float64)
    places = torch.zeros(len(a), k, dtype=torch.int64)
    for top, left, squared in _squared_distances(a, b):
        if itself and top == left:
            squared.fill_diagonal_(math.inf)
        rows = slice(top, top + len(squared))
        near = squared.topk(min(k, squared.shape[1]), largest=False)
        values = torch.cat([distances[rows], near.values], 1)
        order = values.argsort(dim=1, stable=True)[:, :k]
        distances[rows] = values.gather(1, order)
        places[rows] = torch.cat([places[rows], near.indices + left], 1).gather(1, order)
    return distances.sqrt(), places


def within(points: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """(N,) in how many of the closed balls around `centres` (M, D) each of `points` (N, D) lies."""
    counts = torch.zeros(len(points), dtype=torch.int64)
    limits = (radii * TIE).square()
    for top, left, squared in _squared_distances(points, centres):
        inside = squared <= limits[left : left + squared.shape[1]]
        counts[top : top + len(squared)] += inside.sum(1)
    return counts


def _squared_distances(a: Tensor, b: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """Blocks of the matrix of squared distances of `a` (N, D) and `b` (M, D), with their places.

    ‖x‖² + ‖y‖² - 2x·y about `b`'s mean, so that little cancels. What is below a millionth of the
    norms, which features in float32 can't tell from nought, is nought: duplicates stay duplicates.
    """
    centre = mean_of(b)
    for down, rows in enumerate(block - centre for block in blocks(a)):
        for along, columns in enumerate(block - centre for block in blocks(b)):
            sizes = rows.square().sum(1, keepdim=True) + columns.square().sum(1)
            squared = sizes.addmm(rows, columns.T, alpha=-2)
            yield down * ROWS, along * ROWS, squared.masked_fill_(squared < SAME * sizes, 0.0)


def require_features(*sets: Tensor, at_least: int = 2) -> None:
    """ValueError unless each is a matrix of enough rows of numbers, all of one width."""
    for features in sets:
        if features.dim() != 2 or features.shape[1] != sets[0].shape[-1]:
            raise ValueError(
                "expected matrices (N, D) of one D, got "
                + " and ".join(str(tuple(one.shape)) for one in sets)
            )
        if len(features) < at_least:
            raise ValueError(f"expected {at_least} rows or more, got {len(features)}")
        if not all(block.isfinite().all() for block in blocks(features)):
            raise ValueError("expected finite features, got NaN or infinity")


def mean_of(features: Tensor) -> Tensor:
    """The mean (D,) of `features` (N, D)."""
    return torch.stack([block.sum(0) for block in blocks(features)]).sum(0) / len(features)


def blocks(features: Tensor) -> Iterator[Tensor]:
    """`features` (N, D) in float64 on the processor, ROWS at a time."""
    for top in range(0, len(features), ROWS):
        yield features[top : top + ROWS].cpu().double()
