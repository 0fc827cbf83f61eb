"""Folders of word pictures: Hugging Face's imagefolder, pairs, lists (PyLaia and others), IAM."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from gansmith.data.words.source import (
    Entry,
    Pictures,
    WordFiles,
    files_below,
    first_of,
    inside,
    is_file,
    lines_of,
    read_text,
)
from gansmith.data.words.text import characters
from gansmith.errors import GansmithError

TEXT_NAMES = ("text", "transcription", "transcript", "ground_truth", "gt", "word", "sentence")
WRITER_NAMES = ("writer", "writer_id", "author", "scribe")
_FILE_NAMES = ("file_name", "filename", "file", "image", "path")
_PAIR = ".gt.txt"
_VARIANTS = ("", ".nrm", ".bin")  # OCRopus's: as it was, grey, black and white
_LISTS = ("train.txt", "tr.txt", "train_text.txt", "gt.txt", "labels.txt", "transcriptions.txt")
_NONE, _SEVERAL = "there is no such picture", "several pictures are called so"
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
    rows = list(_jsonl(path) if path.suffix.lower() == ".jsonl" else _csv(path))
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
        said = str(text) if type(text) is int else text
        wrong = None if said is None or isinstance(said, str) else "its transcription is no text"
        said = None if wrong else said
        entries.append(inside(Entry(picture, picture, said, _name(writer), wrong=wrong)))
    return WordFiles(root, entries, [path])


def find_pairs(root: Path) -> WordFiles | None:
    """``x.png`` beside ``x.gt.txt``, as kraken and Calamari keep lines."""
    names = files_below(root)
    texts = [name for name in names if name.endswith(_PAIR) and is_file(root / name)]
    if not texts:
        return None
    pictures = Pictures(names)
    entries = [_pair(root, name, pictures) for name in texts]
    return WordFiles(root, entries, [root / name for name in texts])


def _pair(root: Path, name: str, pictures: Pictures) -> Entry:
    stem = name.removesuffix(_PAIR)
    beside = (pictures.at(stem + variant) for variant in _VARIANTS)
    picture = next(filter(None, beside), None)
    if picture is None:
        return Entry(name, "", None, wrong="there is no picture beside it")
    try:
        return Entry(picture, picture, read_text(root / name))
    except GansmithError as error:
        return Entry(picture, picture, None, wrong=str(error))


def find_iam(root: Path) -> WordFiles | None:
    """The IAM database: ``words.txt`` (or ``lines.txt``) and pictures named by its identifiers."""
    for name in ("words.txt", "ascii/words.txt", "lines.txt", "ascii/lines.txt"):
        path = root / name
        if path.is_file() and _is_iam(path):
            return _read_iam(path, root)
    return None


def find_list(root: Path) -> WordFiles | None:
    """A text file with a picture and what it says on each line: PyLaia's, or with a tab between."""
    names = files_below(root)
    texts = [n for n in names if n.endswith(".txt") and "/" not in n and is_file(root / n)]
    usual = [name for name in _LISTS if name in texts]
    pictures = Pictures(names if texts else [])
    for name in (*usual, *(name for name in texts if name not in _LISTS)):
        try:
            found = _read_list(root / name, root, pictures)
        except GansmithError:
            if name in usual:
                raise
            continue  # some other file's text, in whatever encoding
        if found is not None:
            return found
    return None


def read_list(path: Path, root: Path) -> WordFiles | None:
    """The words of such a list; None where its lines don't begin with pictures' names."""
    return _read_list(path, root, Pictures(files_below(root)))


def _read_list(path: Path, root: Path, pictures: Pictures) -> WordFiles | None:
    parts = [line.partition("\t" if "\t" in line else " ") for line in lines_of(path)]
    spelt = _are_spelt([said for _, _, said in parts])
    entries = [_listed(name, _joined(said) if spelt else said, pictures) for name, _, said in parts]
    if 2 * sum(entry.wrong != _NONE for entry in entries) <= len(entries):
        return None
    return WordFiles(root, entries, [path])


def _listed(name: str, said: str, pictures: Pictures) -> Entry:
    exact = pictures.at(PurePosixPath(name).as_posix())
    found = [exact] if exact else pictures.called(name)
    if len(found) != 1:
        return Entry(name, "", None, wrong=_SEVERAL if found else _NONE)
    return Entry(found[0], found[0], said)


def _are_spelt(texts: list[str]) -> bool:
    """Whether they are written as PyLaia does, ``h e l l o <space> y o u``."""
    tokens = [token for text in texts for token in text.split()]
    single = sum(token in _SPACES or len(characters(token)) == 1 for token in tokens)
    return single > 0.9 * len(tokens)


def _joined(spelt: str) -> str:
    return "".join(" " if token in _SPACES else token for token in spelt.split())


def _is_iam(path: Path) -> bool:
    first = next(lines_of(path), "").split()
    return len(first) >= 8 and first[1] in ("ok", "err") and first[0].count("-") >= 2


def _read_iam(path: Path, root: Path) -> WordFiles:
    """``a01-000u-00-00 ok 154 408 768 27 51 AT A``: where, whether cut out well, …, the text."""
    pictures = Pictures(files_below(root))
    forms = path.with_name("forms.txt")
    writers = _iam_writers(forms) if forms.is_file() else {}
    entries = []
    for line in lines_of(path):
        fields = line.split(" ", 8)
        if len(fields) < 9:
            entries.append(Entry(line[:60], "", None, wrong="expected nine fields"))
            continue
        identifier, status, said = fields[0], fields[1], fields[-1].replace("|", " ")
        if status != "ok":  # cut out badly, says IAM: a sixth of all, and no fault of these files
            continue
        writer = writers.get("-".join(identifier.split("-")[:2]))
        entry = _listed(identifier, said, pictures)
        entries.append(replace(entry, name=identifier, writer=writer))
    return WordFiles(root, entries, [path, forms] if writers else [path])


def _iam_writers(path: Path) -> dict[str, str]:
    """Form → writer, of ``a01-000u 000 2 prt 7 5 52 36``."""
    rows = (line.split() for line in lines_of(path))
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
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
