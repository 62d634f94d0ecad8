"""A thousand groups at once: the time until all have ended, and the memory of the operator."""

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
_MAX_REQUESTS = 20
_POLL_SECONDS = 3.0


async def main() -> int:
    """Run the benchmark and return the exit code."""
    async with stage() as environment:
        with consumer(environment.server.url) as queue_consumer:
            began = time.perf_counter()
            uids = await _create(environment)
            lists = [name for uid in uids for name in PoolKeys("", uid).lists]
            queue_consumer.consume(lists, store_results=True)
            memory = await _watch(environment)
            seconds = time.perf_counter() - began
    title = f"{GROUPS:,} TaskGroups of {ITEMS} items at once, answered at once: all are Complete after {seconds:.0f} s."
    return show_bounds(title, [Bound("memory of the operator", memory, 200, "MB")])


async def _create(environment: Stage) -> list[str]:
    limit = asyncio.Semaphore(_MAX_REQUESTS)

    async def create(number: int) -> str:
        async with limit:
            return await environment.create(f"group-{number}", sequence={"count": ITEMS})

    return list(await asyncio.gather(*map(create, range(GROUPS))))


async def _watch(environment: Stage) -> float:
    """The highest memory of the operator, in MB, until all groups are complete."""
    memory = 0.0
    while True:
        states = [status.get("state") for status in await environment.statuses()]
        memory = max(memory, environment.operator_megabytes)
        if states.count("Complete") == GROUPS:
            return memory
        await asyncio.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
