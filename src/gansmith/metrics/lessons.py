"""What recognisers learn from: real words alone, or with synthetic ones beside them.

Every arm's recognisers have as many steps, of as many words, on the same schedule and under the same
distortions; only half of each batch differs, and the last steps belong to real words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.data import Dataset, Strip
from gansmith.data.source import Array
from gansmith.data.words import characters
from gansmith.errors import GansmithError
from gansmith.metrics.kept import Kept
from gansmith.metrics.reading import BATCH, Batches, Referee, batches_of, train_referee
from gansmith.models.layout import encode, label_rows
from gansmith.runtime import Draw, Precision, derive_seed

VERSION = 2  # raise it whenever the same arm would be trained to other weights than before
REAL_ALONE = 0.2  # of the steps, the last
LEFT_OUT = 0.2  # of the synthetic words, those that are read worst


@dataclass(frozen=True)
class Words:
    """Words uint8 (N, 1, 32, W), dark on white, and their labels int64 (N, 1 + L)."""

    values: Tensor | Strip
    labels: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def at(self, rows: Tensor) -> Words:
        return Words(self.values[rows], self.labels[rows])


@dataclass(frozen=True)
class Pool:
    """Synthetic words, made when they are asked for.

    Attributes:
        key: all that decides them.
        make: makes them.
    """

    key: str
    make: Callable[[], Words]


@dataclass(frozen=True)
class Lesson:
    """How every recogniser is trained and tested.

    Attributes:
        key: what the alphabet, the test words and the real ones are, as far as all arms share it.
        characters: how many there are.
        seed: of it all; each recogniser has one that is derived from it.
    """

    key: str
    test: Words
    characters: int
    steps: int
    seed: int
    precision: Precision
    kept: Kept

    def edits(self, real: Words, made: Pool | None, seeds: int) -> Tensor:
        """int64 (S, T): how each seed's recogniser misreads the test words."""
        rows = [self._kept("test", real, made, number) for number in range(seeds)]
        return torch.tensor(rows)

    def without_worst(self, real: Words, made: Pool) -> Pool:
        """The pool without what a recogniser of the real words alone reads worst."""

        def make() -> Words:
            words = made.make()
            edits = self._kept(f"of {made.key}", real, None, 0, words)
            rates = torch.tensor(edits) / (words.labels[:, 1:] > 0).sum(1)
            rows = rates.argsort(stable=True)[: round((1 - LEFT_OUT) * len(words))]
            return words.at(rows.sort().values)

        return Pool(f"{made.key} without the worst of {self._key(real, None, 0)}", cache(make))

    def _kept(
        self, what: str, real: Words, made: Pool | None, number: int, of: Words | None = None
    ) -> list[int]:
        def learn() -> list[int]:
            words = of or self.test
            found = self._trained(real, made, number).errors(words.values, words.labels).edits
            return [int(n) for n in found]

        return self.kept.get({"edits": what, "by": self._key(real, made, number)}, learn)

    def _trained(self, real: Words, made: Pool | None, number: int) -> Referee:
        seed = self._seed(number)
        batches = mixed(real, made.make() if made else None, self.steps, seed)
        return train_referee(
            batches, self.characters, steps=self.steps, seed=seed, precision=self.precision
        )

    def _seed(self, number: int) -> int:
        return derive_seed(self.seed, Draw.USEFULNESS, number)

    def _key(self, real: Words, made: Pool | None, number: int) -> str:
        """All that decides a recogniser."""
        beside = made.key if made else "nothing"
        return (
            f"{VERSION}, torch {torch.__version__}, {self.precision.name}: {self.key}; the first "
            f"{len(real)} words beside {beside}; {self.steps} steps of {BATCH}, seed "
            f"{self.seed}.{number}"
        )


def mixed(real: Words, made: Words | None, steps: int, seed: int, size: int = BATCH) -> Batches:
    """Batches of real words, or half real and half made but for the last `REAL_ALONE` of `steps`.

    Both halves are dealt by one seed, so that words of like width come together.
    """
    whole = batches_of(real.values, real.labels, seed, size)
    if made is None:
        return whole
    own = batches_of(real.values, real.labels, seed, size - size // 2)
    other = batches_of(made.values, made.labels, seed, size // 2)
    alone = steps - round(REAL_ALONE * steps)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        if step >= alone:
            return whole(step)
        (a, b), (c, d) = own(step), other(step)
        return _together(a, c, 255), _together(b, d, 0)

    return batch


def shuffled(words: Words, seed: int) -> Words:
    """The same pictures, each with the text of another of about as many characters."""
    lengths = (words.labels[:, 1:] > 0).sum(1)
    generator = torch.Generator().manual_seed(derive_seed(seed, Draw.USEFULNESS))
    rows = torch.randperm(len(words), generator=generator)
    rows = rows[lengths[rows].argsort(stable=True)]
    labels = words.labels.clone()
    labels[rows, 1:] = words.labels[rows.roll(1), 1:]
    return Words(words.values, labels)


def words_of(data: Dataset, alphabet: Sequence[str]) -> Words:
    """A data set of words as a recogniser takes them."""
    assert data.written is not None
    strip = data.strip
    return Words(strip, _labels(strip.widths, data.written.texts, alphabet))


def gather(made: Iterable[tuple[Array, str]], alphabet: Sequence[str]) -> Words:
    """Words uint8 (32, W) each with its text, together."""
    if not (found := list(made)):
        raise GansmithError("worth: expected words, but there is no ink on any that was written")
    pictures, texts = zip(*found, strict=True)
    strip = Strip.of(pictures)
    return Words(strip, _labels(strip.widths, texts, alphabet))


def _labels(widths: Tensor, texts: Sequence[str], alphabet: Sequence[str]) -> Tensor:
    return label_rows(widths, encode([characters(text) for text in texts], alphabet))


def _together(a: Tensor, b: Tensor, fill: int) -> Tensor:
    """Below each other, the narrower filled up on its right."""
    width = max(a.shape[-1], b.shape[-1])
    return torch.cat([F.pad(x, (0, width - x.shape[-1]), value=fill) for x in (a, b)])
