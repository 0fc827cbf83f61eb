"""Pictures of words in closed form, and the layouts in which people keep them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gansmith.data import Item, Skipped, Source

TEXTS = ["un", "mot", "écrit", "à", "la", "main", "longtemps", "aujourd'hui", "C'est", "fini."]
Words = list[tuple[str, bytes]]  # what is written, and the PNG


def bars(text: str, height: int = 32, paper: int = 255, ink: int = 0) -> np.ndarray:
    """uint8 H×W: for each character a bar of a quarter of the height, in a cell of half of it."""
    cell = np.full((height, height // 2), paper, np.uint8)
    cell[height // 8 : -height // 8, height // 8 : -height // 8] = ink
    return np.tile(cell, (1, len(text)))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def words(texts: list[str] | None = None) -> Words:
    return [(text, png(bars(text))) for text in texts or TEXTS]


def write(root: Path, files: dict[str, bytes | str]) -> Path:
    """Write the files below `root`, texts in UTF-8."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def pictures_of(some: Words, form: str = "{:03}.png") -> dict[str, bytes | str]:
    return {form.format(number): picture for number, (_, picture) in enumerate(some)}


def jsonl(rows: list[object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def imagefolder(root: Path, some: Words) -> str:
    rows: list[object] = [{"file_name": f"{n:03}.png", "text": t} for n, (t, _) in enumerate(some)]
    return str(write(root, {**pictures_of(some), "metadata.jsonl": jsonl(rows)}))


def table(root: Path, some: Words) -> str:
    rows = [f'"{n:03}.png","{text}"\n' for n, (text, _) in enumerate(some)]
    return str(
        write(root, {**pictures_of(some), "metadata.csv": "file_name,text\n" + "".join(rows)})
    )


def pairs(root: Path, some: Words) -> str:
    texts: dict[str, bytes | str] = {f"{n:03}.gt.txt": t for n, (t, _) in enumerate(some)}
    return str(write(root, pictures_of(some) | texts))


def pylaia(root: Path, some: Words) -> str:
    spelt = (" ".join("<space>" if c == " " else c for c in text) for text, _ in some)
    lines = "".join(f"{number:03} {text}\n" for number, text in enumerate(spelt))
    return str(write(root, {**pictures_of(some, "images/{:03}.png"), "tr.txt": lines}))


def tabs(root: Path, some: Words) -> str:
    lines = "".join(f"{number:03}.png\t{text}\n" for number, (text, _) in enumerate(some))
    return str(write(root, {**pictures_of(some), "labels.txt": lines}))


def iam(root: Path, some: Words) -> str:
    lines = [f"a01-000u-00-{n:02} ok 154 408 768 27 51 AT {t}\n" for n, (t, _) in enumerate(some)]
    files = pictures_of(some, "words/a01/a01-000u/a01-000u-00-{:02}.png")
    return str(write(root, {**files, "words.txt": "#--- words.txt ---#\n" + "".join(lines)}))


def a_page(some: Words) -> tuple[np.ndarray, list[tuple[str, tuple[int, int, int, int]]]]:
    """A page with the words one below the other, and each one's text, left, top, width, height."""
    pieces = [np.asarray(Image.open(io.BytesIO(picture))) for _, picture in some]
    page = np.full((sum(len(p) + 8 for p in pieces) + 8, 640), 255, np.uint8)
    found, top = [], 8
    for (text, _), pixels in zip(some, pieces, strict=True):
        height, width = pixels.shape
        page[top : top + height, 20 : 20 + width] = pixels
        found.append((text, (20, top, width, height)))
        top += height + 8
    return page, found


def alto_xml(found: list[tuple[str, tuple[int, int, int, int]]], head: str = "", v: int = 4) -> str:
    strings = "".join(
        f'<String ID="s{n}" CONTENT="{text}" HPOS="{x}" VPOS="{y}" WIDTH="{w}" HEIGHT="{h}"/>'
        for n, (text, (x, y, w, h)) in enumerate(found)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<alto xmlns="http://www.loc.gov/standards/alto/'
        f'ns-v{v}#"><Description>{head}</Description><Layout><Page ID="p" PHYSICAL_IMG_NR="1">'
        f"<PrintSpace><TextBlock><TextLine>{strings}</TextLine></TextBlock></PrintSpace></Page>"
        "</Layout></alto>"
    )


def page_xml(body: str, image: str = "page.png", year: str = "2019-07-15") -> str:
    space = f"http://schema.primaresearch.org/PAGE/gts/pagecontent/{year}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<PcGts xmlns="{space}"><Page '
        f'imageFilename="{image}" imageWidth="400" imageHeight="400"><TextRegion id="r">{body}'
        "</TextRegion></Page></PcGts>"
    )


def page_part(kind: str, name: str, text: str | None, box: tuple[int, ...], inner: str = "") -> str:
    """A word or line with its box as a polygon, the last column and row being part of it."""
    x, y, w, h = box
    corners = ((x, y), (x + w - 1, y), (x + w - 1, y + h - 1), (x, y + h - 1))
    points = " ".join(f"{a},{b}" for a, b in corners)
    said = "" if text is None else f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv>"
    return f'<{kind} id="{name}"><Coords points="{points}"/>{inner}{said}</{kind}>'


def alto(root: Path, some: Words) -> str:
    page, found = a_page(some)
    return str(write(root, {"page.png": png(page), "page.xml": alto_xml(found)}))


def page(root: Path, some: Words) -> str:
    pixels, found = a_page(some)
    body = "".join(page_part("Word", f"w{n}", *word) for n, word in enumerate(found))
    return str(write(root, {"page.png": png(pixels), "page.xml": page_xml(body)}))


# Each writes these words below an empty folder and names what to open.
LAYOUTS: dict[str, Callable[[Path, Words], str]] = {
    layout.__name__: layout for layout in (imagefolder, table, pairs, pylaia, tabs, iam, alto, page)
}


def texts_of(source: Source) -> list[str | None]:
    return [item.text for item in source if isinstance(item, Item)]


def skipped_of(source: Source) -> dict[str, str]:
    return {item.name: item.reason for item in source if isinstance(item, Skipped)}


def items_of(source: Source) -> list[Item]:
    return [item for item in source if isinstance(item, Item)]
