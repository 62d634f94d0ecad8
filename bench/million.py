"""A million items: the memory of the operator, the length of the queue, and the size of the status."""

import asyncio
import json
import os
import sys
import time

import redis
from bench.consumer import consumer
from bench.stage import Stage, stage
from bench.table import Bound, show_bounds

from taskgroup.broker.keys import PoolKeys
from taskgroup.core.groups.window import MAX_WINDOW

ITEMS = int(os.environ.get("BENCH_ITEMS", "1000000"))
_POLL_SECONDS = 0.5


async def main() -> int:
    """Run the benchmark and return the exit code."""
    async with stage() as environment:
        with consumer(environment.server.url) as queue_consumer:
            before, began = environment.operator_megabytes, time.perf_counter()
            pool = PoolKeys("", await environment.create("million", sequence={"count": ITEMS}))
            queue_consumer.consume(pool.lists, store_results=True)
            memory, queue, status_bytes = await _watch(environment, pool)
            seconds = time.perf_counter() - began
    return show_bounds(
        f"{ITEMS:,} no-op tasks, a consumer answers at once; {seconds:.0f} s until Complete.",
        [
            Bound("memory of the operator, more than before", memory - before, 50, "MB"),
            Bound("longest queue", queue, MAX_WINDOW, "messages"),
            Bound("largest status", status_bytes / 1000, 20, "KB"),
        ],
    )


async def _watch(environment: Stage, pool: PoolKeys) -> tuple[float, int, int]:
    """The highest memory in MB, queue length, and status size in bytes, until the group is complete."""
    memory, queue, size = 0.0, 0, 0
    with redis.Redis.from_url(environment.server.url) as client:
        while True:
            (status,) = environment.statuses.by_name.values()
            memory = max(memory, environment.operator_megabytes)
            queue = max(queue, sum(int(client.llen(name)) for name in pool.lists))
            size = max(size, len(json.dumps(status)))
            if status.get("state") == "Complete":
                return memory, queue, size
            await asyncio.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
