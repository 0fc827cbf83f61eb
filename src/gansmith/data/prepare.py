"""From a source to a data set ready for training: decoded once, kept, and found again."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Literal

import numpy as np
import torch

from gansmith.data import cache
from gansmith.data.decoding import (
    DECODER_VERSION,
    Channels,
    Progress,
    choose_shape,
    decode_pictures,
    decoded,
)
from gansmith.data.pictures import Shape
from gansmith.data.record import Record, Written, check_skipped
from gansmith.data.sharded import Shards
from gansmith.data.shards import ShardSource
from gansmith.data.source import Array, Item, Kind, Skipped, Source
from gansmith.data.words.decode import Line, decode_words
from gansmith.data.words.lexicon import Lexicon
from gansmith.data.words.strip import Strip
from gansmith.errors import GansmithError
from gansmith.measures import LINE_HEIGHT


@dataclass(frozen=True)
class Dataset:
    """Data ready for training.

    Attributes:
        name: what the source is called.
        kind: "pictures", "points" or "words".
        values: uint8 N×C×H×W, or float32 N×D for points as they are (nothing standardised). Of
            words the columns, one word's after the other's: see ``strip``. May be mapped from disk:
            read it by pieces.
        labels: int64 N, indices into ``classes``; None where there are none.
        classes: the name of each class; None where there are no labels.
        skipped: what could not be used, and why.
        digest: SHA-256 (hex) of the content and of how it was decoded: the same digest, the same
            values.
        written: what pictures of words say, whose hands they are and how wide; None for others.
        unlabelled: of words, others of the same height of which nobody knows what they say.
        lexicon: of words, texts to be written besides.
        shards: of data in more files than can be here at once, all of it. The values are then some
            examples, evenly spread, that stand for the rest.
        places: int64 N×2, in which shard and which row of it each of those lies.
    """

    name: str
    kind: Kind
    values: torch.Tensor
    labels: torch.Tensor | None
    classes: list[str] | None
    skipped: list[Skipped]
    digest: str
    written: Written | None = None
    unlabelled: Dataset | None = None
    lexicon: Lexicon | None = None
    shards: Shards | None = None
    places: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.written.texts) if self.written else len(self.values)

    @property
    def epoch(self) -> int:
        """How many examples a pass over all of it is; of shards about so many."""
        return self.shards.count if self.shards else len(self) + len(self.beside)

    @property
    def strip(self) -> Strip:
        """The words, to be taken from by their numbers."""
        if self.written is None:
            raise ValueError(f"expected words, but {self.name} holds {self.kind}")
        return Strip(self.values, torch.tensor(self.written.widths, device=self.values.device))

    @property
    def beside(self) -> torch.Tensor:
        """Which of the unlabelled words are of use, int64: those no wider than the widest other."""
        if self.unlabelled is None:
            return torch.arange(0)
        return torch.nonzero(self.unlabelled.strip.widths <= self.strip.widths.max())[:, 0]


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
    disk_gb: float = 20.0,
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
            Words are as wide as they are at that height (32 if None).
        fit: what to do with another aspect: crop the centre, or pad with ``background``.
        channels: "auto" decides between grey and colour by looking at the data; "alpha" is colour
            with its transparency, straight, pictures that have none being opaque.
        background: the colour transparent pictures are flattened on, by name or as #rrggbb; with
            "alpha", the colour that fully transparent pixels are given.
        max_skipped: the share of unreadable pictures above which to stop.
        memory_gb: the most memory (10⁹ bytes) the values may take.
        disk_gb: the most room for what is kept of shards; see ``sharded.Shards``.
        cache_dir: where to keep them; GANSMITH_CACHE or the user's cache folder if None.
        progress: called with (done, total) now and then.

    Raises:
        GansmithError: nothing readable, too much skipped, no common size, no room.
    """
    if source.kind == "points":
        return _prepare_points(source)
    if source.kind == "words":
        line = Line(height or LINE_HEIGHT)
        return _decoded_once(
            source,
            line,
            partial(decode_words, source, line, progress),
            max_skipped,
            memory_gb,
            cache_dir,
        )
    shape = choose_shape(source, height, width, fit, channels, background)
    if isinstance(source, ShardSource):
        return _anchored(source, Shards(source, shape, max_skipped, disk_gb), progress)
    decode_to = partial(decode_pictures, source, shape, progress)
    return _decoded_once(source, shape, decode_to, max_skipped, memory_gb, cache_dir)


def _anchored(source: ShardSource, shards: Shards, progress: Progress | None) -> Dataset:
    """Some of the shards' examples, and with them all."""
    values, labels, places = shards.anchor(progress)
    return Dataset(
        name=source.name,
        kind=source.kind,
        values=values,
        labels=labels,
        classes=source.classes,
        skipped=list(shards.skipped),
        digest=shards.digest,
        shards=shards,
        places=places,
    )


def _decoded_once(
    source: Source,
    form: Shape | Line,
    decode_to: Callable[[IO[bytes]], Record],
    max_skipped: float,
    memory_gb: float,
    cache_dir: Path | None,
) -> Dataset:
    """Decoded to a file in the cache, or found there."""
    if not source.files():
        return _prepare_in_memory(source, decode_to, max_skipped)
    folder = cache.cache_folder(cache_dir)
    digest = _digest(source, form, folder)
    entry = folder / "decoded" / digest[:32]
    check_room = partial(cache.check_room, entry.parent, len(source) * form.bytes_each)
    values, record = decoded(entry, decode_to, max_skipped, memory_gb, before=check_room)
    return _dataset(source, values, record, digest)


def _prepare_points(source: Source) -> Dataset:
    items = [item for item in source if isinstance(item, Item)]
    if not items:
        raise GansmithError(f"Expected points in {source.name}, but it holds none.")
    values = np.stack([np.asarray(item.content, dtype=np.float32) for item in items])
    labels = None if source.classes is None else [item.label or 0 for item in items]
    sha256 = hashlib.sha256(values.tobytes()).hexdigest()
    return _dataset(source, values, Record(list(values.shape), sha256, labels, []), sha256)


def _prepare_in_memory(
    source: Source, decode_to: Callable[[IO[bytes]], Record], max_skipped: float
) -> Dataset:
    file = io.BytesIO()
    record = decode_to(file)
    check_skipped(record, max_skipped)
    values = np.frombuffer(file.getbuffer(), dtype=np.uint8).reshape(record.shape)
    said = "" if record.written is None else json.dumps(asdict(record.written))
    digest = hashlib.sha256((record.sha256 + said).encode()).hexdigest() if said else record.sha256
    return _dataset(source, values, record, digest)


def _digest(source: Source, shape: Shape | Line, folder: Path) -> str:
    content = cache.content_hash(source, folder)
    identity = [DECODER_VERSION, content, source.variant, source.classes, asdict(shape)]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _dataset(source: Source, values: Array, record: Record, digest: str) -> Dataset:
    return Dataset(
        name=source.name,
        kind=source.kind,
        values=torch.from_numpy(values),
        labels=None if record.labels is None else torch.tensor(record.labels, dtype=torch.int64),
        classes=source.classes,
        skipped=[Skipped(name, reason) for name, reason in record.skipped],
        digest=digest,
        written=record.written,
    )
