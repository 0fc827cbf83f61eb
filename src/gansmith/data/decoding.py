"""From a source's pictures to a file of decoded ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, Literal

from gansmith.data import cache, pictures
from gansmith.data.parallel import map_items
from gansmith.data.pictures import Shape
from gansmith.data.record import Record, check_skipped, examples, load_record, load_values
from gansmith.data.source import Array, Item, Skipped, Source
from gansmith.data.survey import survey
from gansmith.errors import GansmithError

# Raise it whenever the same file would be decoded to other pixels than before.
DECODER_VERSION = 2

Channels = Literal["auto", "grey", "colour", "alpha"]
_CHANNELS = {"grey": 1, "colour": 3, "alpha": 4}
Progress = Callable[[int, int], None]


def choose_shape(
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


def decode_pictures(
    source: Source, shape: Shape, progress: Progress | None, file: IO[bytes]
) -> Record:
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


def decoded(
    entry: Path,
    decode_to: Callable[[IO[bytes]], Record],
    max_skipped: float,
    memory_gb: float,
    before: Callable[[], None],
) -> tuple[Array, Record]:
    """What a cache entry holds, decoded if it is not there; `before` makes sure that there is room."""
    record = load_record(entry)
    if record is None:
        cache.remove(entry)
        before()
        record = _fill(entry, decode_to)
    check_skipped(record, max_skipped)
    values = load_values(entry, record, memory_gb)
    if values is None:  # altered or cut short since it was written
        cache.remove(entry)
        record = _fill(entry, decode_to)
        values = load_values(entry, record, float("inf"))
    if values is None:
        raise GansmithError(f"The disk does not keep what is written to {entry}.")
    return values, record


def _fill(entry: Path, decode_to: Callable[[IO[bytes]], Record]) -> Record:
    """Decode into a new cache entry: values, and beside them the record."""
    with cache.temporary(entry) as unfinished:
        unfinished.mkdir()
        with (unfinished / "values").open("wb") as file:
            record = decode_to(file)
        (unfinished / "record.json").write_text(json.dumps(asdict(record)))
    return record
