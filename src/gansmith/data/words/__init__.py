"""Pictures of words and what they say, from the forms in which people keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gansmith.data import pictures
from gansmith.data.source import Array, Item, Source, sample
from gansmith.data.words.decode import Line, decode_word, fitting
from gansmith.data.words.layouts import (
    find_iam,
    find_list,
    find_metadata,
    find_pairs,
    read_list,
    read_metadata,
)
from gansmith.data.words.pages import find_pages, read_pages
from gansmith.data.words.rendered import DigitStrings, RenderedWords
from gansmith.data.words.source import lines_of, read_picture, read_text
from gansmith.data.words.tables import WordHub, WordParquet
from gansmith.data.words.text import characters, count_characters, normalise
from gansmith.data.words.unlabelled import Unlabelled
from gansmith.errors import GansmithError
from gansmith.measures import LINE_HEIGHT

__all__ = [
    "FORMS",
    "RENDERED",
    "Unlabelled",
    "characters",
    "count_characters",
    "find_boxes",
    "find_words",
    "find_written",
    "lines_of",
    "normalise",
    "open_words",
    "read_text",
    "read_word",
]

RENDERED: dict[str, Callable[[], Source]] = {"words": RenderedWords, "digit-strings": DigitStrings}
FORMS = (
    "a Parquet file or hf:owner/name with columns image and text; a folder with metadata.jsonl or "
    "metadata.csv (file_name, text), with x.png beside x.gt.txt, with a list of pictures and texts "
    "(PyLaia), with IAM's words.txt, or with ALTO or PAGE XML; or words or digit-strings, rendered"
)
# In this order: what is written for the purpose comes first.
_FINDERS = (find_metadata, find_pairs, find_iam, find_list, find_pages)


def find_words(spec: str) -> Source | None:
    """The words of a name or path; None where what it names has no transcriptions.

    Raises GansmithError where a description of words is there and can't be read.
    """
    if spec in RENDERED:
        return RENDERED[spec]()
    if spec.startswith("hf:"):
        hub = WordHub(spec.removeprefix("hf:"))
        return hub if hub.has_texts else None
    if not spec.strip():  # which as a path would be the current folder
        return None
    with _readable(spec) as path:
        return _at_path(path)


def find_boxes(spec: str) -> Source | None:
    """The words or lines on the pages in a folder, where ALTO or PAGE XML says where they are,
    whether it says what is written there or not."""
    with _readable(spec) as path:
        return find_pages(path, told=False) if spec.strip() and path.is_dir() else None


@contextmanager
def _readable(spec: str) -> Iterator[Path]:
    """Its path; that it can't be read is a GansmithError."""
    try:
        yield Path(spec).expanduser()
    except OSError as error:
        raise GansmithError(f"Can't read {spec} ({error.strerror or error}).") from None
    except RuntimeError as error:  # ~somebody
        raise GansmithError(f"Can't read {spec} ({error}).") from None


def open_words(spec: str) -> Source:
    """The same, where there must be some. GansmithError where there are none."""
    if (words := find_words(spec)) is None:
        raise GansmithError(f"Expected words with their transcriptions in {spec}: {FORMS}.")
    return words


def find_written(spec: str) -> Source | None:
    """The words of a name or path, where its pictures look like what their texts say, written.

    Pictures may have texts that are not written on them: captions, names of classes. So most of a
    sample must be grey, about as wide as such a text would be, and the wider the longer it is.
    """
    try:
        words = find_words(spec)
        read = list(sample(words, 64)) if words else []
    except GansmithError:  # of no matter to whoever did not ask for words
        return None
    items = [item for item in read if isinstance(item, Item)]
    sizes = [size for item in items if (size := _size_as_written(item))]
    enough = len(items) >= 0.5 * len(read) and len(sizes) >= 0.8 * len(items)
    return words if sizes and enough and _widths_follow(sizes) else None


def _size_as_written(item: Item) -> tuple[float, int] | None:
    """How wide it is at a height of 32, and how many characters; None where that does not fit."""
    try:
        with pictures.open_picture(item.content) as opened:
            width, height = pictures.size_upright(opened)
        natural, count = LINE_HEIGHT * width / height, len(characters(item.text or ""))
        nearest = fitting(natural, count)
        likely = nearest / 2 <= natural <= 2 * nearest
        return (natural, count) if likely and pictures.is_grey(item.content) else None
    except Exception:  # strangers' files make decoders raise anything
        return None


def _widths_follow(sizes: list[tuple[float, int]]) -> bool:
    """Whether pictures are wide for their height, as writing is, and the wider the more they say."""
    widths, counts = np.array(sizes).T
    typical = np.median(widths) / LINE_HEIGHT
    if typical > 6:  # a line: with a text that is as long, it can't be anything else
        return True
    if typical <= 1.5 or widths.std() == 0:
        return False
    return bool(counts.std() == 0 or np.corrcoef(widths, counts)[0, 1] > 0.4)


def _at_path(path: Path) -> Source | None:
    if path.is_dir():
        found = (find(path) for find in _FINDERS)
        return next((words for words in found if words is not None), None)
    return _of_file(path) if path.is_file() else None


def _of_file(path: Path) -> Source | None:
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        table = WordParquet(path)
        return table if table.has_texts else None
    if suffix in (".jsonl", ".csv"):
        return read_metadata(path, path.parent)
    if suffix == ".txt":
        return read_list(path, path.parent)
    if suffix == ".xml":
        names = sorted(p.name for p in path.parent.iterdir() if p.is_file())
        return read_pages(path.parent, [path.name], names)
    return None


def read_word(path: Path, height: int) -> Array:
    """One picture of a word as a generator of words would have it, uint8 (height, W)."""
    try:
        return decode_word(read_picture(path), None, Line(height))
    except Exception as error:  # strangers' files make decoders raise anything
        raise GansmithError(f"{path}: {pictures.reason_for(error)}") from None
