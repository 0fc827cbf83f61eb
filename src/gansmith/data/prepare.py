"""From a source to a data set ready for training: decoded once, kept, and found again."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import torch

from gansmith.data import cache, pictures
from gansmith.data.parallel import map_items
from gansmith.data.pictures import Shape
from gansmith.data.source import Array, Item, Kind, Skipped, Source
from gansmith.data.survey import survey
from gansmith.errors import GansmithError

# Raise it whenever the same file would be decoded to other pixels than before.
DECODER_VERSION = 2

Channels = Literal["auto", "grey", "colour", "alpha"]
_CHANNELS = {"grey": 1, "colour": 3, "alpha": 4}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Dataset:
    """Data ready for training.

    Attributes:
        name: what the source is called.
        kind: "pictures" or "points".
        values: uint8 N×C×H×W, or float32 N×D for points as they are (nothing standardised). May be
            mapped from disk: read it by pieces.
        labels: int64 N, indices into ``classes``; None where there are none.
        classes: the name of each class; None where there are no labels.
        skipped: what could not be used, and why.
        digest: SHA-256 (hex) of the content and of how it was decoded: the same digest, the same
            values.
    """

    name: str
    kind: Kind
    values: torch.Tensor
    labels: torch.Tensor | None
    classes: list[str] | None
    skipped: list[Skipped]
    digest: str

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class _Record:
    """What lies beside the values in the cache."""

    shape: list[int]
    sha256: str  # of the values
    labels: list[int] | None
    skipped: list[tuple[str, str]]


def prepare(
    source: Source,
    *,
    height: int | None,
    width: int | None,
    fit: Literal["crop", "pad"] = "crop",
    channels: Channels = "auto",
    background: str = "white",
    max_skipped: float = 0.05,
    memory_gb: float = 4.0,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Decode a source, or find it decoded already.

    Every picture is decoded once, into a file in the cache. That file is then read into memory if
    it takes at most ``memory_gb``, and mapped from disk otherwise, so that a data set larger than
    memory streams without being decoded again each epoch.

    Args:
        source: what to read.
        height, width: pixels; one alone means a square; none means the size all pictures share.
        fit: what to do with another aspect: crop the centre, or pad with ``background``.
        channels: "auto" decides between grey and colour by looking at the data; "alpha" is colour
            with its transparency, straight, pictures that have none being opaque.
        background: the colour transparent pictures are flattened on, by name or as #rrggbb; with
            "alpha", the colour that fully transparent pixels are given.
        max_skipped: the share of unreadable pictures above which to stop.
        memory_gb: the most memory (10⁹ bytes) the values may take.
        cache_dir: where to keep them; GANSMITH_CACHE or the user's cache folder if None.
        progress: called with (done, total) now and then.

    Raises:
        GansmithError: nothing readable, too much skipped, no common size, no room.
    """
    if source.kind == "points":
        return _prepare_points(source)
    shape = _choose_shape(source, height, width, fit, channels, background)
    decode_to = partial(_decode, source, shape, progress)
    if not source.files():
        return _prepare_in_memory(source, decode_to, max_skipped)
    folder = cache.cache_folder(cache_dir)
    digest = _digest(source, shape, folder)
    entry = folder / "decoded" / digest[:32]
    record = _load_record(entry)
    if record is None:
        cache.remove(entry)
        per_picture = shape.channels * shape.height * shape.width
        cache.check_room(entry.parent, len(source) * per_picture)
        record = _fill(entry, decode_to)
    _check_skipped(record, max_skipped)
    values = _load_values(entry, record, memory_gb)
    if values is None:  # altered or cut short since it was written
        cache.remove(entry)
        record = _fill(entry, decode_to)
        values = _load_values(entry, record, float("inf"))
    if values is None:
        raise GansmithError(f"The disk does not keep what is written to {entry}.")
    return _dataset(source, values, record, digest)


def _choose_shape(
    source: Source,
    height: int | None,
    width: int | None,
    fit: Literal["crop", "pad"],
    channels: Channels,
    background: str,
) -> Shape:
    pictures.check_background(background)
    height, width = height or width, width or height
    if channels == "auto" or height is None or width is None:
        seen = survey(source)
        channels = channels if channels != "auto" else "colour" if seen.colour else "grey"
        if height is None or width is None:
            if not seen.same_size:
                raise GansmithError(
                    f"The pictures of {source.name} have different sizes (typically {seen.height} "
                    f"high and {seen.width} wide). Give the height and width to bring them to."
                )
            height, width = seen.height, seen.width
    if height is None or width is None or min(height, width) < 1 or fit not in ("crop", "pad"):
        raise GansmithError(
            "Expected a height and width of at least 1 and fit 'crop' or 'pad', but got "
            f"{height}×{width} and {fit!r}."
        )
    return Shape(height, width, _CHANNELS[channels], fit, background)


