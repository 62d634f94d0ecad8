"""One reading for all who ask at about the same time."""

import asyncio
import time

import pytest

from taskgroup.broker.shared_read import SharedRead


class Source:
    """Counts its readings; each lasts until it may end."""

    def __init__(self) -> None:
        self.began = list[float]()
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.fails = 0

    async def read(self) -> int:
        self.began.append(time.monotonic())
        self.has_begun.set()
        number = len(self.began)
        await self.may_end.wait()
        if number <= self.fails:
            raise OSError
        return number


async def test_all_who_ask_at_once_share_one_reading() -> None:
    source = Source()
    shared = SharedRead(source.read, 0.0)

    assert await asyncio.gather(*(shared.get() for _ in range(50))) == [1] * 50


async def test_who_asks_while_one_is_under_way_gets_the_next_one() -> None:
    """It may have passed what they ask about."""
    source = Source()
    shared = SharedRead(source.read, 0.0)
    source.may_end.clear()
    first = asyncio.create_task(shared.get())
    await source.has_begun.wait()
    later = [asyncio.create_task(shared.get()) for _ in range(20)]
    await asyncio.sleep(0)
    source.may_end.set()

    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 20
    assert len(source.began) == 2


async def test_readings_keep_their_distance() -> None:
    source = Source()
    shared = SharedRead(source.read, 0.05)

    assert [await shared.get() for _ in range(4)] == [1, 2, 3, 4]
    pauses = [after - before for before, after in zip(source.began, source.began[1:], strict=False)]
    assert min(pauses) >= 0.05


async def test_a_reading_that_fails_does_so_for_one_who_asked() -> None:
    source = Source()
    source.fails = 1
    shared = SharedRead(source.read, 0.0)

    answers = await asyncio.gather(*(shared.get() for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [OSError, int, int]
    assert len(source.began) == 2


async def test_who_gives_up_keeps_nobody() -> None:
    source = Source()
    source.may_end.clear()
    shared = SharedRead(source.read, 0.0)
    asking = [asyncio.create_task(shared.get()) for _ in range(3)]
    await source.has_begun.wait()
    asking[0].cancel()
    source.may_end.set()

    assert await asyncio.gather(*asking[1:]) == [2, 2]
    with pytest.raises(asyncio.CancelledError):
        await asking[0]
