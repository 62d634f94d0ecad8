"""What a stock Celery worker holds: it tells of it, hands it back when it stops, and a kill costs none of it."""

import time
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import pytest
import redis

from support.broker import UID, Group
from support.celery_versions import ONE_OF_ALL
from support.celery_worker import CeleryWorker
from support.group_worker import ended, notes, send, worker
from support.group_worker import worked_group as worked_group
from support.group_worker import worked_results as worked_results
from support.machine import slowness
from support.wait import eventually_async
from taskgroup.api.signature import Leaf, Options
from taskgroup.broker.port import Requeued
from taskgroup.core.indexes import NONE
from taskgroup.results.decode import StoredResult
from taskgroup.results.redis_results import RedisResults

TAKEN_SECONDS = 8
"""In which a worker that waits takes an item, on the reference machine."""


def open_gates(url: str, names: Sequence[str]) -> None:
    """Let the gate tasks of these names go on."""
    with redis.Redis.from_url(url) as client:
        for name in names:
            client.set(f"open:{name}", 1)


@pytest.mark.parametrize("version", ONE_OF_ALL)
async def test_an_item_that_was_replaced_is_present_while_its_descendants_run(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path, version: str
) -> None:
    """It was found missing, and run four times over, while the tasks that it was replaced by went on."""
    ids = await send(group, Leaf(task="demo.replaced"), [["gate"]])
    with worker(group, redis_url, tmp_path, version=version):
        await eventually_async(lambda: _count(redis_url, 1))
        present = await group.broker.groups.present(group.pool.pool, ["pod-a"])
        open_gates(redis_url, ["gate"])
        await ended(results, ids)

    assert ids[0] in present
    assert len(present) == 2, "the gate, and the item that it descends from"


async def test_a_killed_worker_costs_no_item(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path
) -> None:
    names = [f"gate-{number}" for number in range(8)]
    ids = await send(group, Leaf(task="demo.gate"), [[name] for name in names])
    with worker(group, redis_url, tmp_path, arguments=("--pool", "prefork", "-c", "2")) as victim:
        await eventually_async(lambda: _count(redis_url, 2), state=lambda: victim.log)
        victim.kill()
    before = await group.facts("pod-a")
    requeued = await group.broker.pools.requeue(
        group.pool.pool, "pod-a", {UID: NONE}, before=None, count_loss=True, loss_limit=3, suspect_losses=0
    )
    after = await group.facts("pod-a")
    open_gates(redis_url, names)
    with worker(group, redis_url, tmp_path, "pod-b"):
        found = await ended(results, ids)
        await eventually_async(lambda: _settled(group))

    assert requeued == Requeued(losses=before.held["pod-a"])
    assert before.held["pod-a"] == after.queued - before.queued >= 2
    assert after.held == {"pod-a": 0}
    assert [result.value for result in found] == names
    assert sorted(notes(redis_url)) == sorted([*names, *names[:2]])


@pytest.mark.parametrize("version", ONE_OF_ALL)
async def test_what_was_taken_in_time_does_not_expire_with_its_worker(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path, version: str
) -> None:
    """It became Expired: the next worker was told when the first one should have begun."""
    seconds = ceil(TAKEN_SECONDS * slowness())
    leaf = Leaf(task="demo.gate", options=Options(expires_seconds=seconds))
    with worker(group, redis_url, tmp_path, version=version) as victim:
        ids = await send(group, leaf, [["gate"]])
        sent = time.time()
        await eventually_async(lambda: _count(redis_url, 1), state=lambda: victim.log)
        victim.kill()
    with worker(group, redis_url, tmp_path, "pod-b", version=version):
        await eventually_async(lambda: _is_past(sent + seconds))
        await group.broker.pools.requeue(
            group.pool.pool, "pod-a", {UID: NONE}, before=None, count_loss=True, loss_limit=3, suspect_losses=0
        )
        open_gates(redis_url, ["gate"])
        [found] = await ended(results, ids)

    assert (found.status, found.value) == ("SUCCESS", "gate")
    assert notes(redis_url) == ["gate", "gate"]


