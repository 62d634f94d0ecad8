"""How long a group takes from its start until all results are known: a TaskGroup against Celery's group, one worker."""

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
    """The exit code."""
    ours: list[float] = []
    celery: list[float] = []
    async with stage() as place:
        url = place.server.url
        with Celery("bench", broker=url, backend=url) as app, stock_worker(app, url, _QUEUE, CONCURRENCY) as worker:
            celery_seconds(app, WARM_ITEMS)
            await task_group_seconds(place, worker, "warm", WARM_ITEMS)
            for number in range(1, ROUNDS + 1):
                celery.append(celery_seconds(app, ITEMS))
                ours.append(await task_group_seconds(place, worker, f"round-{number}", ITEMS))
                print(f"round {number}: Celery {celery[-1]:.2f} s, TaskGroup {ours[-1]:.2f} s", flush=True)
    title = (
        f"{ITEMS:,} no-op tasks until all results are known; medians of {ROUNDS} rounds,"
        f" one stock Celery worker for both (prefork, {CONCURRENCY} processes)."
    )
    return show(title, [times("wall time", ours, celery, 0.62)])


def celery_seconds(app: Any, items: int) -> float:
    """From `apply_async` until `get` has every result; the signatures are made before."""
    noop = app.signature("demo.noop")
    tasks = group([noop.clone(args=(index,)) for index in range(items)], app=app)
    began = time.perf_counter()
    done = tasks.apply_async(queue=_QUEUE)
    found = done.get(timeout=600)
    seconds = time.perf_counter() - began
    if len(found) != items:
        raise RuntimeError(f"Celery has {len(found)} of {items} results.")
    done.forget()
    return seconds


async def task_group_seconds(place: Stage, worker: Worker, name: str, items: int) -> float:
    """From the creation of the object until its status counts every item.

    In a cluster the pods know their queue; here the running worker is told, so that both sides find it warm.
    """
    began = time.perf_counter()
    queue = PoolKeys("", await place.create(name, sequence={"count": items})).queue
    worker.serve(queue)
    await place.until_counted(name, items)
    seconds = time.perf_counter() - began
    worker.leave(queue)
    await place.remove(name)
    return seconds


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
