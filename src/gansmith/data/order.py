"""The order in which a run sees its data: a function of (seed, position), and nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gansmith.data.source import Array
from gansmith.runtime import Draw, derive_seed


def order(n: int, seed: int, start: int, count: int) -> Array:
    """Return which of ``n`` items stand at positions ``start`` … ``start + count``.

    The positions run along an endless sequence: one permutation of the items an epoch, each drawn
    from (seed, epoch) alone. So a resumed run needs to remember a single number, and batches
    straddle epochs, which leaves no item out of any epoch whatever the batch size.

    Args:
        n: how many items there are, at least 1.
        seed: a non-negative integer.
        start: the first position, from 0.
        count: how many positions, from 0; may exceed ``n``.

    Returns:
        int64 array of length ``count`` with values in 0 … n − 1.
    """
    if n < 1 or seed < 0 or start < 0 or count < 0:
        raise ValueError(
            "expected n of at least 1 and seed, start and count of at least 0, "
            f"but got n={n}, seed={seed}, start={start}, count={count}"
        )
    parts = []
    while count > 0:
        epoch, offset = divmod(start, n)
        part = _permutation(n, seed, epoch)[offset : offset + count]
        parts.append(part)
        start, count = start + len(part), count - len(part)
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def nested(n: int, seed: int, k: int | None = None) -> Array:
    """Which of ``n`` items are the first ``k`` of a seed: fewer of them are among more of them."""
    return order(n, derive_seed(seed, Draw.SUBSET), 0, n if k is None else k)


@lru_cache(maxsize=4)
def _permutation(n: int, seed: int, epoch: int) -> Array:
    # Sorting raw bits rather than Generator.permutation: NumPy promises that the bits of a bit
    # generator never change between versions, but promises no such thing of the generator's
    # methods. A tie of two 64-bit keys is settled by the stable sort.
    keys = np.random.Philox(np.random.SeedSequence([seed, epoch])).random_raw(n)
    permutation = np.argsort(keys, kind="stable").astype(np.int64)
    permutation.flags.writeable = False  # the cached array is shared between calls
    return permutation