async def test_a_worker_stopped_in_order_hands_its_prefetched_items_back(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path
) -> None:
    names = [f"gate-{number}" for number in range(4)]
    ids = await send(group, Leaf(task="demo.gate"), [[name] for name in names])
    with worker(group, redis_url, tmp_path, arguments=("--pool", "prefork", "-c", "1")) as first:
        await eventually_async(lambda: _count(redis_url, 1), state=lambda: first.log)
        first.process.terminate()
        await eventually_async(lambda: _said(first, "Warm shutdown"), state=lambda: first.log)
        open_gates(redis_url, names)
    facts = await group.facts("pod-a")
    with worker(group, redis_url, tmp_path, "pod-b"):
        await ended(results, ids)

    assert (facts.queued, facts.held) == (3, {"pod-a": 0})
    assert sorted(notes(redis_url)) == names


async def test_retries_and_subtasks_stay_in_the_queue_of_the_group(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path
) -> None:
    ids = await send(group, Leaf(task="demo.again"), [[]])
    ids += await send(group, Leaf(task="demo.child", options=Options(priority=1)), [[]], first=1)
    with worker(group, redis_url, tmp_path):
        await eventually_async(lambda: _count(redis_url, 1))
        found = [await _success(results, name) for name in ids]
        await eventually_async(lambda: _settled(group))

    assert [result.value for result in found] == [2, None]
    assert notes(redis_url) == ["child"]


async def test_a_task_may_end_without_a_result(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path
) -> None:
    ids = await send(group, Leaf(task="demo.silent"), [[]])
    with worker(group, redis_url, tmp_path) as running:
        await eventually_async(lambda: _said(running, "demo.silent"))
        await eventually_async(lambda: _settled(group))

    assert await results.ended(ids) == {}
    assert await group.broker.groups.present(group.pool.pool, ["pod-a"]) == set()


async def test_workers_tell_what_they_hold(group: Group, redis_url: str, tmp_path: Path) -> None:
    ids = await send(group, Leaf(task="demo.gate"), [["a"], ["b"], ["c"]])
    inspection = group.broker.inspection
    with worker(group, redis_url, tmp_path, arguments=("--pool", "prefork", "-c", "1")) as running:
        await eventually_async(lambda: _count(redis_url, 1), state=lambda: running.log)
        held = await eventually_async(
            lambda: inspection.active_ids(["pod-a", "nobody"], 1.0), state=lambda: running.log
        )
        open_gates(redis_url, "abc")

    assert held.keys() == {"pod-a"}
    assert {ids[0]} <= held["pod-a"] <= set(ids)


async def test_workers_tell_what_they_claim_and_what_waits_for_its_turn(
    group: Group, redis_url: str, tmp_path: Path
) -> None:
    """What waits for a rate limit is on none of the worker's lists: only the limit itself tells of it."""
    ids = await send(group, Leaf(task="demo.gate"), [["a"]])
    slow = await send(group, Leaf(task="demo.slow", options=Options(priority=1)), [[], []], first=1)
    inspection = group.broker.inspection
    with worker(group, redis_url, tmp_path, arguments=("--pool", "prefork", "-c", "4")) as running:
        await eventually_async(lambda: _said(running, f"Task demo.slow[{slow[1]}] received"))
        claims = await eventually_async(lambda: inspection.claims(["pod-a", "nobody"], 1.0), state=lambda: running.log)
        entries = (await group.broker.pools.unacked(group.pool.pool, ["pod-a"]))["pod-a"]
        open_gates(redis_url, "a")

    assert claims.keys() == {"pod-a"}
    assert (claims["pod-a"].ids & {ids[0], slow[1]}, claims["pod-a"].running) == (frozenset({ids[0]}), 1)
    assert claims["pod-a"].rates == {"demo.slow": 1 / 60}
    assert {entry.id for entry in entries} >= {ids[0], slow[1]}


async def _is_past(moment: float) -> bool:
    return time.time() > moment


async def _count(url: str, number: int) -> bool:
    return len(notes(url)) >= number


async def _said(running: CeleryWorker, text: str) -> bool:
    return text in running.log.lower() or text in running.log


async def _settled(group: Group) -> bool:
    queue = await group.broker.groups.observe(group.route, ["pod-a", "pod-b"])
    return queue.messages == 0


async def _success(results: RedisResults, name: str) -> StoredResult:
    async def there() -> StoredResult | None:
        (stored,) = await results.values([name])
        return stored if stored and stored.status == "SUCCESS" else None

    stored = await eventually_async(there)
    assert stored
    return stored
