"""Do the same to every item on all processors, in order, with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from gansmith.data.source import Item, Skipped

Result = TypeVar("Result")

# Handing over a picture of 28×28 costs more than decoding it, so small ones travel in chunks; the
# bound in bytes keeps chunks of photographs short.
CHUNK_ITEMS = 64
CHUNK_BYTES = 8 * 2**20


def map_items(
    function: Callable[[Item], Result], items: Iterable[Item | Skipped]
) -> Iterator[tuple[Item, Result] | Skipped]:
    """Yield each item with ``function`` of it, in order; what is skipped passes through.

    Threads rather than processes: Pillow decodes and resizes with the interpreter lock released.
    """
    workers = min(16, os.cpu_count() or 1)
    pending: deque[Future[list[tuple[Item, Result] | Skipped]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for chunk in _chunks(items):
                pending.append(pool.submit(_apply, function, chunk))
                if len(pending) > 2 * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:  # when the reader stops early, so do the workers
            for future in pending:
                future.cancel()


def _apply(
    function: Callable[[Item], Result], chunk: list[Item | Skipped]
) -> list[tuple[Item, Result] | Skipped]:
    return [item if isinstance(item, Skipped) else (item, function(item)) for item in chunk]


def _size(item: Item | Skipped) -> int:
    if isinstance(item, Skipped):
        return 0
    return len(item.content) if isinstance(item.content, bytes) else item.content.nbytes


def _chunks(items: Iterable[Item | Skipped]) -> Iterator[list[Item | Skipped]]:
    chunk: list[Item | Skipped] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += _size(item)
        if len(chunk) == CHUNK_ITEMS or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
