"""Pictures of words of which nobody knows, or needs to know, what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gansmith.data.source import Item, Skipped, Source


class Unlabelled(Source):
    """The pictures of any source as words; labels, texts and writers, if it has any, are let go."""

    kind = "words"

    def __init__(self, source: Source) -> None:
        self.name, self._source = source.name, source
        self.variant = f"{source.variant}, unlabelled"

    def __len__(self) -> int:
        return len(self._source)

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        for item in self._source.read(step):
            if isinstance(item, Item):
                item = replace(item, label=None, text=None, writer=None)
            yield item

    def files(self) -> dict[str, Path]:
        return self._source.files()
