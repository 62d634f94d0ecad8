"""What the metrics cost: memory and time of a scrape at 1, 100 and 1,000 live groups, and the operator's own work.

Each figure is compared with an operator that serves no metrics, and so measures nothing.
"""

import asyncio
import gzip
import os
import sys
import time
from dataclasses import dataclass
from statistics import median

from bench.consumer import consumer
from bench.stage import Object, Stage, stage
from bench.table import Bound, show_bounds

from support.scrape import exposition
from taskgroup.broker.keys import PoolKeys

GROUPS = tuple(map(int, os.environ.get("BENCH_GROUPS", "1,100,1000").split(",")))
LIVE_ITEMS = 20
ITEMS = 50_000
ROUNDS = 3
MEGABYTES = 20
CPU_PERCENT = 3
_SCRAPES = 5
_OFF = {"TASKGROUP_METRICS_PORT": "0"}


@dataclass(frozen=True, slots=True)
class Scrape:
    """One size."""

    groups: int
    kilobytes: float
    sent: float
    """Of these, over the wire: Prometheus asks for gzip."""
    series: int
    seconds: float


async def main() -> int:
    """Run the benchmark and return the exit code."""
    without = await _memory(_OFF, [])
    scrapes: list[Scrape] = []
    memory = await _memory({}, scrapes)
    for scrape in scrapes:
        size = f"{scrape.series:,} series, {scrape.kilobytes:,.0f} kB, {scrape.sent:,.0f} kB sent"
        print(f"{scrape.groups:>5} live groups: {size}, {scrape.seconds:.2f} s")
    plain, measured = await _cpu()
    print(f"Processor time for {ITEMS:,} items: {measured:.2f} s with metrics, {plain:.2f} s without.")
    return show_bounds(
        f"The cost of metrics, at {GROUPS[-1]:,} live groups of {LIVE_ITEMS} items and at one of {ITEMS:,}.",
        [
            Bound("memory of the operator, more than without", memory - without, MEGABYTES, "MB"),
            Bound("processor time of the operator, more than without", 100 * (measured / plain - 1), CPU_PERCENT, "%"),
        ],
    )


async def _memory(settings: dict[str, str], scrapes: list[Scrape]) -> float:
    """MB of an operator with so many live groups, after the scrapes."""
    async with stage(**settings) as environment:
        made = 0
        for groups in GROUPS:
            await environment.create_all((f"live-{number}" for number in range(made, groups)), LIVE_ITEMS)
            made = groups
            await environment.until_all(lambda statuses, wanted=groups: _active(statuses) == wanted)  # type: ignore[misc]
            if not settings:
                scrapes.append(await _scrape(environment, groups))
        return environment.operator_megabytes


def _active(statuses: list[Object]) -> int:
    return sum(status.get("active") == LIVE_ITEMS for status in statuses)


async def _scrape(environment: Stage, groups: int) -> Scrape:
    times, text = [], ""
    for _ in range(_SCRAPES):
        began = time.perf_counter()
        _, text = await asyncio.to_thread(exposition, environment.operator)
        times.append(time.perf_counter() - began)
    series = sum(not line.startswith("#") for line in text.splitlines())
    sent = len(gzip.compress(text.encode()))
    return Scrape(groups, len(text) / 1000, sent / 1000, series, median(times))


async def _cpu() -> tuple[float, float]:
    """Processor seconds of the operator for one group, without and with metrics: medians, in turn.

    Which one begins changes from round to round.
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    async with stage(**_OFF) as plain, stage() as measured:
        sides = ((plain, seconds[0]), (measured, seconds[1]))
        for number in range(ROUNDS):
            for environment, found in sides if number % 2 else reversed(sides):
                found.append(await _run(environment, f"round-{number}"))
    return median(seconds[0]), median(seconds[1])


async def _run(environment: Stage, name: str) -> float:
    with consumer(environment.server.url) as queue_consumer:
        before = environment.operator_cpu
        uid = await environment.create(name, sequence={"count": ITEMS})
        queue_consumer.consume(PoolKeys("", uid).lists, store_results=True)
        await environment.until_counted(name, ITEMS)
        seconds = environment.operator_cpu - before
    await environment.remove(name)
    return seconds


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
