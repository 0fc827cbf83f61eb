"""Words in tables: Parquet files and Hugging Face data sets with a column of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gansmith.data.huggingface import HuggingFaceSource
from gansmith.data.parquet import ParquetSource
from gansmith.data.source import Item, Skipped
from gansmith.data.words.layouts import TEXT_NAMES, WRITER_NAMES
from gansmith.data.words.text import normalise, reason_against


class WordParquet(ParquetSource):
    """Rows of ``image``, ``text`` and, where there is one, ``writer``."""

    kind = "words"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.classes = self._labels = None
        self._texts, self._writers = columns_of(self.columns, self.column)
        self.has_texts = self._texts is not None

    def _item(self, row: int, value: Any) -> Item | Skipped:
        item = super()._item(row, value)
        return _with_text(item, row, self._texts, self._writers)


class WordHub(HuggingFaceSource):
    """The same of a data set that ``datasets`` loads."""

    kind = "words"

    def __init__(self, spec: str) -> None:
        super().__init__(spec)
        self.classes = self._labels = None
        names = list(self._rows.column_names)
        self._texts, self._writers = columns_of(names, lambda name: list(self._rows[name]))
        self.has_texts = self._texts is not None

    def _item(self, name: str, image: dict[str, Any] | None, row: int) -> Item | Skipped:
        item = super()._item(name, image, row)
        return _with_text(item, row, self._texts, self._writers)


def columns_of(names: list[str], read: Any) -> tuple[list[Any] | None, list[Any] | None]:
    """The texts and the writers of such a table's rows; None where it has no such column."""
    by_name = {name.lower(): name for name in names}
    found = []
    for wanted in (TEXT_NAMES, WRITER_NAMES):
        name = next((by_name[n] for n in wanted if n in by_name), None)
        found.append(None if name is None else read(name))
    texts, writers = found
    # A column of that name that holds no texts is something else's.
    if texts is not None and not all(isinstance(t, str) or t is None for t in texts):
        texts = None
    return texts, writers


def _with_text(
    item: Item | Skipped, row: int, texts: list[Any] | None, writers: list[Any] | None
) -> Item | Skipped:
    if isinstance(item, Skipped):
        return item
    written = texts[row] if texts else None
    text = None if written is None else normalise(written)
    if wrong := reason_against(text):
        return Skipped(item.name, wrong)
    writer = writers[row] if writers else None
    return Item(item.name, item.content, text=text, writer=None if writer is None else str(writer))
