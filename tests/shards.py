"""Shards to try things on: small pictures, each of one grey that says which it is."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gansmith.synthetic.layouts import add_to_tar


def picture(grey: int, side: int = 16) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((side, side), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def write_tar(path: Path, greys: Sequence[int], labels: Sequence[object] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number, grey in enumerate(greys):
            if labels is not None:
                add_to_tar(tar, f"{number:06d}.cls", str(labels[number]).encode())
            add_to_tar(tar, f"{number:06d}.png", picture(grey))
    return path


def write_shards(folder: Path, count: int = 5, each: int = 40) -> Path:
    """Grey g is in shard g // each and has that shard's number as its label: sorted by class."""
    for number in range(count):
        greys = range(number * each, (number + 1) * each)
        write_tar(folder / f"train-{number:03d}.tar", greys, [number] * each)
    return folder
