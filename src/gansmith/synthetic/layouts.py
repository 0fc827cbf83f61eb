"""The three forms of a data set on disk: pictures in folders, Parquet files, WebDataset tars."""

from __future__ import annotations

import io
import math
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
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
    """`count` examples of one size, to be read once."""

    each: Iterator[Example]
    count: int
    shape: tuple[int, ...]  # (H, W, C)
    classes: tuple[str, ...] | None

    @property
    def most_bytes(self) -> int:
        """Of one picture as PNG: deflate never makes noise much larger, a row has a byte more."""
        height, width, channels = self.shape
        return height * (width * channels + 1) * 1001 // 1000 + 200

    def shards(self, per_shard: int) -> Iterator[tuple[int, int, Iterator[Example]]]:
        """(number, how many there are in all, the examples) of each shard."""
        total = math.ceil(self.count / per_shard)
        return ((number, total, islice(self.each, per_shard)) for number in range(total))


def counted(things: Iterator[Thing], total: int, progress: Progress | None) -> Iterator[Thing]:
    """The same things; `progress` is told now and then how many have passed."""
    for done, thing in enumerate(things, start=1):
        yield thing
        if progress and (done % 256 == 0 or done == total):
            progress(done, total)


def write_folder(folder: Folder, examples: Examples, per_shard: int | None) -> None:
    """train/CLASS/000000.png …, or train/000000.png … where there are no classes."""
    if per_shard is not None:
        raise GansmithError("per_shard: pictures in folders have no shards; leave it out")
    for example in examples.each:
        folder.write(f"train/{example.name}.png", example.png)


def write_parquet(folder: Folder, examples: Examples, per_shard: int | None) -> None:
    """data/train-00000-of-00001.parquet …, as Hugging Face lays out pictures."""
    write = parquet_writer(examples.classes)
    per_shard = per_shard or max(1, SHARD_BYTES // examples.most_bytes)
    group = min(ROW_GROUP, max(1, GROUP_BYTES // examples.most_bytes))
    for number, total, shard in examples.shards(per_shard):
        rows = (parquet_row(f"{e.name}.png", e.image, e.label) for e in shard)
        with folder.open(f"data/train-{number:05d}-of-{total:05d}.parquet") as file:
            write(file, rows, group)


def write_webdataset(folder: Folder, examples: Examples, per_shard: int | None) -> None:
    """train-000000.tar …: KEY.png and, where there are classes, KEY.cls with the class's number.

    The class's folder is part of the key: a reader of folders sees the classes as well.
    """
    # In a tar every member has a header and is rounded up to 512 bytes, KEY.cls takes two of those.
    per_shard = per_shard or min(
        SHARD_EXAMPLES, max(1, SHARD_BYTES // (examples.most_bytes + 2048))
    )
    for number, _, shard in examples.shards(per_shard):
        name = f"train-{number:06d}.tar"
        with folder.open(name) as file, tarfile.open(fileobj=file, mode="w") as tar:
            for example in shard:
                add_to_tar(tar, f"{example.name}.png", example.png)
                if example.label is not None:
                    add_to_tar(tar, f"{example.name}.cls", str(example.label).encode())


def add_to_tar(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """One file, at the end."""
    member = tarfile.TarInfo(name)  # no time, no owner: the same content, the same bytes
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
    tar.members.clear()  # type: ignore[attr-defined]  # which it would keep, a kilobyte for each


LAYOUTS: dict[str, Callable[[Folder, Examples, int | None], None]] = {
    "folder": write_folder,
    "parquet": write_parquet,
    "webdataset": write_webdataset,
}
