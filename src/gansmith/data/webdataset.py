"""A tar as WebDataset lays it out: ``KEY.png`` or the like, and beside it what belongs to that key."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

import numpy as np

from gansmith.data.archive import (
    MAX_MEMBERS,
    check_member,
    complaints,
    each_member,
    open_tar,
    read_member,
)
from gansmith.data.folder import is_hidden
from gansmith.data.pictures import SUFFIXES
from gansmith.data.source import Item, Skipped, Source, names_of_labels
from gansmith.errors import GansmithError

LABEL = ".cls"
MOST_LABEL = 256  # bytes


class WebDatasetSource(Source):
    """Pictures, in whatever folders; as labels what ``KEY.cls`` says, numbers or names.

    Raises GansmithError for a tar that is damaged or hostile, as `TarSource` does.
    """

    def __init__(self, path: Path) -> None:
        self.name, self._path = path.name.split(".")[0], path
        self._count, self._labels = 0, dict[str, int]()
        said = self._survey()
        if said:
            numbers = all(value.isdecimal() for value in said.values())
            typed = [int(value) if numbers else value for value in said.values()]
            numbered, self.classes = names_of_labels(np.asarray(typed))
            self._labels = dict(zip(said, numbered.tolist(), strict=True))

    def __len__(self) -> int:
        return self._count

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        number = 0
        with complaints(self._path), open_tar(self._path) as archive:
            for member in each_member(archive):
                if _is_picture(member):
                    if number % step == 0:
                        yield self._item(archive, member)
                    number += 1

    def files(self) -> dict[str, Path]:
        return {"archive": self._path}

    def _item(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Item | Skipped:
        with cast(IO[bytes], archive.extractfile(member)) as file:
            content = read_member(file, member.name)
        if isinstance(content, Skipped) or self.classes is None:
            return content if isinstance(content, Skipped) else Item(member.name, content)
        label = self._labels.get(_key(member.name))
        found = Item(member.name, content, label)
        return Skipped(member.name, "it has no label") if label is None else found

    def _survey(self) -> dict[str, str]:
        """Count the pictures and return what is said of them, by key."""
        said: dict[str, str] = {}
        with complaints(self._path), open_tar(self._path) as archive:
            for number, member in enumerate(each_member(archive)):
                special = not (member.isfile() or member.isdir())
                check_member(member.name, special, self._path)
                if number >= MAX_MEMBERS:
                    raise GansmithError(
                        f"Expected at most {MAX_MEMBERS:,} members in {self._path}; it has more."
                    )
                self._count += _is_picture(member)
                if member.name.endswith(LABEL) and member.size <= MOST_LABEL:
                    with cast(IO[bytes], archive.extractfile(member)) as file:
                        said[_key(member.name)] = file.read().decode("utf-8", "replace").strip()
        return said


def _is_picture(member: tarfile.TarInfo) -> bool:
    suffix = PurePosixPath(member.name).suffix.lower()
    return member.isfile() and suffix in SUFFIXES and not is_hidden(member.name)


def _key(name: str) -> str:
    """Up to the first dot of the last part: ``a.b/0001.seg.png`` → ``a.b/0001``."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]
