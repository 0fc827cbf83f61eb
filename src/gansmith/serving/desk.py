"""Orders of many clients, made together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Row = TypeVar("Row")
Made = TypeVar("Made")


class Full(Exception):
    """As much is waiting as may wait."""


@dataclass(eq=False)
class _Order(Generic[Row, Made]):
    rows: Sequence[Row]
    done: asyncio.Future[list[Made]]
    made: list[Made] = field(default_factory=list)
    taken: int = 0


_Batch = list[tuple[_Order[Row, Made], int]]  # each row's order, and which of that it is


class Desk(Generic[Row, Made]):
    """Takes orders of rows, has `together` of them made at once, and gives each client its own.

    Clients are served in turn: after as many rows of an order as are made at once the next order's
    come, so that a large one does not keep the others waiting. All but making itself is done by
    the event loop's one thread.
    """

    def __init__(
        self,
        make: Callable[[Sequence[Row]], Sequence[Made]],
        together: int,
        delay: float,
        room: int,
    ):
        """
        Args:
            make: at most `together` rows → what each of them gives; called in a thread of its own.
            delay: how many seconds the first row of a batch waits for others, where there is time.
            room: how many rows may wait.
        """
        self.make, self.together, self.delay, self.room = make, together, delay, room
        self.waiting = self.batches = self.rows = 0
        self._orders: deque[_Order[Row, Made]] = deque()
        self._more = asyncio.Event()

    async def ask(self, rows: Sequence[Row]) -> list[Made]:
        """What each of the rows gives, once it is their turn. Raises Full."""
        if self.waiting + len(rows) > self.room:
            raise Full
        order = _Order[Row, Made](rows, asyncio.get_running_loop().create_future())
        if rows:
            self._orders.append(order)
            self.waiting += len(rows)
            self._more.set()
        else:
            order.done.set_result([])
        return await order.done

    async def work(self) -> None:
        """Serve until cancelled; then whoever still waits is told."""
        with ThreadPoolExecutor(1, "gansmith-desk") as thread:
            batch: _Batch[Row, Made] = []
            try:
                while True:
                    await self._gather()
                    batch = self._take()
                    if batch:
                        await self._serve(thread, batch)
            finally:
                for order in {*self._orders, *(order for order, _ in batch)}:
                    order.done.cancel()

    async def _serve(self, thread: ThreadPoolExecutor, batch: _Batch[Row, Made]) -> None:
        rows = [order.rows[place] for order, place in batch]
        try:
            made = await asyncio.get_running_loop().run_in_executor(thread, self.make, rows)
        except Exception as error:
            for order, _ in batch:
                if not order.done.done():
                    order.done.set_exception(error)
        else:
            self._give(batch, made)

    async def _gather(self) -> None:
        """Wait for a row, and a moment for others."""
        self._more.clear()
        if not self._orders:
            await self._more.wait()
        until = asyncio.get_running_loop().time() + self.delay
        while self.waiting < self.together:
            left = until - asyncio.get_running_loop().time()
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), left)
            except TimeoutError:
                return

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
        self.batches, self.rows = self.batches + 1, self.rows + len(batch)
        for (order, _), one in zip(batch, made, strict=True):
            order.made.append(one)
            if len(order.made) == len(order.rows) and not order.done.done():
                order.done.set_result(order.made)
