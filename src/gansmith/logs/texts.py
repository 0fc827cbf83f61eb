"""Losses in CSV files and in printed lines."""

from __future__ import annotations

import csv
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from gansmith.errors import GansmithError
from gansmith.logs.names import Names, named

NUMBER = (
    r"[-+]?(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+"
    r"|(?i:nan|inf(?:inity)?))"
)
# ``Loss_D: 0.31``, ``d=0.31``, ``[D loss: 0.31]``, ``D(G(z)): 0.2 / 0.1``, ``'g_loss': 0.31``
VALUE = re.compile(rf"[:=]\s*({NUMBER})(?![\w.])")
NO_NAME = re.compile(r"[^\w /().-]")  # what can't be part of a printed name
LONGEST_NAME, LONGEST_LINE = 80, 1000


def _text(path: Path) -> str:
    content = path.read_bytes()
    wide = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))  # as PowerShell's ``>`` writes
    return content.decode("utf-16" if wide else "utf-8-sig", "replace")


def of_csv(path: Path, look: Names) -> Iterator[dict[str, float]]:
    lines = [line for line in _text(path).splitlines() if line.strip()]
    if not lines:
        return
    rows = csv.reader(lines, delimiter=max("\t;,", key=lines[0].count))
    try:
        figures = [look.figure(name) for name in next(rows)]
        for row in rows:
            yield named(zip(figures, row, strict=False))
    except csv.Error as error:
        raise GansmithError(
            f"{path}: expected a CSV file, found something else ({error})"
        ) from None


def of_lines(path: Path, look: Names) -> Iterator[dict[str, float]]:
    for line in _text(path).splitlines():
        found = named(_pairs(line[:LONGEST_LINE], look))
        if found.keys() - {"step"}:
            yield found


def _pairs(line: str, look: Names) -> Iterator[tuple[str | None, str]]:
    """Each number that is told in a line, with the figure that it is."""
    end = 0
    for match in VALUE.finditer(line):
        start = match.start()
        name = _name_in(line[max(end, start - LONGEST_NAME) : start])
        end = match.end()
        if name:
            yield look.figure(name), match[1].replace(",", "")


@lru_cache(maxsize=4096)
def _name_in(text: str) -> str:
    """The name with which `text` ends: ``[3/5] Epoch 3 D_loss`` → ``D_loss``."""
    words = NO_NAME.split(text.rstrip(" \t'\""))[-1].split()
    numbers = [i for i, word in enumerate(words) if word.lstrip("(/.-")[:1].isdigit()]
    return " ".join(words[numbers[-1] + 1 :] if numbers else words).lstrip("(/.- ")
