"""ALTO and PAGE XML: pages with boxes around words or lines, and what is written in them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gansmith.data.folder import walk
from gansmith.data.pictures import SUFFIXES
from gansmith.data.words.source import Box, Entry, WordFiles, inside
from gansmith.errors import GansmithError

MAX_BYTES = 64 * 2**20  # of one page's description


def find_pages(root: Path) -> WordFiles | None:
    """All pages below a folder; their words where boxes of words are given, else their lines."""
    names = list(walk(root))
    pages = [name for name in names if name.lower().endswith(".xml")]
    return read_pages(root, pages, names) if pages else None


def read_pages(root: Path, pages: list[str], names: list[str]) -> WordFiles | None:
    """The words or lines of these pages; None where none of them is ALTO or PAGE."""
    entries: list[Entry] = []
    read: list[Path] = []
    for page in pages:
        tree = _parse(root / page)
        if _kind(tree) is None:
            continue
        picture = _picture(tree, page, names)
        found = list(_alto(tree) if _kind(tree) == "alto" else _page(tree))
        read.append(root / page)
        for number, (identifier, text, box) in enumerate(found):
            name = f"{page} {identifier or number}"
            wrong = None if picture else "the page has no picture beside it"
            wrong = wrong or (None if box else "it has no box")
            entries.append(inside(Entry(name, picture or "", text, box=box, wrong=wrong)))
    return WordFiles(root, entries, read) if entries else None


def _parse(path: Path) -> ET.Element:
    if path.stat().st_size > MAX_BYTES:
        raise GansmithError(f"Expected a page of at most {MAX_BYTES >> 20} MB, but {path} is more.")
    content = path.read_bytes()
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        # Neither format has one, and entities that are made of entities fill any memory.
        raise GansmithError(f"{path} has a document type declaration, which no page needs.")
    try:
        return ET.fromstring(content)
    except ET.ParseError as error:
        raise GansmithError(f"Expected whole XML, but {path} can't be read ({error}).") from None


def _kind(tree: ET.Element) -> str | None:
    return {"alto": "alto", "PcGts": "page"}.get(_local(tree))


def _local(element: ET.Element) -> str:
    """A tag without its name space, of which each version has its own."""
    return element.tag.rpartition("}")[2]


def _all(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (e for e in element.iter() if _local(e) == name)


def _alto(tree: ET.Element) -> Iterator[tuple[str, str | None, Box | None]]:
    """``String`` elements are words; lines without any are taken whole."""
    for word in _all(tree, "String"):
        yield word.get("ID", ""), word.get("CONTENT"), _alto_box(word)


def _alto_box(element: ET.Element) -> Box | None:
    try:
        left, top, width, height = (
            float(element.get(key, "")) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")
        )
        return round(left), round(top), round(left + width), round(top + height)
    except ValueError:
        return None


def _page(tree: ET.Element) -> Iterator[tuple[str, str | None, Box | None]]:
    """``Word`` elements where there are any, else ``TextLine``."""
    kind = "Word" if next(_all(tree, "Word"), None) is not None else "TextLine"
    for element in _all(tree, kind):
        yield element.get("id", ""), _page_text(element), _page_box(element)


def _page_text(element: ET.Element) -> str | None:
    """Its own ``TextEquiv``, not those of its parts."""
    for child in element:
        if _local(child) == "TextEquiv":
            return next((e.text or "" for e in _all(child, "Unicode")), None)
    return None


def _page_box(element: ET.Element) -> Box | None:
    for child in element:
        if _local(child) != "Coords":
            continue
        try:
            points = [p.split(",") for p in child.get("points", "").split()]
            xs, ys = [[round(float(p[axis])) for p in points] for axis in (0, 1)]
            return min(xs), min(ys), max(xs) + 1, max(ys) + 1
        except (ValueError, IndexError):
            return None
    return None


def _picture(tree: ET.Element, page: str, names: list[str]) -> str | None:
    """The picture that the page names, wherever below the root it lies, or that is named like it."""
    pictures = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    named = [e.get("imageFilename") for e in _all(tree, "Page")]
    named += [e.text for e in _all(tree, "fileName")]
    for wanted in filter(None, named):
        last = PurePosixPath(wanted.replace("\\", "/")).name
        near = [n for n in pictures if PurePosixPath(n).name == last]
        beside = [n for n in near if PurePosixPath(n).parent == PurePosixPath(page).parent]
        if near:
            return (beside or near)[0]
    stem = PurePosixPath(page).with_suffix("").as_posix()
    return next((n for n in pictures if PurePosixPath(n).with_suffix("").as_posix() == stem), None)
