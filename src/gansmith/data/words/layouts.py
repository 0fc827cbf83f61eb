"""Folders of word pictures: Hugging Face's imagefolder, pairs, lists (PyLaia and others), IAM."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from gansmith.data.folder import walk
from gansmith.data.pictures import SUFFIXES
from gansmith.data.words.source import (
    Entry,
    WordFiles,
    first_of,
    inside,
    lines_of,
    read_text,
)
from gansmith.errors import GansmithError

TEXT_NAMES = ("text", "transcription", "transcript", "ground_truth", "gt", "word", "sentence")
WRITER_NAMES = ("writer", "writer_id", "author", "scribe")
_FILE_NAMES = ("file_name", "filename", "file", "image", "path")
_PAIR = ".gt.txt"
_SPACES = {"<space>", "<sp>", "▁"}


def find_metadata(root: Path) -> WordFiles | None:
    """``metadata.jsonl`` or ``.csv`` with a column of texts (Hugging Face's imagefolder)."""
    for folder in (root, root / "train"):
        for name in ("metadata.jsonl", "metadata.csv"):
            if (path := folder / name).is_file():
                return read_metadata(path, root)
    return None


def read_metadata(path: Path, root: Path) -> WordFiles | None:
    """The words that such a file lists; None where it lists no texts."""
    rows = list(_jsonl(path) if path.suffix == ".jsonl" else _csv(path))
    if not any(first_of(row, TEXT_NAMES) is not None for row in rows):
        return None
    below = path.parent.relative_to(root)
    entries = []
    for number, row in enumerate(rows):
        file, text, writer = (
            first_of(row, names) for names in (_FILE_NAMES, TEXT_NAMES, WRITER_NAMES)
        )
        if not isinstance(file, str) or not file:
            where = f"{path.name} row {number + 1}"
            entries.append(Entry(where, "", None, wrong="it names no picture"))
            continue
        picture = (PurePosixPath(below.as_posix()) / file).as_posix()
        said = text if isinstance(text, str) else None if text is None else str(text)
        entries.append(inside(Entry(picture, picture, said, _name(writer))))
    return WordFiles(root, entries, [path])


def find_pairs(root: Path) -> WordFiles | None:
    """``x.png`` beside ``x.gt.txt``, as kraken and Calamari keep lines."""
    names = list(walk(root))
    texts = [name for name in names if name.endswith(_PAIR)]
    if not texts:
        return None
    pictures = _by_stem(names)
    entries = []
    for name in texts:
        stem = name.removesuffix(_PAIR)
        picture = pictures.get(stem)
        try:
            said, wrong = read_text(root / name), None
        except GansmithError as error:
            said, wrong = None, str(error)
        if picture is None:
            entries.append(Entry(name, "", None, wrong="there is no picture beside it"))
        else:
            entries.append(Entry(picture, picture, said, wrong=wrong))
    return WordFiles(root, entries, [root / name for name in texts])


def find_iam(root: Path) -> WordFiles | None:
    """The IAM database: ``words.txt`` (or ``lines.txt``) and pictures named by its identifiers."""
    for name in ("words.txt", "ascii/words.txt", "lines.txt", "ascii/lines.txt"):
        path = root / name
        if path.is_file() and _is_iam(path):
            return _read_iam(path, root)
    return None


def find_list(root: Path) -> WordFiles | None:
    """A text file with a picture and what it says on each line: PyLaia's, or with a tab between."""
    usual = ("train.txt", "tr.txt", "train_text.txt", "gt.txt", "labels.txt", "transcriptions.txt")
    others = sorted(p.name for p in root.glob("*.txt") if p.name not in usual)
    for name in (*usual, *others):
        if (root / name).is_file() and (found := read_list(root / name, root)) is not None:
            return found
    return None


def read_list(path: Path, root: Path) -> WordFiles | None:
    """The words of such a list; None where its lines don't begin with pictures' names."""
    lines = list(lines_of(path))
    pictures = _by_stem(walk(root))
    by_name = {PurePosixPath(stem).name: picture for stem, picture in pictures.items()}
    entries = [_listed(line, root, pictures, by_name) for line in lines]
    known = sum(entry.wrong is None for entry in entries)
    if 2 * known <= len(entries):
        return None
    return WordFiles(root, entries, [path])


def _listed(
    line: str, root: Path, pictures: Mapping[str, str], by_name: Mapping[str, str]
) -> Entry:
    name, _, said = line.partition("\t") if "\t" in line else line.partition(" ")
    stem = PurePosixPath(name)
    stem = stem.with_suffix("") if stem.suffix.lower() in SUFFIXES else stem
    picture = pictures.get(stem.as_posix()) or by_name.get(stem.name)
    if picture is None:
        return Entry(name, "", None, wrong="there is no such picture")
    return Entry(picture, picture, _joined(said))


def _joined(said: str) -> str:
    """PyLaia's ``h e l l o <space> y o u`` as text; anything else as it is."""
    tokens = said.split()
    if len(tokens) > 1 and all(len(t) == 1 or t in _SPACES for t in tokens):
        return "".join(" " if token in _SPACES else token for token in tokens)
    return said


def _is_iam(path: Path) -> bool:
    first = next(lines_of(path), "").split()
    return len(first) >= 8 and first[1] in ("ok", "err") and first[0].count("-") >= 2


def _read_iam(path: Path, root: Path) -> WordFiles:
    """``a01-000u-00-00 ok 154 408 768 27 51 AT A``: where, whether cut out well, …, the text."""
    pictures = {PurePosixPath(stem).name: p for stem, p in _by_stem(walk(root)).items()}
    forms = path.with_name("forms.txt")
    writers = _iam_writers(forms) if forms.is_file() else {}
    entries = []
    for line in lines_of(path):
        fields = line.split(" ", 8)
        if len(fields) < 9:
            entries.append(Entry(line[:60], "", None, wrong="expected nine fields"))
            continue
        identifier, status, said = fields[0], fields[1], fields[-1].replace("|", " ")
        writer = writers.get("-".join(identifier.split("-")[:2]))
        picture = pictures.get(identifier)
        wrong = None if picture else "there is no such picture"
        if status != "ok":
            wrong = "IAM says that it was not cut out well"
        entries.append(Entry(identifier, picture or "", said, writer, wrong=wrong))
    return WordFiles(root, entries, [path, forms] if writers else [path])


def _iam_writers(path: Path) -> dict[str, str]:
    """Form → writer, of ``a01-000u 000 2 prt 7 5 52 36``."""
    rows = (line.split() for line in lines_of(path))
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _by_stem(names: Iterator[str] | list[str]) -> dict[str, str]:
    """Pictures by their names without the ending."""
    found: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() in SUFFIXES:
            found.setdefault(path.with_suffix("").as_posix(), name)
    return found


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise GansmithError(
                f"Expected a JSON object on each line of {path}, not line {number}."
            )
        yield row


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from csv.DictReader(io.StringIO(read_text(path)), strict=True)
    except csv.Error as error:
        raise GansmithError(f"Expected comma-separated values in {path} ({error}).") from None


def _name(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
