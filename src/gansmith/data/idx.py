"""IDX, the format of MNIST: a magic number, the dimensions, then the values, big-endian.

http://yann.lecun.com/exdb/mnist/ has the description: two zero bytes, the type of the values, the
number of dimensions, then each dimension as a 32-bit integer.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from gansmith.data.source import Array
from gansmith.errors import GansmithError

MAX_BYTES = 10 * 10**9
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(path: Path) -> bool:
    """Whether the file, unpacked if it is gzipped, starts as an IDX file does."""
    try:
        with open_maybe_gzip(path) as file:
            start = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 1 <= start[3] <= 4


def read_idx(path: Path) -> Array:
    """Return the array of a plain or gzipped IDX file. Raises ``GansmithError`` if damaged."""
    try:
        with open_maybe_gzip(path) as file:
            return _read(file)
    except (OSError, EOFError, zlib.error, ValueError, struct.error, MemoryError) as error:
        raise GansmithError(
            f"Expected a whole IDX file, but {path} is damaged: {error}. Download it again."
        ) from None


def labels_beside(path: Path) -> Path | None:
    """Find the labels that belong to a file of images, by the names that are in use."""
    pairs = [("idx3-ubyte", "idx1-ubyte"), ("idx3-ubyte", "idx2-int"), ("idx3", "idx1")]
    for images, labels in pairs:
        name = path.name.replace("images", "labels").replace(images, labels)
        for candidate in (name, name.removesuffix(".gz"), f"{name}.gz"):
            found = path.with_name(candidate)
            if found != path and found.is_file():
                return found
    return None


def open_maybe_gzip(path: Path) -> IO[bytes]:
    """Open a file, unpacking it if it is gzipped whatever its name."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def _read(file: IO[bytes]) -> Array:
    zeros, code, dimensions = struct.unpack(">HBB", file.read(4))
    if zeros != 0 or code not in _TYPES:
        raise ValueError("it does not start with an IDX magic number")
    shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
    dtype = np.dtype(_TYPES[code])
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise ValueError(f"it claims to hold {size:,} bytes")
    content = file.read(size + 1)
    if len(content) != size:
        raise ValueError(f"expected {size:,} bytes for {shape}, but got {len(content):,}")
    return np.frombuffer(content, dtype=dtype).reshape(shape)
