"""How long a group takes from its start until all results are known, compared with Celery's group on one worker."""

import asyncio
import os
import sys
import time
from typing import Any

from bench.stage import Stage, stage
from bench.table import show, times
from bench.worker import Worker, stock_worker
from celery import Celery, group

from taskgroup.broker.keys import PoolKeys

ITEMS = int(os.environ.get("BENCH_ITEMS", "10000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "2"))
WARM_ITEMS = 500
_QUEUE = "bench"


async def main() -> int:
    """Run the benchmark and return the exit code."""
    task_group: list[float] = []
    celery: list[float] = []
    async with stage() as environment:
        url = environment.server.url
        with Celery("bench", broker=url, backend=url) as app, stock_worker(app, url, _QUEUE, CONCURRENCY) as worker:
            celery_seconds(app, WARM_ITEMS)
            await task_group_seconds(environment, worker, "warm", WARM_ITEMS)
            for number in range(1, ROUNDS + 1):
                celery.append(celery_seconds(app, ITEMS))
                task_group.append(await task_group_seconds(environment, worker, f"round-{number}", ITEMS))
                print(f"round {number}: Celery {celery[-1]:.2f} s, TaskGroup {task_group[-1]:.2f} s", flush=True)
    title = (
        f"{ITEMS:,} no-op tasks until all results are known; medians of {ROUNDS} rounds,"
        f" one stock Celery worker for both (prefork, {CONCURRENCY} processes)."
    )
    return show(title, [times("wall time", task_group, celery, 0.62)])


def celery_seconds(app: Any, items: int) -> float:
    """Seconds from `apply_async` until `get` has returned all results; the signatures are built before."""
    noop = app.signature("demo.noop")
    return group_seconds(group([noop.clone(args=(index,)) for index in range(items)], app=app), _QUEUE, items)


def group_seconds(tasks: Any, queue: str, items: int, patience_seconds: int = 600) -> float:
    """Seconds that Celery takes for a group of so many items, from `apply_async` to all results."""
    began = time.perf_counter()
    result = tasks.apply_async(queue=queue)
    values = result.get(timeout=patience_seconds)
    seconds = time.perf_counter() - began
    if len(values) != items:
        raise RuntimeError(f"Celery has {len(values)} of {items} results.")
    result.forget()
    return seconds


async def task_group_seconds(environment: Stage, worker: Worker, name: str, items: int, **spec: Any) -> float:
    """Seconds from the creation of the object until its status counts every item.

    The worker that also runs Celery's group is told to consume the group's queue, so that no start is measured.
    """
    began = time.perf_counter()
    queue = PoolKeys("", await environment.create(name, sequence={"count": items}, **spec)).queue
    worker.serve(queue)
    await environment.until_counted(name, items)
    seconds = time.perf_counter() - began
    worker.leave(queue)
    await environment.remove(name)
    return seconds


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
