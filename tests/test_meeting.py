"""Processes meet beside what an earlier start has left."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import torch.distributed as dist

from gansmith.meeting import meet

PATIENCE = timedelta(seconds=20)


def start(store: dist.Store, late: tuple[float, ...]) -> list[bytes]:
    """What each process of a start reads of what the next one wrote where they have met."""
    found, size = [b""] * len(late), len(late)

    def come(rank: int) -> None:
        time.sleep(late[rank])
        place = meet(store, rank, size, PATIENCE)
        own = f"{threading.get_ident()}".encode()
        place.set(f"address/{rank}", own)
        found[rank] = place.get(f"address/{(rank + 1) % size}")
        written[rank] = own

    written = [b""] * size
    threads = [threading.Thread(target=come, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [written[(rank + 1) % size] for rank in range(size)]
    return found


def test_nobody_reads_what_an_earlier_start_wrote() -> None:
    store = dist.HashStore()
    lateness = [(0, 0, 0), (0.3, 0, 0), (0, 0.3, 0), (0, 0.2, 0.4), (0.4, 0.2, 0)]
    starts = [start(store, late) for late in lateness]
    assert len({name for names in starts for name in names} | {b""}) > 3


def test_a_start_of_which_one_never_came_is_nobodys() -> None:
    """The last start's second process is gone before it has met the first: they do not count as met."""
    store = dist.HashStore()
    store.set("name/0", "old")
    store.set("name/1", "gone")
    store.set("names", "old gone")
    with pytest.raises(dist.DistStoreError):
        meet(store, 0, 2, timedelta(seconds=0.3))  # alone: "gone" does not answer
    with pytest.raises(dist.DistStoreError):
        meet(store, 1, 2, timedelta(seconds=0.3))
    start(store, (0.1, 0))


def test_another_number_of_processes_meets_as_well() -> None:
    store = dist.HashStore()
    start(store, (0, 0, 0, 0))
    start(store, (0, 0.1))
    start(store, (0.1, 0, 0))
