"""A thousand groups at once, then at rest, then a restart of the operator: time, memory, requests to the API server.

Goals of time are those of a machine on which a sum of 10,000,000 integers takes 0.6 s in a loop at the top of a Python
script; on a slower one they are as many times longer, as measured in the same run.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from statistics import mean

from bench.consumer import Consumer, consumer
from bench.load import api_requests, redis_calls
from bench.stage import Object, Stage, stage
from bench.table import Bound, show_bounds

from support.machine import slowness
from taskgroup.broker.keys import PoolKeys

GROUPS = int(os.environ.get("BENCH_GROUPS", "1000"))
RUNNING = max(1, GROUPS // 10)
ITEMS = 20
STORM_SECONDS = 60.0
RESTART_SECONDS = 10.0
MEGABYTES = 200
MOST_READS = 2
_KEYS_A_STEP = 1000
"""That the operator asks for in one step of a read of the key space."""
_CALM_SECONDS = 20.0
_MOST_CALMS = 12


@dataclass(frozen=True, slots=True)
class Storm:
    """All groups at once."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    requests: Counter[str]


async def main() -> int:
    """Run the benchmark and return the exit code."""
    async with stage() as environment:
        slow = [slowness()]
        with consumer(environment.server.url) as queue_consumer:
            storm = await _storm(environment, queue_consumer)
            slow.append(slowness())
            _show_requests(storm)
            idle = await _idle(environment)
            restart, reads = await _restart(environment, queue_consumer)
        slower = mean([*slow, slowness()])
    title = (
        f"{GROUPS:,} TaskGroups of {ITEMS} items at once, on a machine {slower:.1f} times slower than the reference."
    )
    return show_bounds(
        title,
        [
            Bound("until all are Complete", storm.seconds, STORM_SECONDS * slower, "s"),
            Bound("memory of the operator", storm.megabytes, MEGABYTES, "MB"),
            Bound("requests a second when all have ended", idle, 0, "/s"),
            Bound(f"{RUNNING} running groups served after a restart", restart, RESTART_SECONDS * slower, "s"),
            Bound("reads of the whole key space after it", reads, MOST_READS, "times"),
        ],
    )


async def _storm(environment: Stage, queue_consumer: Consumer) -> Storm:
    before, cpu, began = await api_requests(environment.cluster), environment.operator_cpu, time.perf_counter()
    uids = await _create(environment, "group", GROUPS)
    queue_consumer.consume(_lists(uids), store_results=True)
    megabytes = await _complete(environment, GROUPS)
    seconds = time.perf_counter() - began
    requests = await api_requests(environment.cluster)
    return Storm(seconds, environment.operator_cpu - cpu, megabytes, requests - before)


async def _idle(environment: Stage) -> float:
    """Requests a second once the last words are written; 0 is found at the first calm."""
    rate = 0.0
    for _ in range(_MOST_CALMS):
        before = await api_requests(environment.cluster)
        await asyncio.sleep(_CALM_SECONDS)
        rate = (await api_requests(environment.cluster) - before).total() / _CALM_SECONDS
        if not rate:
            break
    return rate


async def _restart(environment: Stage, queue_consumer: Consumer) -> tuple[float, float]:
    """Seconds from the start until all groups that ran have ended, and how often Redis was read as a whole."""
    uids = await _create(environment, "running", RUNNING)
    await environment.until_all(lambda statuses: _count(statuses, "active", ITEMS) == RUNNING)
    environment.operator.stop()
    with environment.server.client() as client:
        scans = redis_calls(client, "scan")
        queue_consumer.consume(_lists(uids), store_results=True)
        began = time.perf_counter()
        environment.operator.start()
        await _complete(environment, GROUPS + RUNNING)
        seconds, steps = time.perf_counter() - began, redis_calls(client, "scan") - scans
        return seconds, steps / (1 + client.dbsize() / _KEYS_A_STEP)


async def _create(environment: Stage, name: str, count: int) -> list[str]:
    return await environment.create_all((f"{name}-{number}" for number in range(count)), ITEMS)


def _lists(uids: list[str]) -> list[str]:
    return [name for uid in uids for name in PoolKeys("", uid).lists]


async def _complete(environment: Stage, count: int) -> float:
    """The highest memory of the operator, in MB, until so many groups are complete."""
    megabytes = 0.0

    def are_complete(statuses: list[Object]) -> bool:
        nonlocal megabytes
        megabytes = max(megabytes, environment.operator_megabytes)
        return _count(statuses, "state", "Complete") == count

    await environment.until_all(are_complete)
    return megabytes


def _count(statuses: list[Object], field: str, value: object) -> int:
    return sum(status.get(field) == value for status in statuses)


def _show_requests(storm: Storm) -> None:
    each = ", ".join(f"{kind} {count / GROUPS:.1f}" for kind, count in storm.requests.most_common())
    print(f"\nAll were Complete after {storm.seconds:.0f} s, with {storm.megabytes:.0f} MB.")
    print(f"The operator used {storm.cpu_seconds:.0f} s of processor time. Requests for each group: {each}.")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