def _decode(source: Source, shape: Shape, progress: Progress | None, file: IO[bytes]) -> _Record:
    """Write all pictures to ``file``, one uint8 C×H×W after the other."""
    total = len(source)
    hasher = hashlib.sha256()
    labels: list[int | None] = []
    skipped: list[tuple[str, str]] = []
    for done, result in enumerate(map_items(partial(_decode_item, shape), source), start=1):
        if isinstance(result, Skipped):
            skipped.append((result.name, result.reason))
        elif isinstance(result[1], str):
            skipped.append((result[0].name, result[1]))
        else:
            content = result[1].tobytes()
            hasher.update(content)
            file.write(content)
            labels.append(result[0].label)
        if progress and (done % 256 == 0 or done == total):
            progress(done, total)
    if not labels:
        raise GansmithError(f"None of the pictures can be used: {_describe(skipped)}.")
    return _Record(
        shape=[len(labels), shape.channels, shape.height, shape.width],
        sha256=hasher.hexdigest(),
        labels=None if source.classes is None else [label or 0 for label in labels],
        skipped=skipped,
    )


def _decode_item(shape: Shape, item: Item) -> Array | str:
    """Return the pixels, or the reason why there are none."""
    try:
        return pictures.decode(item.content, shape)
    except Exception as error:  # strangers' files make decoders raise anything
        return pictures.reason_for(error)


def _check_skipped(record: _Record, max_skipped: float) -> None:
    # Only now, with everything decoded and kept: whoever then allows it waits no second time.
    skipped, total = len(record.skipped), len(record.skipped) + record.shape[0]
    if skipped > max_skipped * total:
        allowing = math.ceil(100 * skipped / total) / 100
        raise GansmithError(
            f"Expected at most {max_skipped:.0%} of the pictures to be unreadable, but "
            f"{skipped:,} of {total:,} are: {_describe(record.skipped)}. Mend or remove them, or "
            f"allow it with --set data.max_skipped={allowing:.2f}."
        )


def _describe(skipped: list[tuple[str, str]]) -> str:
    examples = [f"{name} ({reason})" for name, reason in skipped[:3]]
    return "; ".join(examples) + "; …" * (len(skipped) > 3)


def _prepare_points(source: Source) -> Dataset:
    items = [item for item in source if isinstance(item, Item)]
    if not items:
        raise GansmithError(f"Expected points in {source.name}, but it holds none.")
    values = np.stack([np.asarray(item.content, dtype=np.float32) for item in items])
    labels = None if source.classes is None else [item.label or 0 for item in items]
    sha256 = hashlib.sha256(values.tobytes()).hexdigest()
    return _dataset(source, values, _Record(list(values.shape), sha256, labels, []), sha256)


def _prepare_in_memory(
    source: Source, decode_to: Callable[[IO[bytes]], _Record], max_skipped: float
) -> Dataset:
    file = io.BytesIO()
    record = decode_to(file)
    _check_skipped(record, max_skipped)
    values = np.frombuffer(file.getbuffer(), dtype=np.uint8).reshape(record.shape)
    return _dataset(source, values, record, record.sha256)


def _digest(source: Source, shape: Shape, folder: Path) -> str:
    content = cache.content_hash(source, folder)
    identity = [DECODER_VERSION, content, source.variant, source.classes, asdict(shape)]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _fill(entry: Path, decode_to: Callable[[IO[bytes]], _Record]) -> _Record:
    with cache.temporary(entry) as unfinished:
        unfinished.mkdir()
        with (unfinished / "values").open("wb") as file:
            record = decode_to(file)
        (unfinished / "record.json").write_text(json.dumps(asdict(record)))
    return record


def _load_record(entry: Path) -> _Record | None:
    try:
        content: dict[str, Any] = json.loads((entry / "record.json").read_text())
        record = _Record(**content | {"skipped": [(n, r) for n, r in content["skipped"]]})
        whole = (entry / "values").stat().st_size == int(np.prod(record.shape))
    except (OSError, ValueError, TypeError, KeyError):
        return None  # not there, or damaged: decode again
    return record if whole else None


def _load_values(entry: Path, record: _Record, memory_gb: float) -> Array | None:
    """Read the values, or map them if they are too large; None if they are damaged."""
    size = int(np.prod(record.shape))
    try:
        if size > memory_gb * 1e9:
            # Copy on write: nobody writes, but torch wants memory that could be written to.
            return np.memmap(entry / "values", np.uint8, mode="c", shape=tuple(record.shape))
        values = np.fromfile(entry / "values", dtype=np.uint8)
    except (OSError, ValueError):
        return None
    if hashlib.sha256(values.data).hexdigest() != record.sha256:
        return None
    return values.reshape(record.shape)


def _dataset(source: Source, values: Array, record: _Record, digest: str) -> Dataset:
    return Dataset(
        name=source.name,
        kind=source.kind,
        values=torch.from_numpy(values),
        labels=None if record.labels is None else torch.tensor(record.labels, dtype=torch.int64),
        classes=source.classes,
        skipped=[Skipped(name, reason) for name, reason in record.skipped],
        digest=digest,
    )
