"""Distributions whose truth is known, to see at a glance whether a GAN learns them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gansmith.data.arrays import ArraySource
from gansmith.data.source import Array

COUNT = 50_000
RING_RADIUS, RING_SD = 2.0, 0.02
GRID_SD = 0.05


def parabola(rng: np.random.Generator, count: int) -> Array:
    """Points (x, x²) with x uniform in −1 … 1: float N×2."""
    x = rng.uniform(-1.0, 1.0, count)
    return np.stack([x, x**2], axis=1)


def ring(rng: np.random.Generator, count: int) -> Array:
    """Eight Gaussians of standard deviation 0.02 on a circle of radius 2 (Metz et al. 2017)."""
    return _mixture(rng, count, ring_centres(), RING_SD)


def grid25(rng: np.random.Generator, count: int) -> Array:
    """25 Gaussians of standard deviation 0.05 at −4, −2, 0, 2, 4 squared (Lin et al. 2018)."""
    return _mixture(rng, count, grid_centres(), GRID_SD)


def ring_centres() -> Array:
    """The 8 modes of ``ring``: float 8×2."""
    angles = 2 * np.pi * np.arange(8) / 8
    return RING_RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid_centres() -> Array:
    """The 25 modes of ``grid25``: float 25×2."""
    along = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)


TOYS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "parabola": parabola,
    "ring": ring,
    "grid25": grid25,
}


def open_toy(name: str) -> ArraySource:
    """Draw 50,000 points of a toy distribution, always the same ones."""
    return ArraySource(name, TOYS[name](np.random.default_rng(0), COUNT))


def _mixture(rng: np.random.Generator, count: int, centres: Array, sd: float) -> Array:
    chosen: Array = centres[rng.integers(len(centres), size=count)]
    return chosen + rng.normal(0.0, sd, (count, 2))
