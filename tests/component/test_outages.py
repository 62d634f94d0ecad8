"""Redis goes away in the middle of a group and comes back: every item ends, soon, and none is counted as lost.

Real Redis, real workers of each version of Celery, the operator's own loops. Before an outage some items run, some wait
for their retry, and some are queued.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.live_group import UID, LiveGroup, live_group
from support.machine import slowness
from support.redis_server import RedisServer, redis_server
from support.wait import eventually, eventually_async
from support.worker_container import POD, until_ready, worker_container, worker_pool
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import BookKeys, PoolKeys
from taskgroup.broker.redis_broker import RedisBroker

PATIENT, RUNNING, QUEUED = range(6), range(6, 10), range(10, 24)
TOTAL = 24
COUNTDOWN = 4
WAIT_SECONDS = 60
"""The longest that any item may wait once Redis is back."""
LEAVE_SECONDS = 45
"""From the end of the group to that of its last pod, on the reference machine. What a worker held through the outage
and had forgotten kept its pod for 72 s. Mostly it takes 1 to 4 s; now and then the prefork pool of Celery 5.7 misreads
the pipe of a child at its shutdown, and ends after 31 s.
"""
# Workers of Celery 5.3 sat idle after 40 s, because kombu had stopped to listen.
SHORT = [*((version, 5, "killed") for version in VERSIONS), ("5.3", 40, "killed")]
LONG = [(version, seconds, how) for version in VERSIONS for seconds in (5, 40, 120) for how in ("killed", "stopped")]


def spec(seconds: float, pool: str) -> TaskGroupSpec:
    """Items that retry, items that outlast the outage, and short ones."""
    tasks = [{"task": "outage.patient", "args": [number, 2, COUNTDOWN]} for number in PATIENT]
    tasks += [{"task": "outage.work", "args": [number, seconds + 2]} for number in RUNNING]
    tasks += [{"task": "outage.work", "args": [number, 0.2]} for number in QUEUED]
    workers = {"image": "any", "app": "support.outage_app", "concurrency": 4, "maxReplicas": 2, "pool": pool}
    return TaskGroupSpec.model_validate({"tasks": tasks, "workers": workers})


async def outage(redis: RedisServer, seconds: float, how: str) -> None:
    """Its file is kept; the time away is the subject."""
    if how == "killed":
        await asyncio.to_thread(redis.kill)
    else:
        redis.pause()
    await asyncio.sleep(seconds)
    if how == "killed":
        await asyncio.to_thread(redis.start)
    else:
        redis.resume()


async def until_busy(group: LiveGroup) -> None:
    """All that retry have begun, and all that run long."""

    async def busy() -> bool:
        return {int(run[1]) for run in group.runs} >= {*PATIENT, *RUNNING}

    await eventually_async(busy, state=group.state)


async def until_idle(group: LiveGroup) -> None:
    """No pod stays after the end."""

    async def idle() -> bool:
        return not group.workers.live

    await eventually_async(idle, state=group.state)


def holdings(redis: RedisServer) -> dict[str, Any]:
    """What is left in the pool's queue and unacked hashes."""
    with redis.client() as client:
        keys = [*PoolKeys("", UID).lists, *client.scan_iter(f"{PoolKeys('', UID).unacked('')}*")]
        return {str(key): client.type(key) for key in keys if client.exists(key)}


def losses(redis: RedisServer) -> Any:
    with redis.client() as client:
        return client.hgetall(BookKeys("", UID).losses)


async def survives(folder: Path, version: str, seconds: float, how: str, pool: str = "prefork") -> None:
    with redis_server(persistent=True, arguments=("--appendfsync", "always")) as redis:
        async with live_group(spec(seconds, pool), redis, folder, version) as group:
            await until_busy(group)
            await outage(redis, seconds, how)
            back = group.now()
            await group.finished()
            ended = group.now()
            await until_idle(group)
            left, slow = group.now() - ended, await asyncio.to_thread(slowness)

            assert (group.status.succeeded, group.status.failed) == (TOTAL, 0), group.state()
            assert losses(redis) == {}, "the outage is no item's fault"
            assert not holdings(redis)
            assert ended - back <= (WAIT_SECONDS + 2 * COUNTDOWN) * slow, group.state()
            assert left <= LEAVE_SECONDS * slow, group.state()


@pytest.mark.parametrize(("version", "seconds", "how"), SHORT)
async def test_a_group_survives_an_outage_of_its_redis(tmp_path: Path, version: str, seconds: float, how: str) -> None:
    await survives(tmp_path, version, seconds, how)


@pytest.mark.parametrize("pool", ["threads", "gevent", "eventlet"])
async def test_a_group_on_threads_survives_it_too(tmp_path: Path, pool: str) -> None:
    """Each pool of Celery keeps its tasks in its own way, and green ones replace the sockets as well."""
    await survives(tmp_path, "5.7", 5, "killed", pool)


@pytest.mark.long
@pytest.mark.parametrize(("version", "seconds", "how"), LONG)
async def test_a_group_survives_long_outages_of_its_redis(
    tmp_path: Path, version: str, seconds: float, how: str
) -> None:
    await survives(tmp_path, version, seconds, how)


@pytest.mark.parametrize("version", ["5.3", "5.5"])
async def test_a_worker_notices_the_end_of_what_ran_through_an_outage(tmp_path: Path, version: str) -> None:
    """Celery forgot it: the task was active for ever, and the worker took less than it could."""
    runs = {"RUNS_FILE": str(tmp_path / "runs")}
    pool = worker_pool(app="support.outage_app", pool="prefork", concurrency=2)
    with (
        redis_server(persistent=True, arguments=("--appendfsync", "always")) as redis,
        worker_container(redis.url, tmp_path, pool, version=version, variables=runs) as worker,
        celery_client(redis.url) as client,
    ):
        until_ready(worker)
        client.send_task("outage.work", [0, 8], task_id="x", queue=pool.queue)
        eventually((tmp_path / "runs").exists, state=lambda: worker.log)
        await outage(redis, 1, "killed")
        broker = RedisBroker(redis.url)

        async def claimed() -> frozenset[str] | None:
            answers = await broker.inspection.claims([POD], 1.0)
            return answers[POD].ids if POD in answers else None

        async def is_active() -> bool:
            return await claimed() == frozenset({"x"})

        async def is_idle() -> bool:
            return await claimed() == frozenset()

        await eventually_async(is_active, state=lambda: worker.log)
        await eventually_async(is_idle, state=lambda: worker.log)
        await broker.close()
