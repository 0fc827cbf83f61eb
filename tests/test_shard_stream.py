"""Batches out of many files: the same for any number of processes, from any step on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from gansmith.data import Dataset, open_source, prepare
from gansmith.data import sharded as decoded_shards
from gansmith.shard_stream import ShardStream
from gansmith.stream import describe
from gansmith.world import World
from tests.builders import CPU, config
from tests.shards import write_shards


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """200 pictures in five shards; a turn is 20, and half of them stand for all."""
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded_shards, "TURN", 20)
    monkeypatch.setattr(decoded_shards, "ANCHORED", 100)
    folder = write_shards(tmp_path / "many")
    return prepare(open_source(f"shards:{folder}"), height=16, width=16)


def stream(data: Dataset, world: World | None = None, **changes: object) -> ShardStream:
    a_config = config(**{"batch_size": 8, "conditional": "yes", "held_out": 0, **changes})
    return ShardStream(data, a_config, describe(data, a_config), world or World(), CPU)


def greys(values: torch.Tensor) -> list[int]:
    return ((values[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_a_batch_is_a_function_of_its_number_alone(data: Dataset) -> None:
    one, other = stream(data), stream(data)
    seen = [one.batch(i) for i in range(30)]
    assert torch.equal(other.batch(29).real, seen[29].real)
    assert torch.equal(other.batch(11).real, seen[11].real)
    assert greys(seen[0].real) != greys(stream(data, seed=1).batch(0).real)


def test_pictures_keep_their_labels(data: Dataset) -> None:
    batch = stream(data).batch(5)
    assert batch.labels is not None
    assert [grey // 40 for grey in greys(batch.real)] == batch.labels.tolist()


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_the_processes_share_out_exactly_one_processs_batch(data: Dataset, processes: int) -> None:
    whole = stream(data)
    parts = [stream(data, World(rank, processes)) for rank in range(processes)]
    for index in (0, 7, 40):
        together = torch.cat([part.batch(index).real for part in parts])
        assert torch.equal(together, whole.batch(index).real)


def test_a_process_opens_the_shards_of_its_own_lanes_alone(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stream(data, World(0, 2))
    assert first.deck.lanes == 4
    asked = set()
    assert data.shards is not None
    opened = data.shards.open
    monkeypatch.setattr(data.shards, "open", lambda n: asked.add(n) or opened(n))
    first.batch(0)
    lanes = {first.deck.turn(lane, 0).shard for lane in (0, 1)}
    assert asked == lanes


def test_sorted_by_class_a_batch_is_mixed_all_the_same(data: Dataset) -> None:
    a_stream = stream(data)
    kinds = [len(set(a_stream.batch(i).labels.tolist())) for i in range(25)]  # type: ignore[union-attr]
    assert sum(kinds) / len(kinds) > 2.2


def test_an_epoch_has_all_examples_about_once(data: Dataset) -> None:
    """But for where lanes begin in their first turns, and whose turn it is at the end."""
    a_stream = stream(data)
    seen = Counter(g for i in range(250) for g in greys(a_stream.batch(i).real))  # ten epochs
    assert set(seen) == set(range(200))
    assert min(seen.values()) >= 8
    assert max(seen.values()) <= 12


def test_what_is_kept_from_training_is_never_dealt(data: Dataset) -> None:
    a_stream = stream(data, held_out=0.4)
    kept = set(data.values[a_stream.held_rows, 0, 0, 0].tolist())
    assert len(kept) == 40
    seen = {g for i in range(250) for g in greys(a_stream.batch(i).real)}
    assert seen == set(range(200)) - kept


def test_an_epoch_counts_all_and_what_is_shown_is_of_all_classes(data: Dataset) -> None:
    a_stream = stream(data)
    assert a_stream.total == data.epoch == pytest.approx(200, abs=2)
    assert a_stream.size == 100
    labels = a_stream.reference(50).labels
    assert labels is not None
    assert set(labels.tolist()) == set(range(5))


def test_recent_examples_are_as_mixed_as_all(data: Dataset) -> None:
    """Those of a process's own lanes would be of few classes, which looks like damaged data."""
    a_stream = stream(data, World(0, 4))
    for step in (0, 10, 100):
        labels = a_stream.recent(step, 50).labels
        assert labels is not None
        assert len(set(labels.tolist())) == 5
