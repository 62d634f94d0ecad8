"""What a thousand groups at once cost: time until all have ended, and memory of the operator."""

import asyncio
import os
import sys
import time

from bench.consumer import consumer
from bench.stage import Stage, stage
from bench.table import Bound, show_bounds

from taskgroup.broker.keys import PoolKeys

GROUPS = int(os.environ.get("BENCH_GROUPS", "1000"))
ITEMS = 20
_AT_ONCE = 20
_LOOK_SECONDS = 3.0


async def main() -> int:
    """The exit code."""
    async with stage() as place:
        with consumer(place.server.url) as taker:
            began = time.perf_counter()
            uids = await _create(place)
            lists = [name for uid in uids for name in PoolKeys("", uid).lists]
            taker.consume(lists, store_results=True)
            memory = await _watch(place)
            seconds = time.perf_counter() - began
    title = f"{GROUPS:,} TaskGroups of {ITEMS} items at once, answered at once: all are Complete after {seconds:.0f} s."
    return show_bounds(title, [Bound("memory of the operator", memory, 200, "MB")])


async def _create(place: Stage) -> list[str]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def make(number: int) -> str:
        async with gate:
            return await place.create(f"group-{number}", sequence={"count": ITEMS})

    return list(await asyncio.gather(*map(make, range(GROUPS))))


async def _watch(place: Stage) -> float:
    """The highest memory until all groups are complete."""
    memory = 0.0
    while True:
        states = [status.get("state") for status in await place.statuses()]
        memory = max(memory, place.operator_megabytes)
        if states.count("Complete") == GROUPS:
            return memory
        await asyncio.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
