"""Orders of many clients, made together."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Row = TypeVar("Row")
Made = TypeVar("Made")


class Full(Exception):
    """As much is waiting as may wait."""


class Closed(Exception):
    """Nobody makes anything any more."""


@dataclass(eq=False)
class _Order(Generic[Row, Made]):
    rows: Sequence[Row]
    done: asyncio.Future[list[Made]]
    made: dict[int, Made] = field(default_factory=dict)
    taken: int = 0

    def answer(self, error: Exception | None = None) -> None:
        """Called by any thread."""
        self.done.get_loop().call_soon_threadsafe(self._answer, error)

    def _answer(self, error: Exception | None) -> None:
        if self.done.done():  # the client has gone
            return
        if error is None:
            self.done.set_result([self.made[place] for place in range(len(self.rows))])
        else:
            self.done.set_exception(error)


_Batch = list[tuple[_Order[Row, Made], int]]  # each row's order, and which of that it is


class Desk(Generic[Row, Made]):
    """Takes orders of rows, has `together` of them made at once, and gives each client its own.

    Clients are served in turn: after as many rows of an order as are made at once the next order's
    come, so that a large one does not keep the others waiting. Threads that make take what is next
    themselves, so that they need not wait for the event loop, which has answers to write.
    """

    def __init__(
        self,
        make: Callable[[Sequence[Row]], Sequence[Made]],
        together: int,
        delay: float,
        room: int,
        makers: int = 1,
        prepare: Callable[[], None] = lambda: None,
    ):
        """
        Args:
            make: at most `together` rows → what each of them gives; called by a maker.
            delay: how many seconds the first row of a batch waits for others, where there is time.
            room: how many rows may wait.
            makers: how many threads make, a batch each.
            prepare: called by each of them before all else.
        """
        self.make, self.together, self.delay, self.room = make, together, delay, room
        self.makers, self.prepare = makers, prepare
        self.waiting = self.batches = self.rows = 0
        self._orders: deque[_Order[Row, Made]] = deque()  # of which not all rows are taken
        self._asked: set[_Order[Row, Made]] = set()
        self._closed = False
        self._changed = threading.Condition()  # of what waits, is made, and is counted

    async def ask(self, rows: Sequence[Row]) -> list[Made]:
        """What each of the rows gives, once it is their turn. Raises Full and Closed."""
        if not rows:
            return []
        order = _Order[Row, Made](rows, asyncio.get_running_loop().create_future())
        with self._changed:
            if self._closed:
                raise Closed("it makes nothing any more: it is ending, or has failed")
            if self.waiting + len(rows) > self.room:
                raise Full
            self._orders.append(order)
            self.waiting += len(rows)
            self._changed.notify_all()
        self._asked.add(order)
        try:
            return await order.done
        finally:
            self._asked.discard(order)

    async def work(self) -> None:
        """Serve until cancelled; then whoever still waits is told."""
        threads: list[threading.Thread] = []
        self._closed = False
        try:
            for n in range(self.makers):
                thread = threading.Thread(target=self._serve, name=f"gansmith-maker-{n}")
                thread.start()
                threads.append(thread)
            await asyncio.Event().wait()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            for order in self._asked:
                order.done.cancel()
            for thread in threads:
                thread.join()

    def _serve(self) -> None:
        self.prepare()
        while batch := self._next():
            try:
                self._give(batch, self.make([order.rows[place] for order, place in batch]))
            except Exception as error:
                for order in {order for order, _ in batch}:
                    order.answer(error)

    def _next(self) -> _Batch[Row, Made]:
        """Wait for a row, and a moment for others; nothing at the end."""
        with self._changed:
            batch: _Batch[Row, Made] = []
            while not batch and not self._closed:
                self._changed.wait_for(lambda: self._orders or self._closed)
                self._changed.wait_for(
                    lambda: self.waiting >= self.together or self._closed, self.delay
                )
                batch = self._take()
            return [] if self._closed else batch

    def _take(self) -> _Batch[Row, Made]:
        """The next rows, without those of clients who have gone."""
        batch: _Batch[Row, Made] = []
        while self._orders and len(batch) < self.together:
            order = self._orders.popleft()
            if order.done.done():
                self.waiting -= len(order.rows) - order.taken
                continue
            end = min(len(order.rows), order.taken + self.together - len(batch))
            batch += [(order, place) for place in range(order.taken, end)]
            self.waiting -= end - order.taken
            order.taken = end
            if end < len(order.rows):
                self._orders.append(order)
        return batch

    def _give(self, batch: _Batch[Row, Made], made: Sequence[Made]) -> None:
        with self._changed:
            self.batches, self.rows = self.batches + 1, self.rows + len(batch)
            for (order, place), one in zip(batch, made, strict=True):
                order.made[place] = one
                if len(order.made) == len(order.rows):
                    order.answer()
