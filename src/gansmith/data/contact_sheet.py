"""A sheet of small pictures that shows at a glance what a source holds."""

from __future__ import annotations

import math
import random
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gansmith.errors import GansmithError

SIDE = 72  # pixels of a picture on the sheet
GAP = 4
MAX_ROWS = 12  # of classes; with more, classes are mixed
PER_ROW = 12
_CAPTION = 110  # pixels at most on the left for the name of the class


class Sampler:
    """Keeps a fair sample of the pictures that come by, of each class if there are few."""

    def __init__(self, classes: list[str] | None) -> None:
        self.captions = classes if classes and len(classes) <= MAX_ROWS else None
        rows = len(self.captions) if self.captions else 1
        self.rows: list[list[Image.Image]] = [[] for _ in range(rows)]
        self._room = PER_ROW if self.captions else PER_ROW * 8
        self._offered = [0] * rows
        self._random = random.Random(0)

    def offer(self, label: int | None, tile: Image.Image) -> None:
        """Keep the picture or not, so that in the end each had the same chance (reservoir)."""
        number = label if self.captions and label is not None else 0
        row = self.rows[number]
        self._offered[number] += 1
        if len(row) < self._room:
            row.append(tile)
        elif (place := self._random.randrange(self._offered[number])) < self._room:
            row[place] = tile


def draw_sheet(sampler: Sampler, path: Path) -> None:
    """Write the sheet as PNG: a row a class, or rows of a mixture."""
    rows = sampler.rows
    if sampler.captions is None:
        rows = [rows[0][n : n + PER_ROW] for n in range(0, len(rows[0]), PER_ROW)]
    captions = [_shortened(text) for text in sampler.captions or []]
    left = GAP + max((_length(text) + 2 * GAP for text in captions), default=0)
    columns = max(len(row) for row in rows)
    size = (left + columns * (SIDE + GAP), GAP + len(rows) * (SIDE + GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top = GAP + number * (SIDE + GAP)
        if captions:
            middle = (left - 2 * GAP, top + SIDE // 2)
            draw.text(middle, captions[number], fill="black", font=_font(), anchor="rm")
        for column, tile in enumerate(row):
            sheet.paste(tile, (left + column * (SIDE + GAP), top))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, format="PNG")
    except OSError as error:
        raise GansmithError(f"Can't write {path} ({error.strerror or error}).") from None


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(13)


def _length(text: str) -> int:
    return math.ceil(_font().getlength(text))


def _shortened(text: str) -> str:
    while _length(text) > _CAPTION:
        text = text.rstrip("…")[:-1] + "…"
    return text
