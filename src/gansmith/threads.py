"""How many threads to train with: no more than the machine has free.

A step is some hundred small pieces of work, and at the end of each all threads wait for the last. One
that shares its core with somebody else's program is often the last, by a time slice of the system's:
two threads on two cores, one of them taken, train many times slower than one thread (docs/log.md).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

WINDOW = 2.0  # seconds of training that a number of threads is judged by
BUSY = 0.75  # share of their time that threads get on a machine that is theirs, at least
FASTER = 1.1  # times as fast another number has to be
SOONEST, LATEST = 10.0, 600.0  # seconds until another is tried; twice as long after each in vain


class Threads:
    """Steps of training, with as many threads as are fastest: ``with threads.step(): …``.

    Fewer are tried where threads get less than their time, all of them again later. A step's result
    depends on their number in its last bits: what is to be the same again must not be `adaptive`.
    """

    def __init__(self, adaptive: bool, say: Callable[[str], None]):
        self.most = self.count = torch.get_num_threads()
        fixed = "OMP_NUM_THREADS" in os.environ  # the person has decided
        self.adaptive, self.say = adaptive and self.most > 1 and not fixed, say
        self.before: tuple[int, float] | None = None  # threads and their steps a second
        self.wait, self.trained, self.due = SOONEST, 0.0, 0.0
        self._begin()

    @contextmanager
    def step(self) -> Iterator[None]:
        """A step of training, whose time counts; after some of them their number may be another."""
        seconds, computed = time.perf_counter(), time.process_time()
        yield
        if not self.adaptive:
            return
        self.seconds += time.perf_counter() - seconds
        self.computed += time.process_time() - computed
        self.steps += 1
        if self.seconds >= WINDOW:
            self.trained += self.seconds
            self._judge(self.steps / self.seconds, self.computed / self.seconds)
            self._begin()

    def restore(self) -> None:
        """As many as there were."""
        torch.set_num_threads(self.most)

    def _begin(self) -> None:
        self.steps, self.seconds, self.computed = 0, 0.0, 0.0

    def _judge(self, rate: float, cores: float) -> None:
        """After a window of so many steps a second on so many cores."""
        if self.before:
            count, earlier = self.before
            self.before = None
            if rate < FASTER * earlier:
                self._use(count)
                self.wait = min(2 * self.wait, LATEST)
            else:
                self._tell(count, rate / earlier)
                self.wait = SOONEST
            self.due = self.trained + self.wait
        elif self.trained >= self.due and (other := self._other(cores)) != self.count:
            self.before = self.count, rate
            self._use(other)

    def _other(self, cores: float) -> int:
        """The number to be tried, which may be the same."""
        fewer = max(1, round(cores))
        return fewer if cores < BUSY * self.count and fewer < self.count else self.most

    def _use(self, count: int) -> None:
        self.count = count
        torch.set_num_threads(count)

    def _tell(self, before: int, gain: float) -> None:
        why = "the machine has more free"
        if self.count < before:
            why = "something else runs on this machine, and threads wait for each other"
        self.say(f"threads: {self.count} in place of {before}, {gain:.1f} times as fast: {why}")
