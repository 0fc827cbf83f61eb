"""Orders of many clients at one desk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from gansmith.serving.desk import Closed, Desk, Full

TOGETHER = 4


class Kitchen:
    """Makes ten times each row; keeps what it was asked for; can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.makers: list[int] = []

    def prepare(self) -> None:
        self.makers.append(threading.get_ident())

    def make(self, rows: Sequence[int]) -> list[int]:
        assert self.may_go_on.wait(10)
        self.batches.append(list(rows))
        assert threading.get_ident() in self.makers
        if 13 in rows:
            raise ValueError("thirteen")
        return [10 * row for row in rows]


def served(
    use: Callable[[Kitchen, Desk[int, int]], Awaitable[None]],
    delay: float = 0.02,
    room: int = 100,
    makers: int = 1,
) -> Kitchen:
    """`use` of a desk that works."""
    kitchen = Kitchen()

    async def run() -> None:
        desk = Desk[int, int](kitchen.make, TOGETHER, delay, room, makers, kitchen.prepare)
        work = asyncio.create_task(desk.work())
        try:
            async with asyncio.timeout(20):
                await use(kitchen, desk)
        finally:
            kitchen.may_go_on.set()
            work.cancel()

    asyncio.run(run())
    return kitchen


def test_each_gets_its_own_and_small_orders_are_made_together() -> None:
    async def use(kitchen: Kitchen, desk: Desk[int, int]) -> None:
        assert await asyncio.gather(*(desk.ask([n]) for n in range(4))) == [[0], [10], [20], [30]]
        assert await desk.ask([]) == []
        assert (desk.waiting, desk.batches, desk.rows) == (0, 1, 4)

    assert served(use, delay=5).batches == [[0, 1, 2, 3]]  # full, so nothing is waited for


def test_who_is_alone_waits_for_others_but_not_for_long() -> None:
    async def use(kitchen: Kitchen, desk: Desk[int, int]) -> None:
        assert await desk.ask([7]) == [70]

    assert served(use).batches == [[7]]


def test_a_large_order_does_not_keep_the_others_waiting() -> None:
    async def use(kitchen: Kitchen, desk: Desk[int, int]) -> None:
        kitchen.may_go_on.clear()
        large = asyncio.create_task(desk.ask(list(range(12))))
        await asyncio.sleep(0.1)
        small = asyncio.create_task(desk.ask([100]))
        await asyncio.sleep(0.1)
        ended: list[str] = []
        small.add_done_callback(lambda _: ended.append("small"))
        large.add_done_callback(lambda _: ended.append("large"))
        kitchen.may_go_on.set()
        assert await small == [1000]
        assert await large == [10 * n for n in range(12)]
        await asyncio.sleep(0)
        assert ended == ["small", "large"]

    batches = served(use, delay=0).batches
    assert batches[:3] == [[0, 1, 2, 3], [4, 5, 6, 7], [100, 8, 9, 10]]


def test_makers_work_side_by_side_and_each_row_comes_back_to_its_place() -> None:
    later = threading.Event()

    async def use(kitchen: Kitchen, desk: Desk[int, int]) -> None:
        plain = desk.make

        def make(rows: Sequence[int]) -> Sequence[int]:
            if 0 in rows:
                assert later.wait(10)  # the first batch ends last
            made = plain(rows)
            if 8 in rows:
                later.set()
            return made

        desk.make = make
        assert await desk.ask(list(range(12))) == [10 * n for n in range(12)]

    kitchen = served(use, delay=0, makers=2)
    assert kitchen.batches == [[4, 5, 6, 7], [8, 9, 10, 11], [0, 1, 2, 3]]
    assert len(kitchen.makers) == 2


def test_more_than_may_wait_is_refused_and_there_is_room_again() -> None:
    async def use(kitchen: Kitchen, desk: Desk[int, int]) -> None:
        kitchen.may_go_on.clear()
        first = asyncio.create_task(desk.ask([1]))
        await asyncio.sleep(0.1)  # it is being made
        others = [asyncio.create_task(desk.ask([n] * 3)) for n in range(3)]
        await asyncio.sleep(0.1)
        with pytest.raises(Full):
            await desk.ask([1, 2])
        kitchen.may_go_on.set()
        await asyncio.gather(first, *others)
        assert desk.waiting == 0
        assert await desk.ask([5]) == [50]

    served(use, delay=0, room=10)


def test_for_who_has_gone_nothing_is_made() -> None:
    async def use(kitchen: Kitchen, desk: Desk[int, int]) -> None:
        kitchen.may_go_on.clear()
        first = asyncio.create_task(desk.ask([1]))
        await asyncio.sleep(0.1)
        gone = asyncio.create_task(desk.ask(list(range(20, 30))))
        await asyncio.sleep(0.1)
        gone.cancel()
        stays = asyncio.create_task(desk.ask([2]))
        await asyncio.sleep(0.1)
        kitchen.may_go_on.set()
        assert (await first, await stays) == ([10], [20])
        assert desk.waiting == 0

    assert served(use, delay=0).batches == [[1], [2]]


def test_what_goes_wrong_is_told_to_those_in_the_batch_and_the_others_are_served() -> None:
    async def use(kitchen: Kitchen, desk: Desk[int, int]) -> None:
        found = await asyncio.gather(desk.ask([13]), desk.ask([1]), return_exceptions=True)
        assert [str(error) for error in found] == ["thirteen", "thirteen"]
        assert await desk.ask([2]) == [20]

    served(use)


@pytest.mark.parametrize("delay", [5, 0])  # while it waits to be made, while it is being made
def test_at_the_end_nobody_waits_for_ever(delay: float) -> None:
    async def run() -> None:
        kitchen = Kitchen()
        kitchen.may_go_on.clear()
        desk = Desk[int, int](kitchen.make, TOGETHER, delay, 100, 1, kitchen.prepare)
        work = asyncio.create_task(desk.work())
        order = asyncio.create_task(desk.ask([1]))
        await asyncio.sleep(0.1)
        work.cancel()
        kitchen.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await order
        with pytest.raises(Closed):
            await desk.ask([1])
        desk.delay = 0
        work = asyncio.create_task(desk.work())  # and begun again it serves
        await asyncio.sleep(0)
        assert await desk.ask([2]) == [20]
        work.cancel()

    asyncio.run(run())


def test_where_nobody_can_make_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> None:
        desk = Desk[int, int](Kitchen().make, TOGETHER, 0, 100)
        order = asyncio.create_task(desk.ask([1]))
        await asyncio.sleep(0)
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError):
            await desk.work()
        monkeypatch.undo()
        with pytest.raises(asyncio.CancelledError):
            await order
        with pytest.raises(Closed):
            await desk.ask([1])

    asyncio.run(run())
