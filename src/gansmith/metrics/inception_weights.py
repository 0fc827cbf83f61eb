"""Inception's weights: fetched once, verified, converted in another process, verified at each use.

    CACHE/downloads/inception/pt_inception-….pth    as published; a file put there by hand will do
    CACHE/inception/SOURCE-HASH.safetensors         converted; named by what it was converted from
                                                    (16 digits) and by its own SHA-256

Nothing that could execute a stranger's instructions is opened in this process: the published file
is only hashed here, and `convert_weights` opens it in its own.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import load as load_tensors

from gansmith.data.cache import cache_folder, remove
from gansmith.data.catalogue import RemoteFile
from gansmith.data.downloads import announce, fetch, place_of
from gansmith.errors import GansmithError
from gansmith.metrics.features import FeatureSpace
from gansmith.metrics.inception import RESIZE, InceptionV3

ORIGIN = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
PUBLISHED = RemoteFile(
    "pt_inception-2015-12-05-6726825d.pth",
    "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    95.6,
)
TERMS = "Google's weights of 2015-12-05, as pytorch-fid distributes them; Apache 2.0"
VARIABLE = "GANSMITH_INCEPTION"
_BATCH = 50  # pictures: at 299×299, the first layers take about 20 MB each
_LONGEST = 600  # seconds a conversion may take; it takes a few


def inception_space(
    cache_dir: Path | None = None,
    progress: Callable[[str], None] | None = None,
    *,
    published: RemoteFile = PUBLISHED,
) -> FeatureSpace:
    """The space that FID is measured in; its weights are downloaded when first asked for.

    From the environment: GANSMITH_INCEPTION names a copy of the published file that is here
    already, GANSMITH_MIRROR takes the place of the origin (MIRROR/inception/FILE).

    Args:
        cache_dir: where downloads are kept; GANSMITH_CACHE or the usual folder if None.
        progress: told the terms before a download; standard error if None.
        published: the file's name and hash.

    Raises:
        GansmithError: the weights are not to be had, or are not the published ones.
    """
    cache = cache_folder(cache_dir)
    source = _named(published)
    content, digest = _converted(cache, published, source, progress)
    with torch.device("meta"):  # no weights are drawn only to be replaced
        network = InceptionV3()
    network.load_state_dict(load_tensors(content), assign=True)
    network.eval().requires_grad_(False)
    return FeatureSpace("inception", digest[:16], RESIZE, network, _BATCH)


def _named(published: RemoteFile) -> Path | None:
    """The file that GANSMITH_INCEPTION names, if it does, verified."""
    if not (name := os.environ.get(VARIABLE)):
        return None
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise GansmithError(
            f"Can't read {path}, which {VARIABLE} names ({error.strerror or error}): "
            f"let it name a copy of {ORIGIN}{published.name}."
        ) from None
    if found != _sha256(published):
        raise GansmithError(
            f"{VARIABLE}: expected a copy of {ORIGIN}{published.name}, whose SHA-256 begins with "
            f"{_sha256(published)[:16]}, but that of {path} begins with {found[:16]}: fetch the "
            "file anew."
        )
    return path


def _converted(
    cache: Path,
    published: RemoteFile,
    source: Path | None,
    progress: Callable[[str], None] | None,
) -> tuple[bytes, str]:
    """The converted weights, verified, and their SHA-256."""
    folder = cache / "inception"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "convert.lock"):
            found = _read(folder, published)
            if found is None:
                _convert(source or _fetch(cache, published, progress), folder, published)
                found = _read(folder, published)
    except OSError as error:
        raise GansmithError(
            f"Can't write to {folder} ({error.strerror or error}). Make room there, or name "
            "another folder in the environment variable GANSMITH_CACHE."
        ) from None
    if found is None:
        raise GansmithError(
            f"What was written to {folder} was altered at once: look after that disk, or name "
            "another folder in the environment variable GANSMITH_CACHE."
        )
    return found


def _read(folder: Path, published: RemoteFile) -> tuple[bytes, str] | None:
    """What was converted from the published file before; a copy that was altered is removed."""
    for path in sorted(folder.glob(f"{_sha256(published)[:16]}-*.safetensors")):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if path.stem.endswith(digest):
            return content, digest
        remove(path)
    return None


def _fetch(cache: Path, published: RemoteFile, progress: Callable[[str], None] | None) -> Path:
    """The published file, downloaded and verified if it isn't in the cache."""
    folder = cache / "downloads" / "inception"
    base = place_of("inception", ORIGIN)
    there = (folder / published.name).is_file()
    if not there:
        announce("Inception-v3", published.megabytes, base, TERMS, progress)
    otherwise = (
        f"fetch {ORIGIN}{published.name} where there is a network and put it into {folder}"
        f"{' (the file there has another hash)' if there else ''}, or name your copy in the "
        f"environment variable {VARIABLE}"
    )
    return fetch(base, published, folder, otherwise=otherwise)


def _convert(source: Path, folder: Path, published: RemoteFile) -> None:
    target = folder / "converted.safetensors"
    # -P: what lies in the current folder is not to be taken for a module
    command = [sys.executable, "-P", "-m", "gansmith.metrics.convert_weights"]
    try:
        done = subprocess.run(
            [*command, str(source), str(target)], capture_output=True, text=True, timeout=_LONGEST
        )
        failure = (done.stderr.strip().splitlines() or ["it died"])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        failure = f"it took more than {_LONGEST} seconds"
    if failure:
        raise GansmithError(
            f"Can't convert Inception's weights: {failure}. Remove {source} and fetch "
            f"{ORIGIN}{published.name} anew."
        )
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    target.replace(folder / f"{_sha256(published)[:16]}-{digest}.safetensors")


def _sha256(published: RemoteFile) -> str:
    return published.hash.removeprefix("sha256:")
