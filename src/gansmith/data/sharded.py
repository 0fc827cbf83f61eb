"""Shards, decoded one by one as they are needed, and kept while there is room."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO, NamedTuple

import torch
from torch import Tensor

from gansmith.data import cache
from gansmith.data.deck import Deck
from gansmith.data.decoding import DECODER_VERSION, Progress, decode_pictures, decoded
from gansmith.data.pictures import Shape
from gansmith.data.record import Record
from gansmith.data.shards import ShardSource, kept_in
from gansmith.data.source import Skipped

ANCHORED = 8192  # examples, of the shards looked at, that stand for all where all can't be had
TURN = 1024  # examples that are taken from a shard before the next, at most
LANES = 16  # shards that a batch mixes, at most
MOST_OPEN = 64


class Opened(NamedTuple):
    """A decoded shard: uint8 (N, C, H, W), mapped from disk, and int64 (N,) or None."""

    values: Tensor
    labels: Tensor | None


class Shards:
    """Pictures of one shape out of many files, more than there is room for.

    Args:
        disk_gb: the most room (10⁹ bytes) in the cache for what is kept of shards, this run's and
            others'; what was not used for longest makes way. One shard more may be there for a time.
        max_skipped: the share of a shard's pictures above which to stop.
    """

    def __init__(self, source: ShardSource, shape: Shape, max_skipped: float, disk_gb: float):
        self._source, self._shape, self._max_skipped = source, shape, max_skipped
        self._room = disk_gb * 1e9
        self._open: dict[int, Future[Opened]] = {}  # what was used last is last
        self._decoders = ThreadPoolExecutor(1, thread_name_prefix="shards")
        self.skipped: list[Skipped] = []
        self.sizes: tuple[float, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the files' names and sizes, and of how they are decoded."""
        files = [(shard.name, shard.bytes) for shard in self._source.shards]
        return _sha256([DECODER_VERSION, files, self._source.classes, asdict(self._shape)])

    @property
    def count(self) -> int:
        """Of all examples, as far as the files' sizes tell."""
        return round(sum(self.sizes))

    def deck(self, batch_size: int, seed: int) -> Deck:
        """The order in which a run with such batches sees them."""
        most = min(LANES, len(self.sizes))
        lanes = next(n for n in range(most, 0, -1) if batch_size % n == 0)
        return Deck(self.sizes, max(1, min(TURN, int(median(self.sizes)))), lanes, seed)

    def anchor(self, progress: Progress | None) -> tuple[Tensor, Tensor | None, Tensor]:
        """Examples of the shards looked at, evenly spread: values, labels, and where each lies
        (N, 2), shard and row. Also finds out how large the shards are."""
        numbers = self._source.looked_at
        each = max(1, ANCHORED // len(numbers))
        values, labels, places, counts = [], [], [], []
        for done, number in enumerate(numbers, start=1):
            opened = self.open(number)
            count = len(opened.values)
            counts.append(count)
            rows = torch.arange(0, count, max(1, count // each))[:each]
            values.append(opened.values[rows])
            if opened.labels is not None:
                labels.append(opened.labels[rows])
            places.append(torch.stack([torch.full_like(rows, number), rows], 1))
            if progress:
                progress(sum(counts), round(sum(counts) / done * len(numbers)))
        files = self._source.shards
        bytes_each = sum(files[n].bytes for n in numbers) / sum(counts)
        self.sizes = tuple(shard.bytes / bytes_each for shard in files)
        return torch.cat(values), torch.cat(labels) if labels else None, torch.cat(places)

    def open(self, number: int) -> Opened:
        """A shard, decoded. Raises GansmithError where it can't be had or read."""
        return self._future(number).result()

    def expect(self, number: int) -> None:
        """Begin to decode a shard that will be asked for."""
        self._future(number)

    def _future(self, number: int) -> Future[Opened]:
        future = self._open.pop(number, None) or self._decoders.submit(self._decoded, number)
        self._open[number] = future
        while len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        return future

    def _decoded(self, number: int) -> Opened:
        shard = self._source.shards[number]
        identity = [DECODER_VERSION, shard.path, shard.state, self._source.classes]
        entry = kept_in() / _sha256([*identity, asdict(self._shape)])[:32]
        values, record = decoded(
            entry,
            partial(self._decode, number),
            self._max_skipped,
            memory_gb=0,
            before=partial(make_room, kept_in(), self._room),
        )
        self.skipped += [Skipped(f"{shard.name}: {name}", why) for name, why in record.skipped]
        with suppress(OSError):
            os.utime(entry)
        labels = None if record.labels is None else torch.tensor(record.labels, dtype=torch.int64)
        return Opened(torch.from_numpy(values), labels)

    def _decode(self, number: int, file: IO[bytes]) -> Record:
        with self._source.open(number) as source:
            return decode_pictures(source, self._shape, None, file)


def make_room(folder: Path, most: float) -> None:
    """Remove what was not used for longest until no more than `most` bytes are left.

    What another process still reads stays until it has done so: names go, open files do not.
    """
    entries = sorted((_last_used(path), _bytes(path), path) for path in folder.glob("*"))
    total = sum(size for _, size, _ in entries)
    for _, size, path in entries:
        if total <= most:
            return
        cache.remove(path)
        total -= size


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _bytes(path: Path) -> int:
    parts = list(path.glob("*")) if path.is_dir() else [path]
    total = 0
    for part in parts:
        with suppress(OSError):
            total += part.stat().st_size
    return total


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
