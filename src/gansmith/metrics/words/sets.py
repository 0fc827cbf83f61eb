"""Words that are measured: pictures of one height with their texts and, where known, their writers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.data import Dataset, Strip, order
from gansmith.data.words import characters
from gansmith.errors import GansmithError
from gansmith.measures import LINE_HEIGHT
from gansmith.models.layout import encode, label_rows
from gansmith.runtime import Draw, derive_seed
from gansmith.variance import numbered

KEPT = 0.1  # share of the words that is set aside where none are given
FEWEST_WRITERS = 10  # below which words are set aside and not writers


@dataclass(frozen=True)
class Words:
    """`values` uint8 (N, 1, 32, W), dark on white, filled up on the right; `widths` (N,) their own."""

    values: Tensor
    widths: Tensor
    texts: tuple[str, ...]
    writers: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, rows: Tensor | Sequence[int]) -> Words:
        """Those of these numbers."""
        rows = torch.as_tensor(rows, dtype=torch.int64)
        places = rows.tolist()
        return Words(
            self.values[rows],
            self.widths[rows],
            tuple(self.texts[n] for n in places),
            self.writers and tuple(self.writers[n] for n in places),
        )

    @property
    def hands(self) -> Tensor:
        """(N,): whose each word is, numbered from 0; of words that have writers."""
        assert self.writers is not None
        return numbered(self.writers)

    def labels(self, alphabet: Sequence[str]) -> Tensor:
        """(N, 1 + L): each word's width and its characters' numbers. All must be in the alphabet."""
        return label_rows(self.widths, encode([characters(t) for t in self.texts], alphabet))

    @property
    def identity(self) -> str:
        """SHA-256 (hex) of what is written and of how it looks."""
        said = json.dumps([self.texts, self.widths.tolist(), list(self.values.shape)])
        found = hashlib.sha256(said.encode())
        found.update(self.values.numpy().tobytes())
        return found.hexdigest()


def words_of(dataset: Dataset) -> Words:
    """The words of a data set, at a height of 32. Raises GansmithError where it has none."""
    if dataset.written is None:
        raise GansmithError(
            f"expected words with what they say, found none in {dataset.name}; name others"
        )
    written, strip = dataset.written, dataset.strip
    writers = None if written.writers is None else tuple(written.writers)
    values = strip[torch.arange(len(strip))]
    return at_line_height(Words(values, strip.widths, tuple(written.texts), writers))


def gather(images: Sequence[np.ndarray], texts: Sequence[str]) -> Words:
    """Pictures uint8 (H, w) that are each as wide as they are."""
    strip = Strip.of(images)
    values = strip[torch.arange(len(strip))]
    return at_line_height(Words(values, strip.widths, tuple(texts)))


def at_line_height(words: Words) -> Words:
    """Words twice as high, at half their size: what judges is trained at one height."""
    times = words.values.shape[2] // LINE_HEIGHT
    if times == 1:
        return words
    smaller = [
        F.avg_pool2d(part.float(), times).round().byte() for part in torch.split(words.values, 1024)
    ]
    return Words(torch.cat(smaller), words.widths // times, words.texts, words.writers)


def set_aside(words: Words, seed: int = 0) -> tuple[Tensor, Tensor, str]:
    """Numbers of the words to learn from and of those to keep, and of which kind these are.

    The words of whole writers, so that they are strangers' hands; single words where the writers are
    unknown or few.
    """
    wanted = KEPT * len(words)
    count = len(set(words.writers or ()))
    if count < FEWEST_WRITERS:
        mixed = torch.from_numpy(order(len(words), derive_seed(seed, Draw.HELD_OUT), 0, len(words)))
        kept = torch.zeros(len(words), dtype=torch.bool)
        kept[mixed[: int(wanted)]] = True
        return (~kept).nonzero()[:, 0], kept.nonzero()[:, 0], "words"
    writer = words.hands
    counts = writer.bincount()
    drawn = torch.from_numpy(order(count, derive_seed(seed, Draw.HELD_OUT), 0, count))
    before = counts[drawn].cumsum(0) - counts[drawn]
    kept = torch.isin(writer, drawn[before < wanted])
    return (~kept).nonzero()[:, 0], kept.nonzero()[:, 0], "writers"
