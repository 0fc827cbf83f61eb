"""Threads of training, on a machine that is made up: so many cores, some of them taken."""

from __future__ import annotations

import pytest
import torch

from gansmith import threads
from gansmith.threads import Threads


class Machine:
    """Threads share `cores`, of which `taken` are somebody else's; torch and the clocks are its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cores: int):
        self.count = self.cores = cores
        self.taken, self.now, self.computed, self.scales = 0, 0.0, 0.0, True
        self.said: list[str] = []
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(torch, "get_num_threads", lambda: self.count)
        monkeypatch.setattr(torch, "set_num_threads", self.use)
        monkeypatch.setattr(threads.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(threads.time, "process_time", lambda: self.computed)

    def use(self, count: int) -> None:
        self.count = count

    def step(self) -> None:
        """A tenth of a second's work for one core; a thread without one of its own stops all."""
        free = self.cores - self.taken
        seconds = 0.1 / (self.count if self.scales else 1)
        if self.count > free:
            seconds = 1.0
        self.now += seconds
        self.computed += seconds * (min(self.count, max(free, 0.5)) if self.scales else 1)

    def train(self, seconds: float, count: Threads) -> float:
        """Steps a second."""
        steps, end = 0, self.now + seconds
        while self.now < end:
            with count.step():
                self.step()
            steps += 1
        return steps / seconds


def test_threads_that_are_waited_for_are_done_without_and_come_back_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, cores=4)
    found = Threads(True, machine.said.append)
    assert machine.train(30, found) == pytest.approx(40, rel=0.05)
    assert (machine.count, machine.said) == (4, [])
    machine.taken = 2
    machine.train(5, found)
    assert machine.count == 2
    assert machine.train(1000, found) == pytest.approx(20, rel=0.05)  # trials now and then included
    assert machine.said == [
        "threads: 2 in place of 4, 20.0 times as fast: something else runs on this machine, and "
        "threads wait for each other"
    ]
    machine.taken = 0
    machine.train(threads.LATEST + 10, found)
    assert machine.count == 4
    assert "4 in place of 2, 2.0 times as fast: the machine has more free" in machine.said[1]


def test_where_one_thread_works_and_fewer_are_no_faster_it_is_tried_ever_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, cores=2)
    machine.scales = False
    found = Threads(True, machine.said.append)
    turns: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", lambda n: (turns.append(n), machine.use(n)))
    machine.train(1000, found)
    assert (machine.count, machine.said) == (2, [])
    assert turns == [1, 2] * (len(turns) // 2)
    assert 5 <= len(turns) // 2 <= 7  # after 20 seconds, 40, 80 …


def test_a_machine_whose_every_core_is_taken_trains_with_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch, cores=2)
    machine.taken = 1
    found = Threads(True, machine.said.append)
    machine.train(10, found)
    assert machine.count == 1
    found.restore()
    assert machine.count == 2


@pytest.mark.parametrize("fixed", [True, False])
def test_who_decides_on_threads_or_wants_the_same_again_keeps_them(
    monkeypatch: pytest.MonkeyPatch, fixed: bool
) -> None:
    machine = Machine(monkeypatch, cores=2)
    machine.taken = 1
    if fixed:
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
    machine.train(60, Threads(fixed, machine.said.append))
    assert (machine.count, machine.said) == (2, [])
