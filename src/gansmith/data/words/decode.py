"""From pictures of words to rows of one height: dark on white, each as wide as its ink asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO

import numpy as np
from PIL import Image

from gansmith.data import pictures
from gansmith.data.parallel import map_items
from gansmith.data.record import Record, Written, examples
from gansmith.data.source import Array, Item, Skipped, Source
from gansmith.data.words.text import LONGEST, characters
from gansmith.errors import GansmithError
from gansmith.measures import COLUMN, ENDS, LINE_HEIGHT, NARROWEST, WIDEST

ABSURD = 8  # times wider or narrower than that: the text is not that of the picture
INK = 64  # of 255: darker than paper by so much


@dataclass(frozen=True)
class Line:
    """What every word is brought to: `height`, a multiple of 8."""

    height: int = LINE_HEIGHT

    def __post_init__(self) -> None:
        if self.height not in (32, 64):
            raise GansmithError(f"size: expected words 32 or 64 pixels high, found {self.height}")

    @property
    def unit(self) -> float:
        return self.height / LINE_HEIGHT

    @property
    def column(self) -> int:
        return round(COLUMN * self.unit)

    @property
    def bytes_each(self) -> int:
        """Of a word, about: what the disk needs room for before they are decoded."""
        return self.height * 12 * self.height


def decode_words(
    source: Source, line: Line, progress: Callable[[int, int], None] | None, file: IO[bytes]
) -> Record:
    """Write all words to `file`, one uint8 W×H after the other: by columns (see `strip`)."""
    hasher = hashlib.sha256()
    widths: list[int] = []
    items: list[Item] = []
    skipped: list[tuple[str, str]] = []
    results = map_items(partial(_decode_item, line), source)
    for done, result in enumerate(results, start=1):
        if isinstance(result, Skipped):
            skipped.append((result.name, result.reason))
        elif isinstance(result[1], str):
            skipped.append((result[0].name, result[1]))
        else:
            content = np.ascontiguousarray(result[1].T).tobytes()
            hasher.update(content)
            file.write(content)
            items.append(result[0])
            widths.append(result[1].shape[1])
        if progress and (done % 256 == 0 or done == len(source)):
            progress(done, len(source))
    if not items:
        raise GansmithError(f"None of the words can be used: {examples(skipped)}.")
    writers = [item.writer for item in items]
    return Record(
        shape=[sum(widths), line.height],
        sha256=hasher.hexdigest(),
        labels=None,
        skipped=skipped,
        written=Written(
            texts=[item.text or "" for item in items],
            writers=[w or "unknown" for w in writers] if any(writers) else None,
            widths=widths,
        ),
    )


def decode_word(content: bytes | Array, text: str | None, line: Line) -> Array:
    """One word as uint8 H×W; of an unknown text as wide as it is, if a line can be so wide. Raises
    anything; see `pictures.reason_for`."""
    with pictures.open_picture(content) as opened:
        grey = pictures.upright(pictures.flatten(opened, "white", grey=True), opened)
    ink = _cut(dark_on_white(np.asarray(grey)))
    natural = ink.shape[1] * line.height / ink.shape[0]
    count = None if text is None else len(characters(text))
    width = line.unit * fitting(natural / line.unit, count)
    size = (max(line.column, round(width)), line.height)
    scale = ink.shape[0] / line.height
    filter_ = Image.Resampling.LANCZOS if scale > 1 else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(ink).resize(size, filter_, reducing_gap=3.0))
    whole = max(2, -(-size[0] // line.column)) * line.column
    return fill_up(small, whole, (whole - size[0]) // 2)


def readable(words: Iterable[tuple[Array, str]], height: int) -> Iterator[tuple[Array, str]]:
    """Words that were made and what they say, decoded as if they came from a disk: what only made
    words have, and real ones have not, would give them away. What could not be used from there is
    left out here."""
    for picture, text in words:
        try:
            read = decode_word(picture, text, Line(height))
        except GansmithError:  # nothing to be seen on it
            continue
        yield read, text


def fitting(natural: float, count: int | None) -> float:
    """The width of a word of `count` characters that is `natural` wide, at height 32: its own, or
    the nearest at which it can be read. A GansmithError where no such text can be so wide."""
    if count is None:  # not known: no more than the longest text's
        if natural > WIDEST * LONGEST:
            raise GansmithError(f"it is {natural:.0f} wide at a height of 32, wider than any line")
        return natural
    least, most = NARROWEST * (count + 1), WIDEST * count + ENDS
    if not least / ABSURD <= natural <= most * ABSURD:
        raise GansmithError(f"it is {natural:.0f} wide at a height of 32, for {count} characters")
    return min(max(natural, least), most)


def dark_on_white(grey: Array) -> Array:
    """Grey H×W with its paper, what most of it is, brought to white."""
    if grey.mean() > np.median(grey) < 128:  # what is not paper is lighter, and paper dark
        grey = 255 - grey
    paper = float(np.median(grey[grey >= np.median(grey)]))
    if paper < 1 or int(grey.min()) > paper - INK / 2:
        raise GansmithError("there is nothing written on it")
    return np.minimum(np.rint(grey * (255 / paper)), 255).astype(np.uint8)


def fill_up(word: Array, width: int, left: int = 0) -> Array:
    """With paper, to `width` columns."""
    paper = np.full((word.shape[0], width), 255, np.uint8)
    paper[:, left : left + word.shape[1]] = word
    return paper


def _cut(word: Array) -> Array:
    """Left and right of the ink no more paper than a sixteenth of the height."""
    columns = np.flatnonzero((word < 255 - INK).any(axis=0))
    if not len(columns):
        return word
    margin = max(1, word.shape[0] // 16)
    return word[:, max(0, columns[0] - margin) : columns[-1] + 1 + margin]


def _decode_item(line: Line, item: Item) -> Array | str:
    try:
        return decode_word(item.content, item.text, line)
    except Exception as error:  # strangers' files make decoders raise anything
        return pictures.reason_for(error)
