"""Data in many files, here or elsewhere: WebDataset's tars or Parquet, in a folder or a bucket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from gansmith.data import cache
from gansmith.data.parquet import ParquetSource
from gansmith.data.source import Item, Skipped, Source
from gansmith.data.webdataset import WebDatasetSource
from gansmith.errors import GansmithError

PREFIX = "shards:"
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".parquet")
LOOKED_AT = 16  # shards that the size, the classes and what is shown are found in, at most


def is_shards(spec: str) -> bool:
    """Whether a name stands for many files: by its prefix, or as it lies elsewhere."""
    return spec.startswith(PREFIX) or "://" in spec


def full(spec: str) -> str:
    """The same from any folder."""
    where = spec.removeprefix(PREFIX)
    return PREFIX + (where if "://" in where else str(Path(where).expanduser().absolute()))


@dataclass(frozen=True)
class Shard:
    """A file: its place, its size in bytes, and what changes when it does."""

    path: str
    bytes: int
    state: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


class ShardSource(Source):
    """Pictures in many files of which never all are here at once.

    As a source it is a few of them, evenly spread: what the size, the colours and the classes are
    found in. Pictures with a label that none of those has are skipped.

    Args:
        spec: ``shards:`` and a folder, a pattern (``train-*.tar``) or an address that fsspec knows;
            of an address the prefix can be left out (``s3://bucket/train/``).

    Raises:
        GansmithError: there are none, or they can't be reached or read.
    """

    def __init__(self, spec: str) -> None:
        where = full(spec).removeprefix(PREFIX)
        self.name = PurePosixPath(where.rstrip("/")).name.split(".")[0].strip("*-_") or "shards"
        with _explained(where):
            self._files, self.shards = _find(where)
        if not self.shards:
            raise GansmithError(
                f"Expected files of {', '.join(SUFFIXES)} at {where}, but found none."
            )
        count = len(self.shards)
        step = max(1, -(-count // LOOKED_AT))
        self.looked_at = list(range(0, count, step))
        self._count, found = 0, []
        for number in self.looked_at:
            with self._opened(number) as source:
                self._count += len(source)
                found.append(source.classes)
        self.classes = _all_classes(found, [self.shards[n].name for n in self.looked_at])

    def __len__(self) -> int:
        """Of the files looked at."""
        return self._count

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        for number in self.looked_at:
            with self.open(number) as shard:
                for item in shard.read(step):
                    yield replace(item, name=f"{self.shards[number].name}: {item.name}")

    @contextmanager
    def open(self, number: int) -> Iterator[Source]:
        """One file, with the classes of all; here for as long as it is open."""
        with self._opened(number) as source:
            yield _Relabelled(source, self.classes)

    @contextmanager
    def _opened(self, number: int) -> Iterator[Source]:
        shard = self.shards[number]
        with _fetched(self._files, shard) as path:
            yield ParquetSource(path) if shard.name.endswith(".parquet") else WebDatasetSource(path)


class _Relabelled(Source):
    """A shard whose labels are numbers of everybody's classes in place of its own."""

    def __init__(self, source: Source, classes: list[str] | None) -> None:
        self.name, self._source, self.classes = source.name, source, classes

    def __len__(self) -> int:
        return len(self._source)

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        numbers = {name: number for number, name in enumerate(self.classes or ())}
        for item in self._source.read(step):
            if isinstance(item, Skipped) or not numbers:
                yield item if isinstance(item, Skipped) else replace(item, label=None)
            elif item.label is None:
                yield Skipped(item.name, "it has no label")
            elif (name := (self._source.classes or [])[item.label]) not in numbers:
                yield Skipped(item.name, f"the shards looked at first have no label {name!r}")
            else:
                yield replace(item, label=numbers[name])


def _all_classes(found: Sequence[list[str] | None], names: list[str]) -> list[str] | None:
    if all(classes is None for classes in found):
        return None
    bare = [name for name, classes in zip(names, found, strict=True) if classes is None]
    if bare:
        raise GansmithError(
            f"Expected labels in all shards or in none, but {bare[0]} has none and "
            f"{next(n for n in names if n not in bare)} has."
        )
    together = {name for classes in found for name in classes or ()}
    numbers = all(name.isdecimal() for name in together)
    return sorted(together, key=lambda name: (int(name) if numbers else 0, name))


def _find(where: str) -> tuple[Any, list[Shard]]:
    """The file system, and what of it is meant, in the order of names."""
    import fsspec

    files, path = fsspec.core.url_to_fs(where)
    if any(sign in path for sign in "*?["):
        found = files.glob(path, detail=True)
    elif files.isdir(path):
        found = files.find(path, detail=True)
    else:
        found = {path: files.info(path)} if files.exists(path) else {}
    return files, [
        Shard(name, int(info["size"] or 0), _state(info))
        for name, info in sorted(found.items())
        if info["type"] == "file" and name.lower().endswith(SUFFIXES)
    ]


def _state(info: dict[str, Any]) -> str:
    """File systems name it differently."""
    told = [str(info[key]) for key in ("ETag", "mtime", "LastModified", "updated") if key in info]
    return " ".join([str(info["size"]), *told])


@contextmanager
def _fetched(files: Any, shard: Shard) -> Iterator[Path]:
    """The file on this machine's disk: where it lies, or a copy that is kept while there is room."""
    from fsspec.implementations.local import LocalFileSystem

    if isinstance(files, LocalFileSystem):
        yield Path(shard.path)
        return
    key = hashlib.sha256(json.dumps([shard.path, shard.state]).encode()).hexdigest()[:32]
    suffix = next(s for s in SUFFIXES if shard.path.lower().endswith(s))
    copy = kept_in() / f"{key}{suffix}"
    if not copy.exists():
        with cache.temporary(copy) as unfinished, _explained(shard.path):
            files.get_file(shard.path, str(unfinished))
    yield copy


def kept_in() -> Path:
    """The folder of what is kept of shards: copies of files from elsewhere, and decoded ones."""
    return cache.cache_folder() / "shards"


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """File systems of other people's fail in ways of their own."""
    try:
        yield
    except GansmithError:
        raise
    except ImportError as error:
        raise GansmithError(f"Reading {where} needs another package: {error}.") from None
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise GansmithError(f"Can't read {where}: {said[0]}.") from None
