"""Pictures of words as a source: which files, which part of each, and what is written there."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from gansmith.data import pictures
from gansmith.data.folder import is_hidden, walk
from gansmith.data.source import Item, Skipped, Source
from gansmith.data.words.text import normalise, reason_against
from gansmith.errors import GansmithError

Box = tuple[int, int, int, int]  # left, top, right, bottom
Value = TypeVar("Value")


@dataclass(frozen=True)
class Entry:
    """One word or line: a picture below the root or a part of one, and what it says.

    ``wrong`` says why it can't be used, where the description of the data says so.
    """

    name: str
    picture: str
    text: str | None
    writer: str | None = None
    box: Box | None = None
    wrong: str | None = None


class WordFiles(Source):
    """Words in picture files below a folder, as its descriptions list them.

    Args:
        root: nothing outside it is read, whatever a description says.
        entries: in order; those of one page should follow one another.
        descriptions: the files that the entries come from: what they say is part of the data.
        told: whether an entry that says nothing is of no use.
    """

    kind = "words"

    def __init__(
        self, root: Path, entries: list[Entry], descriptions: list[Path], told: bool = True
    ) -> None:
        self.name, self._root = root.resolve().name, root
        self.entries, self._descriptions, self._told = entries, descriptions, told

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        page = _Page(self._root)
        for entry in self.entries[::step]:
            yield self._item(entry, page)

    def files(self) -> dict[str, Path]:
        found = {path.relative_to(self._root).as_posix(): path for path in self._descriptions}
        inside = dict.fromkeys(e.picture for e in self.entries if e.wrong is None)
        return found | {name: self._root / name for name in inside if is_file(self._root / name)}

    def _item(self, entry: Entry, page: _Page) -> Item | Skipped:
        text = None if entry.text is None else normalise(entry.text)
        name = _shown(entry.name)
        if wrong := entry.wrong or (reason_against(text) if self._told else None):
            return Skipped(name, wrong)
        try:
            content = page.part(entry) if entry.box else read_picture(self._root / entry.picture)
        except Exception as error:  # strangers' files make decoders raise anything
            return Skipped(name, pictures.reason_for(error))
        return Item(name, content, text=text, writer=entry.writer)


class _Page:
    """The picture of the page that is being read: decoded once, for all the words on it."""

    def __init__(self, root: Path) -> None:
        self._root, self._name, self._wrong = root, "", ""
        self._pixels = np.empty((0, 0), np.uint8)

    def part(self, entry: Entry) -> np.ndarray:
        assert entry.box is not None
        if entry.picture != self._name:
            self._decode(entry.picture)
        if self._wrong:
            raise GansmithError(self._wrong)
        left, top, right, bottom = entry.box
        part = self._pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        if not part.size:
            raise GansmithError("its box lies outside the picture")
        return np.ascontiguousarray(part)

    def _decode(self, name: str) -> None:
        """One that can't be read is tried once too, not again for each word on it."""
        self._name, self._wrong = name, ""
        try:
            with pictures.open_picture(read_picture(self._root / name)) as opened:
                grey = pictures.flatten(opened, "white", grey=True)
                self._pixels = np.asarray(pictures.upright(grey, opened))
        except Exception as error:  # strangers' files make decoders raise anything
            self._wrong = pictures.reason_for(error)


class Pictures:
    """The pictures among the names of files, as descriptions call them: with their ending or
    without, with their folders or without."""

    def __init__(self, names: Iterable[str]) -> None:
        self._paths: dict[str, str] = {}
        self._lasts: dict[str, list[str]] = {}
        for name in names:
            stem = stem_of(name)
            if stem == name:  # no picture
                continue
            for path in (name, stem):
                self._paths.setdefault(path, name)
                self._lasts.setdefault(PurePosixPath(path).name, []).append(name)

    def at(self, path: str) -> str | None:
        """The one at this path."""
        return self._paths.get(path) or self._paths.get(stem_of(path))

    def called(self, path: str) -> list[str]:
        """Those that are called so, whatever folders they lie in."""
        last = PurePosixPath(path.replace("\\", "/")).name
        return self._lasts.get(last) or self._lasts.get(stem_of(last)) or []


def stem_of(name: str) -> str:
    """The name of a picture without its ending; another name as it is."""
    ending = PurePosixPath(name).suffix
    return name.removesuffix(ending) if ending.lower() in pictures.SUFFIXES else name


def files_below(root: Path) -> list[str]:
    """The names of all files below a folder that are not hidden, in order."""
    return [name for name in walk(root) if not is_hidden(name)]


def is_file(path: Path) -> bool:
    """Whether a regular file is there: a pipe would be waited on for ever."""
    try:
        return path.is_file()
    except OSError:  # a name that is too long, say
        return False


def read_picture(path: Path) -> bytes:
    """The bytes of a picture file, if it is one of a sensible size."""
    if not is_file(path):
        raise GansmithError("there is no such picture file")
    if path.stat().st_size > pictures.MAX_BYTES:
        raise GansmithError(f"larger than {pictures.MAX_BYTES >> 20} MB")
    return path.read_bytes()


def inside(entry: Entry) -> Entry:
    """`entry`, marked as wrong where its picture's name leads out of the root."""
    name = PurePosixPath(entry.picture.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or "\0" in entry.picture:
        return replace(entry, picture="", wrong="its picture lies outside the folder")
    return replace(entry, picture=name.as_posix())


def _shown(name: str) -> str:
    """A name from a stranger's description, fit for a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name[:200])


def first_of(values: Mapping[str, Value], names: tuple[str, ...]) -> Value | None:
    """The value under the first of the names that is there, however it is capitalised."""
    by_name = {key.lower(): value for key, value in values.items() if key}
    return next((by_name[name] for name in names if name in by_name), None)


def read_text(path: Path) -> str:
    """A description's text, UTF-8 with or without a mark. GansmithError where it is none."""
    try:
        if path.exists() and not path.is_file():  # a device or a pipe may have no end
            raise GansmithError(f"Can't read {path} (not a regular file).")
        if path.stat().st_size > pictures.MAX_BYTES:
            raise GansmithError(f"Can't read {path} (larger than {pictures.MAX_BYTES >> 20} MB).")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise GansmithError(f"Can't read {path} ({error.strerror or error}).") from None
    except UnicodeDecodeError:
        raise GansmithError(
            f"Expected text in UTF-8, but {path} is in another encoding: convert it first "
            "(iconv -f latin1 -t utf-8)."
        ) from None


def lines_of(path: Path) -> Iterator[str]:
    """The lines that say something: no comments, no empty ones."""
    for line in io.StringIO(read_text(path)):
        line = line.rstrip("\r\n")
        if line.strip() and not line.startswith("#"):
            yield line
