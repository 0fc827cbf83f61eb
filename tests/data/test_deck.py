"""Which example of which shard comes when."""

from __future__ import annotations

from collections import Counter

import pytest

from gansmith.data.deck import Deck


def taken(deck: Deck, turns: int) -> list[tuple[int, int, int]]:
    """(shard, start, stop) of all lanes' turns, in the order they are dealt in."""
    return [
        (turn.shard, turn.start, turn.stop)
        for number in range(turns)
        for turn in (deck.turn(lane, number) for lane in range(deck.lanes))
    ]


def test_in_an_epoch_of_equal_shards_each_has_as_many_turns() -> None:
    deck = Deck((200.0,) * 6, 100, lanes=4, seed=3)
    dealt = taken(deck, 3)
    assert Counter(shard for shard, _, _ in dealt) == dict.fromkeys(range(6), 2)
    assert {turn[1:] for turn in dealt} == {(0, 100), (100, 200)}


def test_a_shards_turns_run_along_its_own_order_without_gaps_and_twice() -> None:
    deck = Deck((130.0, 70.0, 250.0), 50, lanes=2, seed=0)
    dealt = taken(deck, 400)
    for shard in range(3):
        starts = sorted(start for s, start, _ in dealt if s == shard)
        assert starts == list(range(0, 50 * len(starts), 50))


def test_shards_are_read_as_their_sizes_ask() -> None:
    sizes = (10.0, 90.0, 300.0, 1600.0)
    deck = Deck(sizes, 100, lanes=4, seed=1)
    dealt = Counter(shard for shard, _, _ in taken(deck, 5000))
    for shard, size in enumerate(sizes):
        assert dealt[shard] == pytest.approx(20_000 * size / sum(sizes), rel=0.02)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    deck, other = (Deck((100.0,) * 20, 100, lanes=1, seed=seed) for seed in (0, 1))
    first, second = ([deck.turn(0, epoch * 20 + n).shard for n in range(20)] for epoch in range(2))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert first != [other.turn(0, n).shard for n in range(20)]


def test_lanes_change_shards_one_after_the_other() -> None:
    deck = Deck((100.0,) * 8, 100, lanes=4, seed=0)
    changes = [next(p for p in range(101) if deck.place(lane, p)[0]) for lane in range(4)]
    assert changes == [100, 75, 50, 25]


def test_a_few_examples_among_many_are_reached() -> None:
    """Epochs without any turn are passed over."""
    deck = Deck((3.0, 4.0), 10, lanes=1, seed=0)
    assert Counter(deck.turn(0, n).shard for n in range(70)) == {0: 30, 1: 40}
