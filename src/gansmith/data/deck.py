"""The order in which a run sees data that lie in many files: a function of (seed, position) alone.

A batch's rows belong to *lanes*, each of which reads one shard at a time and takes a *turn* of so many
of its examples before it goes on to another. Lanes change shards one after the other, so that a batch
mixes as many shards as there are lanes. Which process reads which lanes changes nothing.

In an epoch a shard has as many turns as its examples ask for, on the average over epochs: turns are
whole, so that a small shard sits some epochs out. All its turns together run along its own endless
order, one permutation of its examples after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gansmith.data.order import order
from gansmith.data.source import Array
from gansmith.runtime import Draw, derive_seed


@dataclass(frozen=True)
class Turn:
    """Of one lane with one shard: the examples at `start` … `stop` of that shard's own order."""

    shard: int
    start: int
    stop: int


@dataclass(frozen=True)
class Deck:
    """`sizes`: how many examples each shard has, about; `length`: of a turn, in examples."""

    sizes: tuple[float, ...]
    length: int
    lanes: int
    seed: int

    def turn(self, lane: int, number: int) -> Turn:
        """The number-th turn of a lane."""
        shard, before = self._turn(number * self.lanes + lane)
        return Turn(shard, before * self.length, (before + 1) * self.length)

    def place(self, lane: int, position: int) -> tuple[int, int]:
        """Which turn of a lane its position-th example is in, and how far into it: lanes begin at
        different places of their first turns."""
        return divmod(position + lane * self.length // self.lanes, self.length)

    def _turn(self, number: int) -> tuple[int, int]:
        """The number-th of all lanes' turns: its shard, and how many that shard has had before."""
        # No epoch has had more turns than its examples ask for: it is this one, or a later one.
        epoch = int(number * self.length / sum(self.sizes))
        while (passed := int(self._had(epoch + 1).sum())) <= number:
            epoch += 1
        shards = _dealt(self, epoch)
        at = number - (passed - len(shards))
        shard = int(shards[at])
        return shard, int(self._had(epoch)[shard]) + int((shards[:at] == shard).sum())

    def _had(self, epoch: int) -> Array:
        """How many turns each shard has had before an epoch."""
        return np.floor(epoch * np.asarray(self.sizes) / self.length + 1e-9).astype(np.int64)


@lru_cache(maxsize=4)
def _dealt(deck: Deck, epoch: int) -> Array:
    """The shards of an epoch's turns, in their order."""
    turns = deck._had(epoch + 1) - deck._had(epoch)
    shards = np.repeat(np.arange(len(turns)), turns)
    if not len(shards):
        return shards
    return shards[order(len(shards), derive_seed(deck.seed, Draw.SHARDS, epoch), 0, len(shards))]
