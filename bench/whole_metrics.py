"""What metrics add to the wall time of a whole group, as a Prometheus reads them: `whole` with and without, in turn.

Two operators, each with a Redis and a worker of its own, of which one pair at a time has work. Which one begins changes
from round to round, so that neither always finds the machine as the other has left it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from statistics import median

from bench.stage import Stage, stage
from bench.table import Bound, show_bounds
from bench.whole import CONCURRENCY, ITEMS, WARM_ITEMS, task_group_seconds
from bench.worker import Worker, stock_worker
from celery import Celery

from support.scrape import exposition

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
PERCENT = 3
_SCRAPE_SECONDS = 5.0
"""More often than anybody would, as a round is over within seconds."""
_QUEUE = "bench"
_OFF = {"TASKGROUP_METRICS_PORT": "0"}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two operators."""

    name: str
    environment: Stage
    worker: Worker
    seconds: list[float]
    cpu: list[float]

    async def run(self, name: str, items: int) -> None:
        """One group."""
        before = self.environment.operator_cpu
        self.seconds.append(await task_group_seconds(self.environment, self.worker, name, items))
        self.cpu.append(self.environment.operator_cpu - before)


async def main() -> int:
    """Run the benchmark and return the exit code."""
    async with _side("without", _OFF) as plain, _side("with", {}) as measured, _scraped(measured.environment):
        for side in (plain, measured):
            await side.run("warm", WARM_ITEMS)
            side.seconds.clear()
            side.cpu.clear()
        for number in range(1, ROUNDS + 1):
            for side in (plain, measured) if number % 2 else (measured, plain):
                await side.run(f"round-{number}", ITEMS)
            print(f"round {number}: {_told(plain)}, {_told(measured)}", flush=True)
    read = f"read every {_SCRAPE_SECONDS:.0f} s"
    return show_bounds(
        f"{ITEMS:,} no-op tasks with metrics, {read}, and without; medians of {ROUNDS} rounds.",
        [
            Bound("wall time, more than without", _more(plain.seconds, measured.seconds), PERCENT, "%"),
            Bound("processor time of the operator, of the wall time", _share(plain, measured), PERCENT, "%"),
        ],
    )


def _told(side: Side) -> str:
    return f"{side.name} {side.seconds[-1]:.2f} s (operator {side.cpu[-1]:.2f} s)"


def _more(plain: list[float], measured: list[float]) -> float:
    """By how many percent; each round is compared with itself, as the machine changes from one to the next."""
    return 100 * (median(after / before for before, after in zip(plain, measured, strict=True)) - 1)


def _share(plain: Side, measured: Side) -> float:
    """What the operator computes for metrics, in percent of the time that the group takes: it varies less."""
    extra = median(after - before for before, after in zip(plain.cpu, measured.cpu, strict=True))
    return 100 * extra / median(plain.seconds)


@asynccontextmanager
async def _side(name: str, settings: dict[str, str]) -> AsyncIterator[Side]:
    async with stage(**settings) as environment:
        url = environment.server.url
        with (
            Celery(f"bench-{name}", broker=url, backend=url) as app,
            stock_worker(app, url, _QUEUE, CONCURRENCY) as worker,
        ):
            yield Side(name, environment, worker, [], [])


@asynccontextmanager
async def _scraped(environment: Stage) -> AsyncIterator[None]:
    async def scrape() -> None:
        while True:
            await asyncio.to_thread(exposition, environment.operator)
            await asyncio.sleep(_SCRAPE_SECONDS)

    task = asyncio.create_task(scrape())
    try:
        yield
        if task.done():
            await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
