"""Finding pictures that look the same: a difference hash proposes, a small picture decides."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gansmith.data.source import Array

THUMBNAIL = 16  # pixels, both ways
MAX_BITS = 3  # of 64 that may differ; below 4, so that one of four bands is always the same
MAX_DISTANCE = 6.0  # root mean square between thumbnails, of 255
MAX_LOOKAHEAD = 4096  # pictures compared with each; only huge sets of much the same exceed it


def dhash(picture: Image.Image) -> int:
    """Return 64 bits that say where a picture of 9×8 gets brighter from left to right."""
    small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS))
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def near_duplicates(hashes: Array, thumbnails: Array) -> list[list[int]]:
    """Return groups of indices that look the same.

    Hashes alone would call all upright strokes the same, so that thumbnails have to agree as well.

    Args:
        hashes: uint64 N, of ``dhash``.
        thumbnails: uint8 N×T×T.
    """
    if not len(hashes):
        return []
    parent = list(range(len(hashes)))
    flat = thumbnails.reshape(len(hashes), -1)
    means = flat.mean(axis=1)
    for band in range(4):
        # Neighbouring bits are alike (borders, sky), so a band takes every fourth one.
        keys = hashes & np.uint64(0x1111_1111_1111_1111 << band)
        order = np.lexsort((means, keys))
        starts = np.flatnonzero(np.diff(keys[order])) + 1
        for bucket in np.split(order, starts):
            if len(bucket) > 1:
                _join_alike(parent, bucket, hashes[bucket], means[bucket], flat[bucket])
    return _groups(parent)


def _join_alike(
    parent: list[int], bucket: Array, hashes: Array, means: Array, thumbnails: Array
) -> None:
    """Join what looks the same within a bucket that is sorted by brightness.

    Whatever is like an earlier picture needs no look of its own, so that a thousand blank pages
    take a thousand comparisons and not a million.
    """
    # Pictures whose means differ by more than the distance allowed are farther apart than that.
    ends = np.searchsorted(means, means + MAX_DISTANCE, side="right")
    joined = np.zeros(len(bucket), dtype=bool)
    for first in range(len(bucket)):
        if joined[first]:
            continue
        others = np.arange(first + 1, min(int(ends[first]), first + 1 + MAX_LOOKAHEAD))
        others = others[_bits(hashes[others] ^ hashes[first]) <= MAX_BITS]
        if len(others) == 0:
            continue
        difference = thumbnails[others].astype(np.int32) - thumbnails[first]
        others = others[np.mean(difference**2, axis=1) <= MAX_DISTANCE**2]
        joined[others] = True
        for other in bucket[others].tolist():
            parent[_root(parent, other)] = _root(parent, int(bucket[first]))


def _bits(values: Array) -> Array:
    """Count the bits set in each uint64 (NumPy has a function for it only from version 2)."""
    values = values - ((values >> np.uint64(1)) & np.uint64(0x5555_5555_5555_5555))
    pairs = np.uint64(0x3333_3333_3333_3333)
    values = (values & pairs) + ((values >> np.uint64(2)) & pairs)
    values = (values + (values >> np.uint64(4))) & np.uint64(0x0F0F_0F0F_0F0F_0F0F)
    return (values * np.uint64(0x0101_0101_0101_0101)) >> np.uint64(56)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _groups(parent: list[int]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for index in range(len(parent)):
        groups.setdefault(_root(parent, index), []).append(index)
    return [group for group in groups.values() if len(group) > 1]
