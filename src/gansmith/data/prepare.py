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

from gansmith.data import cache, pictures
from gansmith.data.parallel import map_items
from gansmith.data.pictures import Shape
from gansmith.data.record import Record, Written, check_skipped, examples, load_record, load_values
from gansmith.data.source import Array, Item, Kind, Skipped, Source
from gansmith.data.survey import survey
from gansmith.data.words.decode import Line, decode_words
from gansmith.data.words.lexicon import Lexicon
from gansmith.data.words.strip import Strip
from gansmith.errors import GansmithError
from gansmith.measures import LINE_HEIGHT

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

    def __len__(self) -> int:
        return len(self.written.texts) if self.written else len(self.values)

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
    shape = _choose_shape(source, height, width, fit, channels, background)
    return _decoded_once(
        source, shape, partial(_decode, source, shape, progress), max_skipped, memory_gb, cache_dir
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
    record = load_record(entry)
    if record is None:
        cache.remove(entry)
        cache.check_room(entry.parent, len(source) * form.bytes_each)
        record = _fill(entry, decode_to)
    check_skipped(record, max_skipped)
    values = load_values(entry, record, memory_gb)
    if values is None:  # altered or cut short since it was written
        cache.remove(entry)
        record = _fill(entry, decode_to)
        values = load_values(entry, record, float("inf"))
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


def _decode(source: Source, shape: Shape, progress: Progress | None, file: IO[bytes]) -> Record:
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
        raise GansmithError(f"None of the pictures can be used: {examples(skipped)}.")
    return Record(
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


def _fill(entry: Path, decode_to: Callable[[IO[bytes]], Record]) -> Record:
    with cache.temporary(entry) as unfinished:
        unfinished.mkdir()
        with (unfinished / "values").open("wb") as file:
            record = decode_to(file)
        (unfinished / "record.json").write_text(json.dumps(asdict(record)))
    return record


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
