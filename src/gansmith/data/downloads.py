"""Fetching the data sets of the catalogue: verified, resumable, from the origin or a mirror."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pooch
import requests
import urllib3
from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from gansmith.data import cifar
from gansmith.data.arrays import ArraySource, first_column
from gansmith.data.cache import cache_folder
from gansmith.data.catalogue import DOWNLOADS, Download, RemoteFile
from gansmith.data.idx import read_idx
from gansmith.data.source import Source
from gansmith.errors import GansmithError

ATTEMPTS = 3
DATA_DIR = "give files you have with --data-dir"


def open_download(
    name: str,
    split: str = "train",
    *,
    data_dir: Path | None = None,
    mirror: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Source:
    """Open one of ``DOWNLOADS``, from files that are there or else by downloading them.

    Args:
        name: a key of ``DOWNLOADS``.
        split: "train" or "test".
        data_dir: a folder that has the files, gzipped or not, or as PyTorch's loaders leave them.
        mirror: takes the place of the origin; files are asked for as MIRROR/NAME/FILE.
        say: told the terms before a download; standard error if None.

    Raises:
        GansmithError: no such split, files missing, damaged or not to be had.
    """
    entry = DOWNLOADS[name]
    if split not in entry.files:
        raise GansmithError(f"Expected {name}:train or {name}:test, but got {name}:{split}.")
    found = _find(entry, split, Path(data_dir)) if data_dir else None
    files = found or _fetch_all(entry, split, mirror, say)
    if name == "cifar10":
        images, labels = cifar.read_cifar10(files, split)
    else:
        images, labels = read_idx(files["images"]), first_column(read_idx(files["labels"]))
    called = name if split == "train" else f"{name}:{split}"
    return ArraySource(called, images, labels, entry.classes, files, variant=split)


def _find(entry: Download, split: str, folder: Path) -> dict[str, Path]:
    roots = [folder / entry.folder / "raw", folder / "raw", folder / entry.name, folder]
    for root in roots:
        if entry.name == "cifar10":
            found = cifar.find_cifar10(root, split)
        else:
            found = _find_idx([file.name for file in entry.files[split]], root)
        if found:
            return found
    wanted = " and ".join(file.name for file in entry.files[split])
    raise GansmithError(
        f"Expected {wanted} (unpacked will do) in {folder}, but "
        f"{'it lacks them' if folder.is_dir() else 'there is no such folder'}."
    )


def _find_idx(names: list[str], root: Path) -> dict[str, Path] | None:
    found = {}
    for part, name in zip(("images", "labels"), names, strict=True):
        # Unpacked copies are also found with a dot, as MNIST's own page names them.
        plain = name.removesuffix(".gz")
        choices = (root / name, root / plain, root / plain.replace("-idx", ".idx"))
        path = next((choice for choice in choices if choice.is_file()), None)
        if path is None:
            return None
        found[part] = path
    return found


def _fetch_all(
    entry: Download, split: str, mirror: str | None, say: Callable[[str], None] | None
) -> dict[str, Path]:
    folder = cache_folder() / "downloads" / entry.name
    base = place_of(entry.name, entry.origin, mirror)
    files = entry.files[split]
    if not all((folder / file.name).is_file() for file in files):
        size = sum(file.megabytes for file in files)
        announce(entry.name, size, base, entry.terms, say)
    parts = ("archive",) if len(files) == 1 else ("images", "labels")
    return {part: fetch(base, file, folder) for part, file in zip(parts, files, strict=True)}


def place_of(name: str, origin: str, mirror: str | None = None) -> str:
    """Where files come from, ending in "/": MIRROR/NAME/ if there is a mirror, else the origin."""
    mirror = mirror or os.environ.get("GANSMITH_MIRROR")
    return f"{mirror.rstrip('/')}/{name}/" if mirror else origin


def announce(
    name: str, megabytes: float, base: str, terms: str, say: Callable[[str], None] | None = None
) -> None:
    """Say what is about to be downloaded and on what terms; on standard error if ``say`` is None."""
    (say or _say)(f"Downloading {name} ({megabytes:.1f} MB) from {base}\n{terms}")


def fetch(base: str, file: RemoteFile, folder: Path, *, otherwise: str = DATA_DIR) -> Path:
    """Return the file in a folder of the cache, downloaded and verified if it isn't there.

    Args:
        base: the address up to the file's name.
        file: its name and hash.
        folder: where it is kept; a download that breaks off is gone on with.
        otherwise: what else a person can do, to end the advice in an error with ("or …").

    Raises:
        GansmithError: the file is not to be had, is another, or can't be written.
    """
    pooch.get_logger().setLevel("WARNING")
    part = folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{file.name}.lock"):
            resumed = part.exists()
            try:
                return _retrieve(base, file, part, otherwise)
            except ValueError:
                if not resumed:
                    raise
                # the part was of another file: start anew
                return _retrieve(base, file, part, otherwise)
    except ValueError:
        raise GansmithError(
            f"{base}{file.name} was truncated or altered on its way: its hash is not "
            f"{file.hash}. What came was removed. Try again later, give another mirror, or "
            f"{otherwise}."
        ) from None
    except OSError as error:
        raise GansmithError(
            f"Can't write to {folder} ({error.strerror or error}). Make room there, or name "
            "another folder in the environment variable GANSMITH_CACHE."
        ) from None


def _retrieve(base: str, file: RemoteFile, part: Path, otherwise: str) -> Path:
    def download(url: str, output: str, _: Any) -> None:
        _download(url, part, otherwise)
        part.replace(output)

    path = pooch.retrieve(
        base + file.name, file.hash, fname=file.name, path=part.parent, downloader=download
    )
    return Path(cast(str, path))


def _download(url: str, part: Path, otherwise: str) -> None:
    """Bring ``part`` to completion, going on where an earlier attempt ended."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue(url, part)
            return
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if attempt == ATTEMPTS or _is_final(error):
                raise GansmithError(
                    f"Can't download {url} ({_plainly(error)}). What has come so far is kept: try "
                    f"again to go on, or {otherwise}."
                ) from None
            time.sleep(0.5 * attempt)


def _continue(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    with requests.get(url, headers=headers if have else None, stream=True, timeout=30) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()  # longer than the file itself, so not a part of it
        response.raise_for_status()
        have = have if response.status_code == requests.codes.partial_content else 0
        total = have + int(response.headers.get("Content-Length", 0))
        with part.open("ab" if have else "wb") as file, _bar() as bar:
            task = bar.add_task(part.stem, total=total or None, completed=have)
            for piece in response.raw.stream(2**16, decode_content=False):
                file.write(piece)
                bar.advance(task, len(piece))


def _is_final(error: Exception) -> bool:
    """Whether the server has answered that it will not give the file, so asking again is idle."""
    response = getattr(error, "response", None)
    return response is not None and response.status_code in (401, 403, 404, 410)


def _plainly(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    return "the connection broke off"


def _bar() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(
        *columns,
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)
