"""A stock Celery worker runs the messages that we build; nothing in its app knows of us."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from support.broker import UID, Group
from support.celery_versions import ONE_OF_ALL
from support.celery_worker import CeleryWorker
from support.group_worker import ended, notes, send, worker
from support.group_worker import worked_group as worked_group
from support.group_worker import worked_results as worked_results
from support.wait import PATIENCE, eventually_async
from taskgroup.api.signature import Leaf, Options
from taskgroup.core.completions import Failure
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


@pytest.mark.parametrize("version", ONE_OF_ALL)
async def test_exceptions_that_say_little_themselves_are_understood(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path, version: str
) -> None:
    ids = await send(group, Leaf(task="demo.odd"), [["two"], ["file"]])
    with worker(group, redis_url, tmp_path, version=version):
        await ended(results, ids)
        ends = await results.ended(ids)

    two, file = (ends[name] for name in ids)
    assert two == Failure("TwoArgumentsError", "404: gone")
    assert file is not None
    assert file.message.startswith("[Errno 30] Read-only file system: '/app/cache'. Only /tmp and mounted volumes")
    assert two is not None
    assert two.traceback.splitlines()[-1] == '  raise TwoArgumentsError(404, "gone")'
    assert [line.split(", ")[2] for line in two.traceback.splitlines()[::2]] == ["in odd"]


async def test_a_model_s_refusal_is_told_in_its_own_words(
    group: Group, results: RedisResults, redis_url: str, tmp_path: Path
) -> None:
    ids = await send(group, Leaf(task="demo.odd"), [["model"]])
    with worker(group, redis_url, tmp_path):
        await ended(results, ids)
        ends = await results.ended(ids)

    model = ends[ids[0]]
    assert model is not None
    assert model.reason == "ValidationError"
    assert model.message.startswith("1 validation error for Picture\nwidth\n  Input should be a valid integer")


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


async def _logged(running: CeleryWorker, pattern: str) -> bool:
    return re.search(pattern, running.log) is not None
