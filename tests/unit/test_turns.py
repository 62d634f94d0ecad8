"""Who sends the next request to the API server."""

import asyncio

from taskgroup.cluster.turns import Turns


async def held(turns: Turns, name: str, order: list[str], namespace: str, *, begins: bool = False) -> None:
    """Take a turn, and note it."""
    async with turns.turn(namespace, begins=begins):
        order.append(name)
        await asyncio.sleep(0)


async def line_up(turns: Turns, order: list[str], *waiting: tuple[str, str, bool]) -> list[asyncio.Task[None]]:
    """Each waits behind the one before: name, namespace, whether it begins something."""
    tasks = []
    for name, namespace, begins in waiting:
        tasks.append(asyncio.create_task(held(turns, name, order, namespace, begins=begins)))
        await asyncio.sleep(0)
    return tasks


def test_there_are_never_more_than_allowed() -> None:
    most = now = 0

    async def use(turns: Turns) -> None:
        nonlocal most, now
        async with turns.turn("shop"):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async def all_of_them() -> None:
        turns = Turns(3)
        await asyncio.gather(*(use(turns) for _ in range(20)))

    asyncio.run(all_of_them())
    assert most == 3


def test_a_storm_in_one_namespace_delays_no_other() -> None:
    async def storm() -> list[str]:
        turns, order = Turns(1), list[str]()
        async with turns.turn("loud"):
            loud = [(f"loud {number}", "loud", False) for number in range(100)]
            tasks = await line_up(turns, order, *loud, ("quiet", "quiet", False))
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(storm()).index("quiet") <= 1


def test_what_goes_on_comes_before_what_begins_but_keeps_it_waiting_for_sixteen_turns_at_most() -> None:
    async def both() -> list[str]:
        turns, order = Turns(1), list[str]()
        async with turns.turn("shop"):
            new = [(f"new {number}", "shop", True) for number in range(3)]
            tasks = await line_up(turns, order, *new, *((f"old {number}", "shop", False) for number in range(40)))
        await asyncio.gather(*tasks)
        return order

    order = asyncio.run(both())
    assert [order.index(f"new {number}") for number in range(3)] == [15, 31, 42]


def test_who_gives_up_holds_nobody_up() -> None:
    async def cancelled() -> list[str]:
        turns, order = Turns(1), list[str]()
        async with turns.turn("shop"):
            first, second, third = await line_up(
                turns, order, ("first", "shop", False), ("second", "shop", False), ("third", "other", False)
            )
            first.cancel()
            await asyncio.sleep(0)
        # The turn was just given to one of them, which is cancelled before it runs.
        second.cancel()
        await asyncio.wait_for(third, 5)
        async with asyncio.timeout(5), turns.turn("shop"):
            order.append("last")
        return order

    assert asyncio.run(cancelled()) == ["third", "last"]
