"""A folder of pictures: flat, or one folder a class, however deeply nested."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from gansmith.data.pictures import MAX_BYTES, SUFFIXES
from gansmith.data.source import Item, Skipped, Source
from gansmith.errors import GansmithError

_SPLITS = {"train", "test", "val", "valid", "validation"}


@dataclass(frozen=True)
class Layout:
    """Which names are pictures, and which class each belongs to (an index, or None)."""

    labels: dict[str, int | None]
    classes: list[str] | None


def arrange(names: Iterable[str], where: str) -> Layout:
    """Find pictures and classes among the names (with "/") in a folder or archive.

    Folders that everything lies in say nothing and are passed over. Of what is left, the first
    folder is the class if every picture has one. Where those are train, test, val, only train
    counts, as for every other kind of data.
    """
    names = list(names)
    pictures = [name for name in names if _is_picture(name)]
    if not pictures:
        raise GansmithError(_nothing_found(names, where))
    parts = [PurePosixPath(name).parts for name in pictures]
    depth = _common_depth(parts)
    if "train" in (first := {part[depth] for part in parts}) and first <= _SPLITS:
        kept = [n for n, part in enumerate(parts) if part[depth] == "train"]
        pictures, parts = [pictures[n] for n in kept], [parts[n] for n in kept]
        depth = _common_depth(parts)
    if any(len(part) == depth + 1 for part in parts):
        return Layout(dict.fromkeys(pictures), None)
    classes = sorted({part[depth] for part in parts})
    numbers = {name: number for number, name in enumerate(classes)}
    of_picture = zip(pictures, parts, strict=True)
    return Layout({name: numbers[part[depth]] for name, part in of_picture}, classes)


class FolderSource(Source):
    """Pictures in a folder and its subfolders; hidden files are passed over."""

    def __init__(self, root: Path) -> None:
        self.name = root.resolve().name
        self._root = root
        self._layout = arrange(walk(root), where=f"the folder {root}")
        self.classes = self._layout.classes

    def __len__(self) -> int:
        return len(self._layout.labels)

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        for name, label in list(self._layout.labels.items())[::step]:
            path = self._root / name
            try:
                yield read_file(path, name, label)
            except OSError as error:
                yield Skipped(name, f"can't be read ({error.strerror or error})")

    def files(self) -> dict[str, Path]:
        return {name: self._root / name for name in self._layout.labels}


def read_file(path: Path, name: str, label: int | None) -> Item | Skipped:
    """The picture in a file, if it is one of a sensible size. Raises OSError."""
    if not path.is_file():  # a pipe, say, would be waited on for ever
        return Skipped(name, "not a regular file")
    if path.stat().st_size > MAX_BYTES:
        return Skipped(name, f"larger than {MAX_BYTES >> 20} MB")
    return Item(name, path.read_bytes(), label)


def walk(root: Path) -> Iterator[str]:
    """Yield the files below ``root`` relative to it, sorted; linked folders once."""
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not _is_run(Path(folder) / name))
        for file in sorted(files):
            yield (Path(folder) / file).relative_to(root).as_posix()


def _is_run(folder: Path) -> bool:
    """Whether `gansmith train` wrote it: a run inside its own data must not become data."""
    return (folder / "config.json").is_file() and (folder / "checkpoints").is_dir()


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder on the way to it, is not meant to be seen."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _is_picture(name: str) -> bool:
    return not is_hidden(name) and PurePosixPath(name).suffix.lower() in SUFFIXES


def _common_depth(parts: list[tuple[str, ...]]) -> int:
    """How many leading folders all the names share."""
    # What the first and the last in order share, all those between share too.
    folders = zip(min(parts)[:-1], max(parts)[:-1], strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], folders)))


def _nothing_found(names: list[str], where: str) -> str:
    wanted = "Expected pictures (.png, .jpg, .webp, …)"
    if not names:
        return f"{wanted} in {where}, but it is empty."
    kinds = Counter(PurePosixPath(name).suffix.lower() or "no extension" for name in names)
    found = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common(4))
    message = f"{wanted} in {where}, but found none among {len(names)} files ({found})."
    data = [name for name in names if name.endswith((".parquet", ".npz", ".npy", ".zip", ".tar"))]
    data += [name for name in names if "images" in name and "idx3" in name]
    return message + (f" Give one of its data files instead: {', '.join(data[:4])}." * bool(data))
