"""Where decoded pictures are kept, and how a source is recognised when it comes again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pooch

from gansmith.data.source import Source
from gansmith.errors import GansmithError

_STALE_AFTER = 24 * 3600.0  # seconds after which an unfinished entry is no one's any more
_JUST_NOW = 2.0  # seconds within which a change may leave no trace in a file's times


def cache_folder(chosen: Path | None = None) -> Path:
    """Return the folder for decoded pictures and downloads: chosen, GANSMITH_CACHE or the usual."""
    if chosen is not None:
        return chosen
    if named := os.environ.get("GANSMITH_CACHE"):
        return Path(named)
    return Path(pooch.os_cache("gansmith"))


def content_hash(source: Source, cache: Path) -> str:
    """Return a SHA-256 (hex) over the names and bytes of the source's files.

    Reading every byte takes long, so the answer is remembered under the files' sizes and times,
    the way git's index does it: looking at those is all that happens the second time.
    """
    files = sorted(source.files().items())
    states = {name: _state(path) for name, path in files}
    memo = cache / "known" / _sha256_of(states)
    with suppress(OSError):
        if len(known := memo.read_text()) == 64:
            return known
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
        hashes = pool.map(lambda entry: _sha256_of_file(entry[1]), files)
    digest = _sha256_of([[name for name, _ in files], list(hashes)])
    # A file that changes again right now may keep its size and times: don't trust them yet.
    newest = max(state[1] for state in states.values()) / 1e9
    if time.time() - newest > _JUST_NOW:
        with temporary(memo) as unfinished:
            unfinished.write_text(digest)
    return digest


@contextmanager
def temporary(final: Path) -> Iterator[Path]:
    """Give a path beside ``final`` to write a file or folder to, and rename it when all is well.

    Several processes may do so at once: the first to finish wins, the others' work is dropped.
    """
    unfinished = final.parent / f"unfinished-{uuid.uuid4().hex}"
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _sweep(final.parent)
        yield unfinished
        try:
            unfinished.replace(final)
        except OSError:
            if not final.is_dir():  # a folder in the way is another process's same result
                raise
    except OSError as error:
        raise GansmithError(
            f"Can't write to the cache {final.parent} ({error.strerror or error}). Make room "
            "there, or name another folder in the environment variable GANSMITH_CACHE."
        ) from None
    finally:
        remove(unfinished)


def remove(path: Path) -> None:
    """Remove a file or folder if it is there and can be removed."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def check_room(folder: Path, needed: int) -> None:
    """Raise ``GansmithError`` unless ``needed`` bytes are free on the disk of ``folder``."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise GansmithError(
            f"The decoded data need {needed / 1e9:.1f} GB in {folder}, but only {free / 1e9:.1f} "
            "GB are free. Make room, choose a smaller size, or name a folder on another disk in "
            "the environment variable GANSMITH_CACHE."
        )


def _sweep(folder: Path) -> None:
    """Remove what a killed process left unfinished long ago."""
    for path in folder.glob("unfinished-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_AFTER:
                remove(path)


def _state(path: Path) -> tuple[int, int, int, int, str]:
    try:
        # ctime too, since copying tools set mtime back; the path, since copies share the rest.
        state = path.stat()
    except OSError as error:
        raise GansmithError(f"Can't read {path} ({error.strerror or error}).") from None
    newest = max(state.st_mtime_ns, state.st_ctime_ns)
    return state.st_size, newest, state.st_mtime_ns, state.st_ino, str(path.resolve())


def _sha256_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _sha256_of_file(path: Path) -> str:
    try:
        if not path.is_file():  # a pipe, say, would be waited on for ever
            return "unreadable"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"  # such a picture is skipped when its turn comes
