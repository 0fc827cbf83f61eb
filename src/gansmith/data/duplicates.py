"""Finding pictures that look the same: a difference hash proposes, a small picture decides."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gansmith.data.source import Array

THUMBNAIL = 16  # pixels, both ways
MAX_BITS = 3  # of 64 that may differ; below 4, so that one of four bands is always the same
MAX_DISTANCE = 6.0  # root mean square between thumbnails, of 255
_BLOCK = 1024


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
    parent = list(range(len(hashes)))
    for band in range(4):
        # Neighbouring bits are alike (borders, sky), so a band takes every fourth one.
        keys = hashes & np.uint64(0x1111_1111_1111_1111 << band)
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
        for bucket in np.split(order, starts[1:]):
            for one, other in _alike(bucket, hashes, thumbnails):
                parent[_root(parent, int(one))] = _root(parent, int(other))
    return _groups(parent)


def _alike(bucket: Array, hashes: Array, thumbnails: Array) -> Array:
    """Return the pairs (int P×2) within a bucket that look the same."""
    found = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(bucket) if len(bucket) > 1 else 0, _BLOCK):
        rows = bucket[start : start + _BLOCK]
        columns = bucket[start:]
        close = _bits(hashes[rows, None] ^ hashes[None, columns]) <= MAX_BITS
        one, other = np.nonzero(np.triu(close, k=1))
        found.append(_confirmed(rows[one], columns[other], thumbnails))
    return np.concatenate(found)


def _confirmed(one: Array, other: Array, thumbnails: Array) -> Array:
    kept = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(one), 65536):
        a, b = one[start : start + 65536], other[start : start + 65536]
        difference = thumbnails[a].astype(np.int32) - thumbnails[b]
        near = np.mean(difference**2, axis=(1, 2)) <= MAX_DISTANCE**2
        kept.append(np.stack([a[near], b[near]], axis=1))
    return np.concatenate(kept)


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
