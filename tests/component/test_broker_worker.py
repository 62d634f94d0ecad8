"""A stock Celery worker runs the messages that we build; nothing in its app knows of us."""

import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from support.broker import UID, Group, open_group
from support.celery_worker import CeleryWorker, celery_worker
from support.wait import PATIENCE, eventually_async
from taskgroup.api.signature import Leaf, Options
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.broker.port import Requeued
from taskgroup.core.completions import Failure
from taskgroup.core.indexes import NONE
from taskgroup.core.task_id import task_id
from taskgroup.results.decode import StoredResult
from taskgroup.results.redis_results import RedisResults

VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    2**53,
    2**70,
    1.5,
    1e300,
    "",
    "é\n\u2028\U0001f600",
    [],
    {},
    [[1, {"a": []}]],
    "%s %d $(item)",
]


@pytest.fixture
async def group(redis_url: str) -> AsyncIterator[Group]:
    opened = await open_group(redis_url)
    yield opened
    await opened.broker.close()


@pytest.fixture
async def results(redis_url: str) -> AsyncIterator[RedisResults]:
    found = RedisResults(redis_url)
    yield found
    await found.close()


def worker(group: Group, url: str, folder: Path, pod: str = "pod-a", **options: Any) -> Any:
    pools, pool = group.broker.pools, group.pool.pool
    return celery_worker(
        url, pools.queue(pool), folder, name=pod, transport_options=pools.worker_options(pool, pod), **options
    )


async def ended(results: RedisResults, ids: list[str]) -> list[StoredResult]:
    """All results, once every one is there."""

    async def complete() -> bool:
        return set(await results.ended(ids)) == set(ids)

    await eventually_async(complete, state=lambda: ids)
    values = await results.values(ids)
    return [value for value in values if value]


async def send(group: Group, leaf: Leaf, calls: Sequence[list[Any]], *, first: int = 0, **template: Any) -> list[str]:
    """One item per list of arguments, as the first ones of the leaf's priority; the task ids."""
    made = MessageTemplate(leaf, group.uid, group.pool.queue, **template)
    messages = [made.render(first + number, 0, args, leaf.kwargs or {}) for number, args in enumerate(calls)]
    assert await group.broker.groups.dispatch(group.route, group.fence, leaf.options.priority, 0, messages)
    return [task_id(UID, first + number) for number in range(len(calls))]


def notes(url: str) -> list[str]:
    """What the tasks wrote down, in their order."""
    with redis.Redis.from_url(url) as client:
        raw: Any = client.lrange("notes", 0, -1)
    return [text.decode() for text in raw]


def open_gates(url: str, names: Sequence[str]) -> None:
    """Let the gate tasks of these names go on."""
    with redis.Redis.from_url(url) as client:
        for name in names:
            client.set(f"open:{name}", 1)


async def test_arguments_arrive_and_results_return(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path
) -> None:
    values = {"value": VALUES}
    ids = await send(group, Leaf(task="demo.echo", kwargs=values), [[value] for value in VALUES])
    with worker(group, redis_url, tmp_path):
        found = await ended(results, ids)

    assert [result.status for result in found] == ["SUCCESS"] * len(VALUES)
    assert [result.value for result in found] == [[[value], values] for value in VALUES]


async def test_the_task_sees_its_options(group: Group, results: RedisResults, redis_url: str, tmp_path: Path) -> None:
    options = Options(
        time_limit_seconds=30, soft_time_limit_seconds=20, priority=4, headers={"tenant": "acme"}, shadow="shown.name"
    )
    ids = await send(group, Leaf(task="demo.describe", options=options), [[]])
    with worker(group, redis_url, tmp_path) as running:
        (result,) = await ended(results, ids)
        # The worker stores the result first.
        await eventually_async(lambda: _logged(running, r"Task shown\.name\[.*\] succeeded"), state=lambda: running.log)

    seen = result.value
    assert (seen["id"], seen["group"], seen["group_index"], seen["root_id"]) == (ids[0], UID, 0, ids[0])
    assert seen["timelimit"] == [30, 20]
    assert seen["headers"] == {"tenant": "acme"}
    assert seen["delivery_info"]["priority"] == 5


