"""Some words of a source, as a file that is a source itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gansmith.data import Item, Skipped, nested, open_source
from gansmith.data.words.decode import Line, decode_word
from gansmith.errors import GansmithError
from gansmith.imaging import png_bytes
from gansmith.run import clear_errors
from gansmith.samples import ROW_GROUP, parquet_writer, replacing

AGAIN = "make room or choose another place, and run it again: the same seed gives the same words"


def write_subset(source: str, out: Path, n: int, seed: int = 0) -> int:
    """Write `n` words of `source` to the Parquet file `out`: image, text and, if known, writer.

    Pictures keep their bytes; what was cut out of a page becomes a PNG. The words are those that
    `gansmith worth` takes where it learns from so many: fewer are among more of the same seed.

    Returns:
        how many writers they are of; 0 where that is not known.

    Raises:
        GansmithError: no words, fewer than `n` that can be used, no room.
    """
    if out.suffix.lower() != ".parquet":
        raise GansmithError(f"--out: expected a name ending in .parquet, found {out.name}")
    opened = open_source(source, words=True)
    usable = [place for place, item in enumerate(opened) if _usable(item)]
    if n > len(usable):
        raise GansmithError(
            f"-n: expected at most {len(usable):,}, as many as {source} has that can be used, "
            f"found {n:,}"
        )
    chosen = {usable[row] for row in nested(len(usable), seed, n).tolist()}
    read = (item for place, item in enumerate(opened) if place in chosen)
    items = [item for item in read if isinstance(item, Item)]
    writers = {item.writer for item in items if item.writer}
    write = parquet_writer(None, ("text", "writer") if writers else ("text",))
    with clear_errors(out, AGAIN):
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as file:
            write(file, map(_row, items), ROW_GROUP)
    return len(writers)


def _usable(item: Item | Skipped) -> bool:
    """Whether training would take it."""
    if isinstance(item, Skipped):
        return False
    try:
        decode_word(item.content, item.text or "", Line())
    except Exception:  # strangers' files make decoders raise anything
        return False
    return True


def _row(item: Item) -> dict[str, Any]:
    content = item.content
    if not isinstance(content, bytes):
        content = png_bytes(Image.fromarray(np.ascontiguousarray(content)))
    row = {"image": {"bytes": content, "path": item.name}, "text": item.text}
    return row | ({"writer": item.writer} if item.writer else {})
