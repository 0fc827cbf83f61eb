"""ALTO and PAGE XML: pages with boxes around words or lines, and what is written in them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gansmith.data.words.source import Box, Entry, Pictures, WordFiles, files_below, is_file
from gansmith.errors import GansmithError

MAX_BYTES = 64 * 2**20  # of one page's description


def find_pages(root: Path, told: bool = True) -> WordFiles | None:
    """All pages below a folder; their words where boxes of words are given, else their lines.

    Those that say something, or, unless that is to be `told`, all.
    """
    names = files_below(root)
    pages = [name for name in names if name.lower().endswith(".xml") and is_file(root / name)]
    return read_pages(root, pages, names, told) if pages else None


def read_pages(
    root: Path, pages: list[str], names: list[str], told: bool = True
) -> WordFiles | None:
    """The words or lines of these pages; None where none of them is ALTO or PAGE."""
    pictures = Pictures(names)
    entries: list[Entry] = []
    read: list[Path] = []
    for page in pages:
        tree = _parse(root / page)
        if _kind(tree) is None:
            continue
        picture = _picture(tree, page, pictures)
        wrong = _wrong_unit(tree) if picture else "the page has no picture beside it"
        found = list(_alto(tree) if _kind(tree) == "alto" else _page(tree, told))
        read.append(root / page)
        for number, (identifier, text, box) in enumerate(found):
            reason = wrong or (None if box else "it has no box")
            name = f"{page} {identifier or number}"
            entries.append(Entry(name, picture or "", text, box=box, wrong=reason))
    return WordFiles(root, entries, read, told) if entries else None


def _parse(path: Path) -> ET.Element:
    if path.stat().st_size > MAX_BYTES:
        raise GansmithError(f"Expected a page of at most {MAX_BYTES >> 20} MB, but {path} is more.")
    try:
        return ET.fromstring(path.read_bytes(), parser=ET.XMLParser(target=_Builder()))
    except (GansmithError, ET.ParseError, LookupError, ValueError) as error:  # two of encodings
        raise GansmithError(f"Expected whole XML, but {path} can't be read ({error}).") from None


class _Builder(ET.TreeBuilder):
    """Refuses entities that are made of entities, which fill any memory, in every encoding."""

    def doctype(self, *_: object) -> None:
        raise GansmithError("it has a document type declaration, which no page needs")


def _kind(tree: ET.Element) -> str | None:
    return {"alto": "alto", "PcGts": "page"}.get(_local(tree))


def _local(element: ET.Element) -> str:
    """A tag without its name space, of which each version has its own."""
    return element.tag.rpartition("}")[2]


def _all(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (e for e in element.iter() if _local(e) == name)


def _alto(tree: ET.Element) -> Iterator[tuple[str, str | None, Box | None]]:
    """``String`` elements are words."""
    for word in _all(tree, "String"):
        yield word.get("ID", ""), word.get("CONTENT"), _alto_box(word)


def _alto_box(element: ET.Element) -> Box | None:
    try:
        left, top, width, height = (
            float(element.get(key, "")) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")
        )
        return round(left), round(top), round(left + width), round(top + height)
    except (ValueError, OverflowError):
        return None


def _wrong_unit(tree: ET.Element) -> str | None:
    """Why the boxes of an ALTO page can't be found on its picture; None where they can."""
    units = [(e.text or "").strip() for e in _all(tree, "MeasurementUnit")]
    if not units or units[0] in ("", "pixel"):
        return None
    return f"its page measures in {units[0]}, not in pixels"


def _page(tree: ET.Element, told: bool) -> Iterator[tuple[str, str | None, Box | None]]:
    """``Word`` elements where any is there (and says something, if that is to be `told`), else
    ``TextLine``."""
    words = (_page_text(word) if told else True for word in _all(tree, "Word"))
    kind = "Word" if any(words) else "TextLine"
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
        except (ValueError, OverflowError, IndexError):
            return None
    return None


def _picture(tree: ET.Element, page: str, pictures: Pictures) -> str | None:
    """The picture that the page names, wherever below the root it lies, or that is named like it."""
    named = [e.get("imageFilename") or "" for e in _all(tree, "Page")]
    named += [e.text or "" for e in _all(tree, "fileName")]
    found = (_nearest(pictures.called(name.strip()), page) for name in named)
    return next(filter(None, found), None) or pictures.at(page.rpartition(".")[0])


def _nearest(found: list[str], page: str) -> str | None:
    """The one whose folders are most like the page's; None where several are."""

    def unlike(name: str) -> tuple[int, int]:
        folders = PurePosixPath(name).parent.parts
        shared = len({*folders} & {*PurePosixPath(page).parent.parts})
        return -shared, len(folders)

    ranked = sorted(found, key=unlike)
    alike = len(ranked) > 1 and unlike(ranked[0]) == unlike(ranked[1])
    return None if alike or not ranked else ranked[0]
