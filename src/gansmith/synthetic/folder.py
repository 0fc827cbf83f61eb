"""A folder that appears under its name only once it is whole, with a manifest of what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from gansmith.errors import GansmithError
from gansmith.run import clear_errors
from gansmith.samples import AGAIN

MANIFEST = "manifest.json"


class Folder:
    """Writes files below `path` and enters each into the manifest as soon as it is complete.

    The manifest is written as it grows: a list of a million pictures never lies in memory.
    """

    def __init__(self, path: Path, manifest: IO[str]):
        self.path, self.count, self.bytes = path, 0, 0
        self._manifest = manifest

    def write(self, name: str, content: bytes) -> None:
        """One file; `name` with "/" between folders."""
        with self._new(name) as path, path.open("wb") as file:
            file.write(content)
        self.enter(name, len(content), hashlib.sha256(content).hexdigest())

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """One large file, written in pieces."""
        with self._new(name) as path:
            with path.open("wb") as file:
                yield file
            size, sha256 = path.stat().st_size, sha256_of(path)
        self.enter(name, size, sha256)

    @contextmanager
    def _new(self, name: str) -> Iterator[Path]:
        """Where a file is written."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path

    def enter(self, name: str, size: int, sha256: str) -> None:
        """Into the manifest."""
        entry = json.dumps({"bytes": size, "sha256": sha256})
        self._manifest.write(f"{',' * (self.count > 0)}\n  {json.dumps(name)}: {entry}")
        self.count += 1
        self.bytes += size


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def new_folder(out: Path, head: Mapping[str, Any]) -> Iterator[Folder]:
    """Fill a temporary folder beside `out`, and rename it when all is well.

    Where anything goes wrong, nothing stays. `head` is what the manifest says besides the files.
    """
    require_free(out)
    with clear_errors(out, AGAIN), only_writer(out) as unfinished:
        require_free(out)
        shutil.rmtree(unfinished, ignore_errors=True)  # of one that was killed
        try:
            unfinished.mkdir()
            with manifest_in(unfinished, head) as manifest:
                yield Folder(unfinished, manifest)
            keep(unfinished, out)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def require_free(out: Path) -> None:
    """Raise a GansmithError where `out` holds something, or can't be made anew."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise GansmithError(
            f"--out {out}: expected a new or empty folder, found one that holds something; give "
            "another name, or remove it first"
        )
    if out.is_mount() or out.resolve() == Path.cwd():
        raise GansmithError(
            f"--out {out}: expected a folder that can be made, found one in use; give a new name "
            "inside it"
        )


@contextmanager
def only_writer(out: Path) -> Iterator[Path]:
    """Hold the temporary folder's name, so that two commands do not fill the same one."""
    parent = out.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(parent / f".tmp-{out.resolve().name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise GansmithError(
            f"--out {out}: another process is writing it; wait for that one or give another name"
        ) from None
    try:
        yield parent / f".tmp-{out.resolve().name}"
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


@contextmanager
def manifest_in(folder: Path, head: Mapping[str, Any]) -> Iterator[IO[str]]:
    """manifest.json: `head`, and as its last entry "files", which the caller fills."""
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(dict(head), indent=1).removesuffix("\n}") + ',\n "files": {')
        yield file
        file.write("\n }\n}\n")


def settle() -> None:
    """Have all that was written be on disk: a name must not outlive what it names."""
    if hasattr(os, "sync"):
        os.sync()


def keep(unfinished: Path, out: Path) -> None:
    """Give a complete folder its name."""
    settle()
    if out.is_dir():
        out.resolve().rmdir()  # empty, or it would have been refused
    unfinished.rename(out.resolve())
