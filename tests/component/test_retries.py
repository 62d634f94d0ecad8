"""Items that fail and are run again, on stock workers: real Redis and Celery, the operator's own loops."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.celery_versions import VERSIONS
from support.live_group import UID, live_group
from support.redis_server import redis_server
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState
from taskgroup.core.status.conditions import find

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 4, "maxReplicas": 1}
RUNS = "chains.runs"
ECHO = {"task": "chains.echo"}
FAIL = {"task": "chains.fail"}


def spec(*tasks: dict[str, Any], limit: int = 3, rules: list[dict[str, Any]] | None = None, **fields: Any) -> Any:
    policy = {"limit": limit, "backoff": {"initialSeconds": 1, "maxSeconds": 1}, "rules": rules or []}
    return TaskGroupSpec.model_validate({"tasks": list(tasks), "workers": WORKERS, "retryPolicy": policy, **fields})


def needs(runs: int) -> dict[str, Any]:
    """A task that succeeds in this run of it."""
    return {"task": RUNS, "args": [runs]}


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_an_item_runs_until_it_succeeds_or_the_limit_is_reached(version: str, tmp_path: Path) -> None:
    callback = {"task": "chains.describe"}
    wanted = spec(
        needs(1), needs(3), needs(4), needs(9), limit=3, successPolicy={"succeededCount": 3}, callback=callback
    )
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.finished()
            status, runs = group.status, [run[1] for run in group.runs if run[0] == RUNS]

    assert (status.state, status.succeeded) == ("Complete", 3)
    assert status.completed_indexes == "0-2"
    assert status.callback
    results = json.loads(status.callback.result or "")["args"][0]
    ids = [[f"{UID}.{index}{suffix}" for suffix in ("", "~1", "~2", "~3")] for index in range(4)]
    assert results[:3] == [ids[0][:1], ids[1][:3], ids[2]]
    assert set(runs) <= {*ids[0], *ids[1], *ids[2], *ids[3]}
    assert len(runs) == len(set(runs)), "each attempt ran once"


async def test_a_rule_says_which_failures_are_final(tmp_path: Path) -> None:
    rules = [
        {"onException": ["ValueError"], "onMessage": "^no such", "action": "FailItem"},
        {"onException": ["builtins.LookupError"], "action": "Ignore"},
    ]
    with redis_server() as redis:
        async with live_group(spec(FAIL, needs(3), limit=0, rules=rules), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, [run[1] for run in group.runs]

    assert (status.state, status.succeeded, status.failed) == ("Failed", 1, 1)
    assert sorted(runs) == [f"{UID}.0", f"{UID}.1", f"{UID}.1~1", f"{UID}.1~2"]


async def test_only_the_step_that_failed_runs_again_and_the_callback_is_retried_too(tmp_path: Path) -> None:
    chain = {"chain": [{**ECHO, "args": [7]}, needs(2), ECHO]}
    wanted = spec(chain, callback={"task": RUNS, "args": [2], "input": "Summary"})
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, [run[1] for run in group.runs]

    assert status.state == "Complete"
    assert status.callback
    assert status.callback.state is StageState.SUCCEEDED
    steps = [f"{UID}.0", f"{UID}.0.1", f"{UID}.0.1~1", f"{UID}.0.2"]
    assert runs == [*steps, f"{UID}.callback", f"{UID}.callback~1"]


async def test_a_rule_ends_the_group_while_others_run(tmp_path: Path) -> None:
    rules = [{"onException": ["ValueError"], "action": "FailGroup"}]
    gate = {"task": "chains.gate"}
    with redis_server() as redis:
        async with live_group(spec(gate, FAIL, gate, rules=rules), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, [run[1] for run in group.runs if run[0] == "chains.fail"]

    failed = find(status, ConditionType.FAILED)
    assert failed
    assert (failed.status, failed.reason) == ("True", Reason.RETRY_POLICY)
    assert (status.state, status.failed_indexes, status.cancelled) == ("Failed", "1", 2)
    assert runs == [f"{UID}.1"], "an attempt was left"


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_operator_s_attempts_begin_where_celery_s_own_retries_gave_up(version: str, tmp_path: Path) -> None:
    """(limit + 1) x (max_retries + 1) runs, which is what `plan` calls the worst case.

    One process only: another one could end the next run before this one has stored that it retries.
    """
    with redis_server() as redis:
        one_process = WORKERS | {"concurrency": 1}
        wanted = spec({"task": "chains.stubborn", "args": [2]}, limit=1, workers=one_process)
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.finished()
            status, runs = group.status, [run[1:] for run in group.runs]

    assert (status.state, status.failed, status.retrying) == ("Failed", 1, 0)
    assert status.failures
    assert (status.failures[0].reason, status.failures[0].message) == ("LookupError", "no answer")
    assert runs == [[f"{UID}.0{attempt}", str(retry)] for attempt in ("", "~1") for retry in range(3)]


async def test_celerys_own_retries_come_first_and_do_not_count(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec({"task": "chains.flaky", "args": [1]}), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, runs = group.status, [run[1:] for run in group.runs]

    assert status.state == "Complete"
    assert runs == [[f"{UID}.0", "0"], [f"{UID}.0", "1"]]


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_a_task_that_retries_itself_is_shown_as_retrying_and_keeps_its_worker(
    version: str, tmp_path: Path
) -> None:
    patient = {"task": "chains.patient", "args": [0.5]}
    with redis_server() as redis:
        async with live_group(spec(patient, patient, ECHO), redis, tmp_path, version) as group:
            await group.until(lambda: (group.status.active, group.status.retrying, group.status.succeeded) == (0, 2, 1))
            runs = len(group.runs)
            await group.until(lambda: len(group.runs) > runs + 2)
            waiting = group.status
            (tmp_path / "healed").touch()
            await group.finished()
            status, ids = group.status, {run[1] for run in group.runs}

    assert waiting.workers
    assert (waiting.retrying, waiting.pending, waiting.workers.replicas) == (2, 0, 1)
    assert (status.state, status.succeeded, status.retrying) == ("Complete", 3, 0)
    assert ids == {f"{UID}.{index}" for index in range(3)}, "it is no attempt of the operator's"
