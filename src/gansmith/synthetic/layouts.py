"""The three forms of a data set on disk: pictures in folders, Parquet files, WebDataset tars."""

from __future__ import annotations

import io
import math
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from gansmith.errors import GansmithError
from gansmith.imaging import png_bytes, to_picture
from gansmith.samples import ROW_GROUP, parquet_row, parquet_writer
from gansmith.synthetic.folder import Folder

Progress = Callable[[int, int], None]
Thing = TypeVar("Thing")
Layout = Literal["folder", "parquet", "webdataset"]
SHARD_BYTES = 256 * 2**20  # a shard holds at most so much …
SHARD_EXAMPLES = 10_000  # … and a tar at most so many
GROUP_BYTES = 32 * 2**20  # of pictures that Parquet keeps in memory


@dataclass(frozen=True)
class Example:
    """A picture uint8 (H, W, C), its label, and a name without ending: CLASS/000012 or 000012."""

    name: str
    image: np.ndarray
    label: int | None

    @property
    def png(self) -> bytes:
        return png_bytes(to_picture(self.image))


@dataclass(frozen=True)
class Examples:
    """Examples of one size, to be read once."""

    each: Iterator[Example]
    shape: tuple[int, ...]  # (H, W, C)
    classes: tuple[str, ...] | None

    @property
    def most_bytes(self) -> int:
        """Of one picture as PNG: deflate never makes noise much larger, a row has a byte more."""
        height, width, channels = self.shape
        return height * (width * channels + 1) * 1001 // 1000 + 200


def counted(things: Iterator[Thing], total: int, progress: Progress | None) -> Iterator[Thing]:
    """The same things; `progress` is told now and then how many have passed."""
    for done, thing in enumerate(things, start=1):
        yield thing
        if progress and (done % 256 == 0 or done == total):
            progress(done, total)


def per_shard_of(layout: str, per_shard: int | None, most_bytes: int) -> int | None:
    """How many examples of at most so many bytes a file holds; None where each has its own.

    Raises a GansmithError where `per_shard` asks for what can't be.
    """
    if per_shard is not None and per_shard < 1:
        raise GansmithError(f"per_shard: expected 1 or more, found {per_shard}")
    if layout == "folder":
        if per_shard is not None:
            raise GansmithError("per_shard: pictures in folders have no shards; leave it out")
        return None
    if layout == "parquet":
        return per_shard or max(1, SHARD_BYTES // most_bytes)
    # In a tar every member has a header and is rounded up to 512 bytes, KEY.cls takes two of those.
    return per_shard or min(SHARD_EXAMPLES, max(1, SHARD_BYTES // (most_bytes + 2048)))


def numbered(layout: str, count: int, per_shard: int | None) -> Iterator[tuple[str, int]]:
    """The part of its name that tells a shard from others, and how many examples it holds at most."""
    per_shard = per_shard or count
    total = math.ceil(count / per_shard)
    form = {"parquet": "{number:05d}-of-{total:05d}", "webdataset": "{number:06d}"}.get(layout, "")
    return ((form.format(number=number, total=total), per_shard) for number in range(total))


def write_folder(folder: Folder, examples: Examples, part: str) -> None:
    """train/CLASS/000000.png …, or train/000000.png … where there are no classes."""
    for example in examples.each:
        folder.write(f"train/{example.name}.png", example.png)


def write_parquet(folder: Folder, examples: Examples, part: str) -> None:
    """data/train-PART.parquet, as Hugging Face lays out pictures."""
    write = parquet_writer(examples.classes)
    group = min(ROW_GROUP, max(1, GROUP_BYTES // examples.most_bytes))
    rows = (parquet_row(f"{e.name}.png", e.image, e.label) for e in examples.each)
    with folder.open(f"data/train-{part}.parquet") as file:
        write(file, rows, group)


def write_webdataset(folder: Folder, examples: Examples, part: str) -> None:
    """train-PART.tar: KEY.png and, where there are classes, KEY.cls with the class's number.

    The class's folder is part of the key: a reader of folders sees the classes as well.
    """
    with folder.open(f"train-{part}.tar") as file, tarfile.open(fileobj=file, mode="w") as tar:
        for example in examples.each:
            add_to_tar(tar, f"{example.name}.png", example.png)
            if example.label is not None:
                add_to_tar(tar, f"{example.name}.cls", str(example.label).encode())


def add_to_tar(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """One file, at the end."""
    member = tarfile.TarInfo(name)  # no time, no owner: the same content, the same bytes
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
    tar.members.clear()  # type: ignore[attr-defined]  # which it would keep, a kilobyte for each


# What writes one shard, or all pictures that are files of their own.
LAYOUTS: dict[str, Callable[[Folder, Examples, str], None]] = {
    "folder": write_folder,
    "parquet": write_parquet,
    "webdataset": write_webdataset,
}
