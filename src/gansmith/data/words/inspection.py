"""A thorough look at words: lengths, alphabet, widths, writers, and what can't be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from gansmith.data import pictures
from gansmith.data.parallel import map_items
from gansmith.data.source import Array, Item, Skipped, Source
from gansmith.data.words.decode import Line, decode_word
from gansmith.data.words.text import characters, count_characters
from gansmith.errors import GansmithError
from gansmith.measures import LINE_HEIGHT

SHOWN, SHEET_WIDTH = 120, 1200
RARE = 5  # a character seen fewer times is hardly learnt
GAP = 6
LISTED = 10
BINS = (1, 2, 4, 6, 9, 13, 21)  # lengths: from each to below the next


@dataclass(frozen=True)
class WordInspection:
    """What is in a source of words.

    Attributes:
        name: what the source is called.
        count: how many words there are, those that can't be used included.
        alphabet: how often each character is written, most frequent first.
        lengths: of each usable word, in characters.
        heights: of the pictures in pixels, each with how many there are.
        widths: of each word, in pixels a character at a height of 32.
        different: how many different texts there are.
        writers: how many words each wrote; None where the source does not say.
        unusable: what can't be used, and why.
        contact_sheet: where the sheet was written, if it was.
    """

    name: str
    count: int
    alphabet: dict[str, int]
    lengths: list[int]
    heights: dict[int, int]
    widths: list[float]
    different: int
    writers: dict[str, int] | None
    unusable: list[Skipped] = field(default_factory=list)
    contact_sheet: Path | None = None

    def __str__(self) -> str:
        return describe(self)


def inspect_words(
    source: Source,
    *,
    contact_sheet: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WordInspection:
    """Look at every word of a source.

    Args:
        source: what to look at; its kind is "words".
        contact_sheet: where to write a PNG with up to `SHOWN` of them; nowhere if None.
        progress: called with (done, total) now and then.

    Raises:
        GansmithError: the source as a whole can't be read, or the sheet not be written.
    """
    items: list[Item] = []
    looks: list[tuple[int, float, Array]] = []
    unusable: list[Skipped] = []
    for done, result in enumerate(map_items(partial(_look, Line()), source), start=1):
        if progress and (done % 256 == 0 or done == len(source)):
            progress(done, len(source))
        if isinstance(result, Skipped):
            unusable.append(result)
        elif isinstance(result[1], str):
            unusable.append(Skipped(result[0].name, result[1]))
        else:
            items.append(result[0])
            looks.append(result[1])
    every = max(1, len(looks) // SHOWN)
    if contact_sheet and looks:
        draw_words([look[2] for look in looks[::every]][:SHOWN], contact_sheet)
    texts = [item.text or "" for item in items]
    writers = Counter(item.writer for item in items if item.writer)
    return WordInspection(
        name=source.name,
        count=len(source),
        alphabet=dict(count_characters(texts).most_common()),
        lengths=[len(characters(text)) for text in texts],
        heights=dict(Counter(look[0] for look in looks).most_common()),
        widths=[look[1] for look in looks],
        different=len(set(texts)),
        writers=dict(writers.most_common()) or None,
        unusable=unusable,
        contact_sheet=contact_sheet if looks else None,
    )


def describe(found: WordInspection) -> str:
    """Say what was found as text for a person."""
    usable = len(found.lengths)
    lines = [f"{found.name}: {found.count:,} words, {usable:,} usable"]
    if usable:
        lines += list(_about_texts(found))
    lines.append(f"unusable: {len(found.unusable):,}")
    lines += [f"  {skipped.name}: {skipped.reason}" for skipped in found.unusable[: 2 * LISTED]]
    if len(found.unusable) > 2 * LISTED:
        lines.append(f"  and {len(found.unusable) - 2 * LISTED:,} more")
    if found.contact_sheet:
        lines.append(f"contact sheet: {found.contact_sheet}")
    return "\n".join(lines)


def _about_texts(found: WordInspection) -> list[str]:
    lengths, widths = np.array(found.lengths), np.array(found.widths)
    ends = [*BINS[1:], int(lengths.max()) + 1]
    bins = {
        (str(a) if b == a + 1 else f"{a}–{b - 1}"): int(((lengths >= a) & (lengths < b)).sum())
        for a, b in zip(BINS, ends, strict=True)
        if b > a
    }
    rare = [c for c, n in found.alphabet.items() if n < RARE]
    low, middle, high = np.percentile(widths, (5, 50, 95))
    lines = [
        f"texts: {found.different:,} different, of "
        f"{lengths.min()} to {lengths.max()} characters: "
        + ", ".join(f"{name} ({count:,})" for name, count in bins.items() if count),
        f"alphabet: {len(found.alphabet)} characters: "
        + " ".join(f"{_shown(c)} {n:,}" for c, n in found.alphabet.items()),
        f"width a character at a height of {LINE_HEIGHT}: {middle:.0f} pixels, "
        f"nine in ten {low:.0f} to {high:.0f}",
        "heights: " + ", ".join(f"{h} ({n:,})" for h, n in list(found.heights.items())[:LISTED]),
    ]
    if rare:
        lines.insert(2, f"  fewer than {RARE} times, so hardly to be learnt: {' '.join(rare)}")
    if found.writers:
        counts = list(found.writers.values())
        lines.append(f"writers: {len(counts):,}, of {min(counts):,} to {max(counts):,} words each")
    else:
        lines.append("writers: not known (a column writer would tell)")
    return lines


def draw_words(words: list[Array], path: Path) -> None:
    """Write words, uint8 H×W of one height, as they fit into rows."""
    rows: list[list[Array]] = [[]]
    left = GAP
    for word in words:
        if left + word.shape[1] + GAP > SHEET_WIDTH and rows[-1]:
            rows.append([])
            left = GAP
        rows[-1].append(word)
        left += word.shape[1] + 2 * GAP
    height = words[0].shape[0] + 2 * GAP
    width = max(sum(w.shape[1] + 2 * GAP for w in row) for row in rows) + GAP
    sheet = np.full((len(rows) * height, width), 255, np.uint8)
    for number, row in enumerate(rows):
        left, top = GAP, number * height + GAP
        for word in row:
            sheet[top : top + word.shape[0], left : left + word.shape[1]] = word
            left += word.shape[1] + 2 * GAP
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(path, format="PNG")
    except OSError as error:
        raise GansmithError(f"Can't write {path} ({error.strerror or error}).") from None


def _look(line: Line, item: Item) -> tuple[int, float, Array] | str:
    """Height in pixels, width a character at height 32, and the word; or why it can't be used."""
    try:
        with pictures.open_picture(item.content) as opened:
            width, height = pictures.size_upright(opened)
        text = item.text or ""
        each = LINE_HEIGHT * width / height / max(1, len(characters(text)))
        return height, each, decode_word(item.content, text, line)
    except Exception as error:  # strangers' files make decoders raise anything
        return pictures.reason_for(error)


def _shown(c: str) -> str:
    return "space" if c == " " else c
