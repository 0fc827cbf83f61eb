"""Data sets that are downloaded when first asked for: from where, how large, under what terms."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
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
from gansmith.data.idx import read_idx
from gansmith.data.source import Source
from gansmith.errors import GansmithError

ATTEMPTS = 3
_DIGITS = [str(digit) for digit in range(10)]


@dataclass(frozen=True)
class RemoteFile:
    """A file at its origin: name, hash as pooch writes it ("md5:…"), size in 10⁶ bytes."""

    name: str
    hash: str
    megabytes: float


@dataclass(frozen=True)
class Download:
    """A data set that can be downloaded; ``files`` lists those of each split."""

    name: str
    description: str
    origin: str
    terms: str
    files: dict[str, list[RemoteFile]]
    classes: list[str] = field(default_factory=lambda: _DIGITS)
    folder: str = ""  # as torchvision names it: FOLDER/raw

    @property
    def megabytes(self) -> float:
        """How much there is of all splits together, in 10⁶ bytes."""
        return sum({file.name: file.megabytes for s in self.files.values() for file in s}.values())


def _mnist_like(*hashes: str, sizes: tuple[float, float]) -> dict[str, list[RemoteFile]]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    megabytes = (sizes[0], 0.03, sizes[1], 0.005)
    files = [
        RemoteFile(f"{name}-ubyte.gz", f"md5:{md5}", size)
        for name, md5, size in zip(names, hashes, megabytes, strict=True)
    ]
    return {"train": files[:2], "test": files[2:]}


_CIFAR10 = [RemoteFile("cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530", 170.1)]

_ALL = (
    Download(
        name="mnist",
        description="handwritten digits, 60,000 + 10,000, 28×28 grey",
        origin="https://ossci-datasets.s3.amazonaws.com/mnist/",
        terms="Y. LeCun, C. Cortes and C. Burges; CC BY-SA 3.0",
        files=_mnist_like(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
            sizes=(9.9, 1.6),
        ),
        folder="MNIST",
    ),
    Download(
        name="qmnist",
        description="MNIST made again from its source, with all 60,000 test digits, 28×28 grey",
        origin="https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
        terms="C. Yadav and L. Bottou, 2019; BSD-style licence of facebookresearch/qmnist",
        files={
            "train": [
                RemoteFile(
                    "qmnist-train-images-idx3-ubyte.gz", "md5:ed72d4157d28c017586c42bc6afe6370", 9.7
                ),
                RemoteFile(
                    "qmnist-train-labels-idx2-int.gz", "md5:0058f8dd561b90ffdd0f734c6a30e5e4", 0.5
                ),
            ],
            "test": [
                RemoteFile(
                    "qmnist-test-images-idx3-ubyte.gz", "md5:1394631089c404de565df7b7aeaf9412", 9.7
                ),
                RemoteFile(
                    "qmnist-test-labels-idx2-int.gz", "md5:5b5b05890a5e13444e108efe57b788aa", 0.5
                ),
            ],
        },
        folder="QMNIST",
    ),
    Download(
        name="fashion-mnist",
        description="pieces of clothing, 60,000 + 10,000, 28×28 grey",
        origin="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        terms="Zalando SE, 2017; MIT licence",
        files=_mnist_like(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
            sizes=(26.4, 4.4),
        ),
        classes=[
            *["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"],
            *["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
        ],
        folder="FashionMNIST",
    ),
    Download(
        name="kmnist",
        description="cursive Japanese characters, 60,000 + 10,000, 28×28 grey",
        origin="http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        terms="KMNIST dataset (created by CODH), adapted from the Kuzushiji dataset (created by "
        "NIJL and others), doi:10.20676/00000341; CC BY-SA 4.0",
        files=_mnist_like(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
            sizes=(18.2, 3.0),
        ),
        classes=["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        folder="KMNIST",
    ),
    Download(
        name="cifar10",
        description="photographs of ten kinds of things, 50,000 + 10,000, 32×32 colour",
        origin="https://www.cs.toronto.edu/~kriz/",
        terms="A. Krizhevsky, 2009; no licence is stated, the authors ask to be cited",
        files={"train": _CIFAR10, "test": _CIFAR10},
        classes=cifar.CLASSES,
    ),
)
DOWNLOADS: dict[str, Download] = {entry.name: entry for entry in _ALL}


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
        data_dir: a folder that has the files, gzipped or not, as torchvision leaves them too.
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
    return ArraySource(name, images, labels, entry.classes, files, variant=split)


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
    mirror = mirror or os.environ.get("GANSMITH_MIRROR")
    base = f"{mirror.rstrip('/')}/{entry.name}/" if mirror else entry.origin
    files = entry.files[split]
    if not all((folder / file.name).is_file() for file in files):
        size = sum(file.megabytes for file in files)
        (say or _say)(f"Downloading {entry.name} ({size:.1f} MB) from {base}\n{entry.terms}")
    parts = ("archive",) if len(files) == 1 else ("images", "labels")
    return {part: _fetch(base, file, folder) for part, file in zip(parts, files, strict=True)}


def _fetch(base: str, file: RemoteFile, folder: Path) -> Path:
    """Return the file in the cache, downloaded and verified if it isn't there."""
    pooch.get_logger().setLevel("WARNING")
    part = folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{file.name}.lock"):
            resumed = part.exists()
            try:
                return _retrieve(base, file, part)
            except ValueError:
                if not resumed:
                    raise
                return _retrieve(base, file, part)  # the part was of another file: start anew
    except ValueError:
        raise GansmithError(
            f"{base}{file.name} was truncated or altered on its way: its hash is not "
            f"{file.hash}. What came was removed. Try again later, give another mirror, or files "
            "you have with --data-dir."
        ) from None
    except OSError as error:
        raise GansmithError(
            f"Can't write to {folder} ({error.strerror or error}). Make room there, or name "
            "another folder in the environment variable GANSMITH_CACHE."
        ) from None


def _retrieve(base: str, file: RemoteFile, part: Path) -> Path:
    def download(url: str, output: str, _: Any) -> None:
        _download(url, part)
        part.replace(output)

    path = pooch.retrieve(
        base + file.name, file.hash, fname=file.name, path=part.parent, downloader=download
    )
    return Path(cast(str, path))


def _download(url: str, part: Path) -> None:
    """Bring ``part`` to completion, going on where an earlier attempt ended."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue(url, part)
            return
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if attempt == ATTEMPTS or _is_final(error):
                raise GansmithError(
                    f"Can't download {url} ({_plainly(error)}). What has come so far is kept: try "
                    "again to go on. Or give files you have with --data-dir."
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
