"""Batches of data that lie in more files than can be here at once."""

from __future__ import annotations

import torch
from torch import Tensor

from gansmith.augment import augment
from gansmith.config import Config, DataSpec
from gansmith.data import Dataset, Turn, order
from gansmith.runtime import Draw, derive_seed
from gansmith.stream import Batch, Stream, to_network
from gansmith.world import World


class ShardStream(Stream):
    """The same as any other stream. Its batches come out of all shards; what is shown, compared with,
    kept from training and held to be `recent` are the data set's own examples, which stand for all.

    Each process opens the shards of its own rows' lanes alone (`data.deck`).
    """

    def __init__(
        self, dataset: Dataset, config: Config, spec: DataSpec, world: World, device: torch.device
    ):
        super().__init__(dataset, config, spec, world, device)
        assert dataset.shards is not None
        assert dataset.places is not None
        self.shards = dataset.shards
        self.deck = self.shards.deck(config.batch_size, config.seed)
        self.share = config.batch_size // self.deck.lanes  # of a batch, a lane's rows
        self.total = self.shards.count
        self._kept = dataset.places[self.held_rows.cpu()]
        self._turns: dict[tuple[int, int], tuple[Turn, Tensor]] = {}

    def batch(self, index: int) -> Batch:
        parts = []
        for lane in range(self.own.start // self.share, -(-self.own.stop // self.share)):
            first = max(0, self.own.start - lane * self.share)
            stop = min(self.share, self.own.stop - lane * self.share)
            parts.append(self._of_lane(lane, index * self.share + first, stop - first))
        batch = self._joined(parts)
        if self.real_only:
            batch = batch._replace(real=augment(batch.real, self.real_only, 1.0))
        return batch

    def _of_lane(self, lane: int, position: int, count: int) -> tuple[Tensor, Tensor | None]:
        """So many of a lane's examples, as they lie in their shards, and their labels."""
        values, labels = [], []
        while count:
            number, begin = self.deck.place(lane, position)
            turn, rows = self._turn(lane, number)
            chosen = rows[begin : begin + count]
            opened = self.shards.open(turn.shard)
            values.append(opened.values[chosen])
            if opened.labels is not None:
                labels.append(opened.labels[chosen])
            position, count = position + len(chosen), count - len(chosen)
        return torch.cat(values), torch.cat(labels) if labels else None

    def _turn(self, lane: int, number: int) -> tuple[Turn, Tensor]:
        """A lane's turn, and the rows of its shard that it takes; the next one's shard is expected."""
        if (lane, number) not in self._turns:
            turn = self.deck.turn(lane, number)
            rows = self._free(turn.shard)
            seed = derive_seed(self.config.seed, Draw.SHARD, turn.shard)
            chosen = order(len(rows), seed, turn.start, turn.stop - turn.start)
            self._turns[lane, number] = turn, rows[torch.from_numpy(chosen)]
            self._turns.pop((lane, number - 2), None)
            self.shards.expect(self.deck.turn(lane, number + 1).shard)
        return self._turns[lane, number]

    def _free(self, shard: int) -> Tensor:
        """The rows of a shard that are trained on: all but those that are kept from it."""
        free = torch.ones(len(self.shards.open(shard).values), dtype=torch.bool)
        free[self._kept[self._kept[:, 0] == shard, 1]] = False
        return torch.nonzero(free)[:, 0]

    def _joined(self, parts: list[tuple[Tensor, Tensor | None]]) -> Batch:
        values = torch.cat([v for v, _ in parts]).to(self.device, non_blocking=True)
        labels = [known for _, known in parts if known is not None]
        known = torch.cat(labels).to(self.device) if labels and self.spec.classes else None
        return Batch(to_network(values, self.spec), known)