async def test_ends_that_are_no_success(group: Group, results: RedisResults, redis_url: str, tmp_path: Path) -> None:
    ids = await send(group, Leaf(task="demo.fail"), [["boom"], ["x" * 5000], [1, "two"], []])
    ids += await send(group, Leaf(task="demo.unknown", options=Options(priority=1)), [[]], first=4)
    late = Leaf(task="demo.noop", options=Options(priority=2, expires_seconds=60))
    ids += await send(group, late, [[]], first=5, clock=lambda: time.time() - 3600)
    with worker(group, redis_url, tmp_path):
        await ended(results, ids)
        ends = await results.ended(ids)

    assert [ends[name] for name in ids] == [
        *(Failure("ValueError", message) for message in ("boom", "x" * 999 + "…", "(1, 'two')", "")),
        Failure("NotRegistered", "demo.unknown"),
        Failure("Expired", "expired"),
    ]


async def test_exceptions_that_say_little_themselves_are_understood(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path
) -> None:
    ids = await send(group, Leaf(task="demo.odd"), [["two"], ["model"], ["file"]])
    with worker(group, redis_url, tmp_path):
        await ended(results, ids)
        ends = await results.ended(ids)

    two, model, file = (ends[name] for name in ids)
    assert two == Failure("TwoArgumentsError", "404: gone")
    assert model is not None
    assert model.reason == "ValidationError"
    assert model.message.startswith("1 validation error for Picture\nwidth\n  Input should be a valid integer")
    assert file is not None
    assert file.message.startswith("[Errno 30] Read-only file system: '/app/cache'. Only /tmp and mounted volumes")
    assert two is not None
    assert two.traceback.splitlines()[-1] == '  raise TwoArgumentsError(404, "gone")'
    assert [line.split(", ")[2] for line in two.traceback.splitlines()[::2]] == ["in odd"]


async def test_time_limits_end_the_run(group: Group, results: RedisResults, redis_url: str, tmp_path: Path) -> None:
    hard = Leaf(task="demo.busy", options=Options(time_limit_seconds=1))
    soft = Leaf(
        task="demo.busy", options=Options(time_limit_seconds=10 * PATIENCE, soft_time_limit_seconds=1, priority=1)
    )
    ids = await send(group, hard, [[]]) + await send(group, soft, [[]], first=1)
    with worker(group, redis_url, tmp_path, arguments=("--pool", "prefork", "-c", "2")):
        await ended(results, ids)
        ends = await results.ended(ids)

    failures = [ends[name] for name in ids]
    assert [failure and failure.reason for failure in failures] == ["TimeLimitExceeded", "SoftTimeLimitExceeded"]


async def test_urgent_items_run_first(group: Group, results: RedisResults, redis_url: str, tmp_path: Path) -> None:
    ids: list[str] = []
    for priority in (0, 3, 6, 9):
        leaf = Leaf(task="demo.note", options=Options(priority=priority))
        ids += await send(group, leaf, [[f"{priority}a"], [f"{priority}b"]], first=10 * priority)
    with worker(group, redis_url, tmp_path):
        await ended(results, ids)

    assert notes(redis_url) == ["9a", "9b", "6a", "6b", "3a", "3b", "0a", "0b"]


async def test_an_item_that_was_replaced_is_present_while_its_descendants_run(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path
) -> None:
    """It was found missing, and run four times over, while the tasks that it was replaced by went on."""
    ids = await send(group, Leaf(task="demo.replaced"), [["gate"]])
    with worker(group, redis_url, tmp_path):
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

    assert requeued == Requeued()
    assert before.held["pod-a"] == after.queued - before.queued >= 2
    assert after.held == {"pod-a": 0}
    assert [result.value for result in found] == names
    assert sorted(notes(redis_url)) == sorted([*names, *names[:2]])


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


async def test_a_worker_tells_which_tasks_it_acknowledges_early(group: Group, redis_url: str, tmp_path: Path) -> None:
    with worker(group, redis_url, tmp_path, arguments=("--pool", "prefork", "-c", "1")):
        early = await group.broker.inspection.early_ack_tasks("pod-a", PATIENCE)
        silent = await group.broker.inspection.early_ack_tasks("nobody", 0.2)

    assert early == frozenset({"demo.early"})
    assert silent is None


async def _count(url: str, number: int) -> bool:
    return len(notes(url)) >= number


async def _said(running: CeleryWorker, text: str) -> bool:
    return text in running.log.lower() or text in running.log


async def _logged(running: CeleryWorker, pattern: str) -> bool:
    return re.search(pattern, running.log) is not None


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
