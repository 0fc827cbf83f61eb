"""A data set that is made range by range: what is done stays, whatever becomes of the rest.

    OUT/data/train-00000000-00010240.parquet …   whole, for files get their names when complete
    OUT/.unfinished/order.json                   what was asked for
    OUT/.unfinished/00000000-00010240.json       a range that is done: its files and their SHA-256

At the end the manifest takes the place of the last three: a folder without one is half made.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansmith import checkpoint
from gansmith.errors import GansmithError
from gansmith.run import clear_errors
from gansmith.synthetic.folder import (
    MANIFEST,
    Folder,
    keep,
    manifest_in,
    only_writer,
    require_free,
    settle,
    sha256_of,
)

UNFINISHED, ORDER = ".unfinished", "order.json"
RANGE = 10_240  # examples: whole blocks of pictures and pages of words, so that none is made twice
AGAIN = "make room, and give the same command again: it goes on from what is done"


@dataclass(frozen=True)
class Span:
    """The numbers start … stop - 1, and the name of what is made of them."""

    start: int
    stop: int
    name: str

    def __len__(self) -> int:
        return self.stop - self.start


def cut(count: int, size: int) -> list[Span]:
    """The numbers 0 … count - 1 in ranges of at most `size`, whose names sort as they do."""
    digits = max(8, len(str(count)))
    ends = ((start, min(start + size, count)) for start in range(0, count, size))
    return [Span(a, b, f"{a:0{digits}d}-{b:0{digits}d}") for a, b in ends]


def range_size(per_shard: int | None, together: int) -> int:
    """How many are in a range: no more than a shard holds, in whole lots of those made together."""
    most = min(RANGE, per_shard or RANGE)
    return most - most % together or most


@dataclass(frozen=True)
class Ranges:
    """The half-made folder `out`. Several processes may fill different ranges of it."""

    out: Path

    @property
    def home(self) -> Path:
        return self.out / UNFINISHED

    @contextmanager
    def fill(self, span: Span) -> Iterator[Folder]:
        """A folder for the files of a range, which is done when the caller is."""
        files = io.StringIO()
        with clear_errors(self.out, AGAIN):
            yield _Beside(self.out, files)
            settle()
            checkpoint.write_atomically(self._record(span), f"{{{files.getvalue()}\n}}\n".encode())

    def is_done(self, span: Span) -> bool:
        """Whether all its files are there, and are what was written: disks lie, and people tidy."""
        try:
            files = self._files(span)
            return len(files) > 0 and all(
                (self.out / name).stat().st_size == entry["bytes"]
                and sha256_of(self.out / name) == entry["sha256"]
                for name, entry in files.items()
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return False

    def finish(
        self, spans: Sequence[Span], head: Mapping[str, Any], beside: Mapping[str, bytes]
    ) -> Folder:
        """Write what else belongs to the data set, and then the manifest. All spans are done."""
        with manifest_in(self.home, head) as manifest:
            folder = _Beside(self.out, manifest)
            for name, content in beside.items():
                folder.write(name, content)
            for span in spans:
                for name, entry in self._files(span).items():
                    folder.enter(name, entry["bytes"], entry["sha256"])
        settle()
        (self.home / MANIFEST).replace(self.out / MANIFEST)
        return folder

    def _record(self, span: Span) -> Path:
        return self.home / f"{span.name}.json"

    def _files(self, span: Span) -> dict[str, dict[str, Any]]:
        files: dict[str, dict[str, Any]] = json.loads(self._record(span).read_bytes())
        return files


class _Beside(Folder):
    """A file gets its name when it is complete, and is one process's until then."""

    @contextmanager
    def _new(self, name: str) -> Iterator[Path]:
        unnamed = self.path / UNFINISHED / f".tmp-{os.getpid()}{Path(name).suffix}"
        with super()._new(name) as path:
            yield unnamed
            unnamed.replace(path)


@contextmanager
def ranges_in(out: Path, order: Mapping[str, Any]) -> Iterator[Ranges]:
    """Begin the folder `out`, or go on with it where it was begun with the same order.

    When the caller ends well it is complete; else what is done stays, if anything is. Raises a
    GansmithError where it holds something else, or another process is at it.
    """
    ranges = Ranges(out.resolve())
    _require_same(out, order)
    with clear_errors(out, AGAIN), only_writer(out) as aside:
        shutil.rmtree(aside, ignore_errors=True)  # of one that was killed
        if not _require_same(out, order):
            (aside / UNFINISHED).mkdir(parents=True)
            (aside / UNFINISHED / ORDER).write_text(json.dumps(dict(order), indent=1) + "\n")
            keep(aside, out)
        checkpoint.clean(ranges.home)
        try:
            yield ranges
            ranges.home.rename(aside)
        except BaseException:
            checkpoint.clean(ranges.home)
            if {path.name for path in ranges.home.iterdir()} == {ORDER}:
                ranges.out.rename(aside)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _require_same(out: Path, order: Mapping[str, Any]) -> bool:
    """Whether `out` was begun with this order; False where it is free. Else a GansmithError."""
    file = out / UNFINISHED / ORDER
    if not file.is_file():
        require_free(out)
        return False
    try:
        begun = json.loads(file.read_bytes())
        if not isinstance(begun, dict):
            raise ValueError("no object")
    except (OSError, ValueError, RecursionError) as error:
        raise GansmithError(
            f"{file}: expected what was asked for, can't read it ({error}); remove {out}, or give "
            "another --out"
        ) from None
    for key in order:
        if begun.get(key) != order[key]:
            raise GansmithError(
                f"--out {out}: expected the order that it was begun with, {key} {begun.get(key)}, "
                f"found {key} {order[key]}; give the same order, or another --out"
            )
    return True
