"""How the processes of one start of a run find each other, and nobody else.

torch's elastic launcher starts lost processes anew beside the store of the start before (pytorch issue
135712). There a process can read where another one listened that is gone; it is then refused, or
waits for half an hour for one that never heard of it.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from datetime import timedelta

from torch.distributed import DistStoreError
from torch.distributed.distributed_c10d import PrefixStore, Store

GLANCE = 0.05  # seconds


def meet(store: Store, rank: int, size: int, patience: timedelta) -> Store:
    """A part of the store that nobody used before: the same for all `size` processes of this start.

    Each writes a name that nobody had before it. The first process puts the names it sees into a
    list, and takes a new look until everyone has found its own in there. What is left of an earlier
    start can't pass: in a list with an old name, the one that it stands for misses its new one.

    Raises DistStoreError where they have not met in time.
    """
    until, own = time.monotonic() + patience.total_seconds(), uuid.uuid4().hex
    store.set(f"name/{rank}", own)
    while time.monotonic() < until:
        if rank == 0:
            names = [store.get(f"name/{other}").decode() for other in range(size)]
            store.set("names", " ".join(names))
        else:
            names = store.get("names").decode().split()
        here = hashlib.sha256(" ".join(names).encode()).hexdigest()
        if len(names) == size and names[rank] == own:
            store.set(f"{here}/{rank}", "")
            if store.check([f"{here}/{other}" for other in range(size)]):
                return PrefixStore(here, store)
        time.sleep(GLANCE)
    raise DistStoreError("they did not come in time")
