"""Data from what people have: open it by name or path, look at it, prepare it for training."""

from __future__ import annotations

import difflib
import os
import tarfile
import zipfile
from pathlib import Path

from gansmith.data import words as in_words
from gansmith.data.archive import TarSource, ZipSource
from gansmith.data.arrays import ArraySource, open_digits, open_idx, open_npy, open_npz
from gansmith.data.cache import cache_folder
from gansmith.data.catalogue import DOWNLOADS, Download
from gansmith.data.deck import Turn
from gansmith.data.downloads import open_download
from gansmith.data.folder import FolderSource
from gansmith.data.huggingface import HuggingFaceSource
from gansmith.data.idx import is_idx
from gansmith.data.inspection import Inspection, inspect_source
from gansmith.data.order import nested, order
from gansmith.data.parquet import ParquetSource
from gansmith.data.pictures import SUFFIXES
from gansmith.data.prepare import Dataset, prepare
from gansmith.data.record import Written
from gansmith.data.shards import ShardSource, full, is_shards
from gansmith.data.source import Item, Skipped, Source
from gansmith.data.survey import Survey, survey
from gansmith.data.toy import TOYS, open_toy
from gansmith.data.words import RENDERED, Unlabelled, open_words
from gansmith.data.words.inspection import WordInspection, inspect_words
from gansmith.data.words.strip import Strip
from gansmith.errors import GansmithError

__all__ = [
    "DOWNLOADS",
    "RENDERED",
    "TOYS",
    "ArraySource",
    "Dataset",
    "Download",
    "Inspection",
    "Item",
    "ShardSource",
    "Skipped",
    "Source",
    "Strip",
    "Survey",
    "Turn",
    "WordInspection",
    "Written",
    "cache_folder",
    "find_written",
    "inspect_source",
    "inspect_words",
    "is_name",
    "nested",
    "open_source",
    "open_unlabelled",
    "order",
    "place",
    "prepare",
    "survey",
]

_HUB = "hf:"
_KINDS = (
    "a folder of pictures, a zip or tar of one, .npz, .npy, an IDX file, a Parquet file, "
    "hf:owner/name, or shards:FOLDER of many tars or Parquet files"
)


def open_source(
    spec: str | os.PathLike[str],
    *,
    data_dir: Path | None = None,
    mirror: str | None = None,
    words: bool = False,
) -> Source:
    """Open data by name or path.

    Args:
        spec: ``digits``; ``words`` and ``digit-strings``, rendered; a toy (``parabola``, ``ring``,
            ``grid25``); what can be downloaded
            (``mnist`` and others, ``mnist:test`` for the other split); ``hf:owner/name[:split]``;
            ``shards:`` and a folder or pattern of many files, or an address (``s3://…``) of such;
            or the path of a folder, archive, array, IDX or Parquet file. A path that exists wins
            only if it is written as one (``./mnist``).
        data_dir: where the files of a named data set lie already; nothing is downloaded then.
        mirror: an address to download from instead of the origin; GANSMITH_MIRROR if None.
        words: whether pictures of words with what they say are wanted.

    Raises:
        GansmithError: there is no such data, or it can't be read.
    """
    text = os.fspath(spec)
    name, _, split = text.partition(":")
    if name in DOWNLOADS:
        return open_download(name, split or "train", data_dir=data_dir, mirror=mirror)
    if data_dir is not None:
        raise GansmithError(
            f"Expected one of {', '.join(DOWNLOADS)} together with a data folder, but got {text!r}."
            " To use data of your own, give its path alone."
        )
    if is_shards(text):
        if words:
            raise GansmithError(
                f"Expected pictures in {text}: words can't be read from shards yet."
            )
        return ShardSource(text)
    if words or text in RENDERED:
        return open_words(text)
    if text == "digits":
        return open_digits()
    if text in TOYS:
        return open_toy(text)
    if text.startswith(_HUB):
        return HuggingFaceSource(text.removeprefix(_HUB))
    if not text.strip():  # which as a path would be the current folder
        raise GansmithError(_not_found(text))
    return _open_path(Path(text).expanduser())


def open_unlabelled(spec: str) -> Source:
    """Pictures of words, whatever they say: cut out of pages where ALTO or PAGE XML lies beside them,
    else all pictures that a name or path stands for.

    Raises GansmithError where there is no such data, or it can't be read.
    """
    source = (None if is_name(spec) else in_words.find_boxes(spec)) or open_source(spec)
    if source.kind == "points":
        raise GansmithError(f"Expected pictures of words, but {spec} is points.")
    return Unlabelled(source)


def find_written(spec: str) -> Source | None:
    """The words that a name or path holds, if its pictures look like what their texts say.

    None of a name that stands for something else, whatever lies under it in the current folder.
    """
    named = is_name(spec) and spec not in RENDERED and not spec.startswith(_HUB)
    return None if named or is_shards(spec) else in_words.find_written(spec)


def is_name(spec: str) -> bool:
    """Whether ``open_source`` takes it for a name, whatever lies under it in the current folder."""
    known = spec.partition(":")[0] in DOWNLOADS or spec in ("digits", *RENDERED, *TOYS)
    return known or spec.startswith(_HUB)


def place(spec: str) -> str:
    """A path in full, so that a run goes on from any folder; a name as it is."""
    if is_shards(spec):
        return full(spec)
    if is_name(spec) or not spec.strip() or not Path(spec).exists():
        return spec
    return str(Path(spec).absolute())


def _open_path(path: Path) -> Source:
    if path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise GansmithError(_not_found(str(path)))
    try:
        return _open_file(path)
    except OSError as error:
        raise GansmithError(f"Can't read {path} ({error.strerror or error}).") from None


def _open_file(path: Path) -> Source:
    """Tell the kind of a file by how it starts, which names often get wrong."""
    with path.open("rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        return open_npy(path)
    if start[:4] == b"PAR1":
        return ParquetSource(path)
    if is_idx(path):
        return open_idx(path)
    if path.suffix.lower() == ".npz":
        return open_npz(path)
    if zipfile.is_zipfile(path):
        return ZipSource(path)
    if ".tar" in path.name.lower() or path.suffix.lower() == ".tgz" or _is_tar(path):
        return TarSource(path)
    raise GansmithError(_not_understood(path))


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except Exception:  # what starts like a compressed file but isn't a whole one
        return False


def _not_understood(path: Path) -> str:
    if path.suffix.lower() in SUFFIXES:
        return f"Expected many pictures, but {path} is a single one. Give the folder it lies in."
    return f"Expected {_KINDS}, but {path} is none of these (or damaged)."


def _not_found(text: str) -> str:
    names = ["digits", *RENDERED, *TOYS, *DOWNLOADS]
    message = f"There is no data set, file or folder called {text!r}."
    if close := difflib.get_close_matches(text.partition(":")[0].lower(), names, n=2, cutoff=0.5):
        message += f" Did you mean {' or '.join(close)}?"
    return f"{message} Expected one of {', '.join(names)}; or {_KINDS}."
