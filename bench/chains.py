"""How long a group of chains takes, compared with single steps, and with Celery's own group of chains on one worker."""

import asyncio
import sys
from statistics import median
from typing import Any

from bench.stage import stage
from bench.table import show, times
from bench.whole import CONCURRENCY, ITEMS, ROUNDS, WARM_ITEMS, group_seconds, task_group_seconds
from bench.worker import stock_worker
from celery import Celery, chain, group

STEPS = 3
MOST_OF_SINGLE = 3.3
MOST_OF_CELERY = 0.8
_QUEUE = "bench"
_NOOP: dict[str, Any] = {"task": "demo.noop", "args": ["$(item)"]}
_SINGLE = _NOOP
_CHAIN = {"chain": [_NOOP] * STEPS}


async def main() -> int:
    """Run the benchmark and return the exit code."""
    single: list[float] = []
    chains: list[float] = []
    celery: list[float] = []
    async with stage() as environment:
        url = environment.server.url
        with Celery("bench", broker=url, backend=url) as app, stock_worker(app, url, _QUEUE, CONCURRENCY) as worker:
            celery_seconds(app, WARM_ITEMS)
            await task_group_seconds(environment, worker, "warm", WARM_ITEMS, template=_CHAIN)
            for number in range(1, ROUNDS + 1):
                celery.append(celery_seconds(app, ITEMS))
                single.append(
                    await task_group_seconds(environment, worker, f"single-{number}", ITEMS, template=_SINGLE)
                )
                chains.append(await task_group_seconds(environment, worker, f"chains-{number}", ITEMS, template=_CHAIN))
                said = f"Celery {celery[-1]:.2f} s, TaskGroup {chains[-1]:.2f} s, its single steps {single[-1]:.2f} s"
                print(f"round {number}: {said}", flush=True)
    return _shown(single, chains, celery)


def _shown(single: list[float], chains: list[float], celery: list[float]) -> int:
    title = (
        f"{ITEMS:,} chains of {STEPS} no-op tasks until all results are known; medians of {ROUNDS} rounds,"
        f" one stock Celery worker for both (prefork, {CONCURRENCY} processes)."
    )
    times_of_single = median(chains) / median(single)
    outcome = "reached" if times_of_single <= MOST_OF_SINGLE else "MISSED"
    code = show(title, [times("wall time", chains, celery, MOST_OF_CELERY)])
    print(
        f"\nThe same with a single task for each item: {median(single):.2f} s; the chain takes {times_of_single:.2f}x"
        f" of it (goal ≤ {MOST_OF_SINGLE:g}x: {outcome})."
    )
    return code if outcome == "reached" else 1


def celery_seconds(app: Any, items: int) -> float:
    """Seconds from `apply_async` until `get` has returned all results; the signatures are built before."""
    noop = app.signature("demo.noop", queue=_QUEUE)
    tasks = group(
        [chain(*(noop.clone(args=(index,)) for _ in range(STEPS)), app=app) for index in range(items)], app=app
    )
    return group_seconds(tasks, _QUEUE, items, patience_seconds=1200)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
