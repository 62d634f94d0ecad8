"""What the owner of a group asks of it while it runs, on real Redis and Celery, with the operator's own loops."""

from pathlib import Path
from typing import Any

import pytest

from support.celery_versions import VERSIONS
from support.live_group import UID, LiveGroup, live_group
from support.redis_server import redis_server
from taskgroup.api.spec import TaskGroupSpec

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 2, "maxReplicas": 1}
ECHO = {"task": "chains.echo"}
GATE = {"task": "chains.gate"}


def spec(*tasks: dict[str, Any], **fields: Any) -> TaskGroupSpec:
    """A group of these tasks."""
    return TaskGroupSpec.model_validate({"tasks": list(tasks), "workers": WORKERS, **fields})


def started(group: LiveGroup, task: str) -> int:
    """How often workers have begun a task."""
    return sum(run[0] == task for run in group.runs)


def reason(group: LiveGroup, kind: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    return next((one.status, one.reason) for one in group.status.conditions or () if one.type == kind)


async def test_a_cancelled_group_keeps_what_it_has_and_stops_what_runs(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec(ECHO, ECHO, GATE, GATE, *[ECHO] * 20), redis, tmp_path, VERSIONS[-1]) as group:
            await group.until(lambda: started(group, "chains.gate") == 2 and group.status.succeeded == 2)
            group.change(cancel=True)
            await group.finished()
            status = group.status
            (tmp_path / "open").touch()
            await group.until(lambda: group.status.workers is not None and not group.status.workers.replicas)

    assert reason(group, "Failed") == ("True", "Cancelled")
    assert (status.state, status.succeeded, status.failed, status.cancelled) == ("Failed", 2, 0, 22)
    assert status.completed_indexes == "0,1"
    assert started(group, "chains.echo") == 2, "nothing was begun after that"


async def test_a_group_whose_time_is_up_may_be_complete_with_what_there_is(tmp_path: Path) -> None:
    wanted = spec(ECHO, ECHO, GATE, activeDeadlineSeconds=3600, onDeadline="Partial")
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.until(lambda: started(group, "chains.gate") == 1 and group.status.succeeded == 2)
            group.change(activeDeadlineSeconds=1)
            await group.finished()
            (tmp_path / "open").touch()

    assert reason(group, "Complete") == ("True", "DeadlineReached")
    assert (group.status.state, group.status.succeeded, group.status.cancelled) == ("Complete", 2, 1)


async def test_a_stopped_item_ends_at_once_and_runs_again_under_a_new_id(tmp_path: Path) -> None:
    with redis_server() as redis:
        async with live_group(spec(GATE, GATE, ECHO), redis, tmp_path, VERSIONS[-1]) as group:
            await group.until(lambda: started(group, "chains.gate") == 2)
            group.change(suspend=True, suspendMode="Stop")
            await group.until(lambda: (group.status.state, group.status.active, _pods(group)) == ("Suspended", 0, 0))
            assert started(group, "chains.gate") == 2
            (tmp_path / "open").touch()
            group.change(suspend=False)
            await group.finished()

    assert (group.status.state, group.status.succeeded) == ("Complete", 3)
    gates = sorted(run[1].removeprefix(UID) for run in group.runs if run[0] == "chains.gate")
    assert gates == [".0", ".0~1", ".1", ".1~1"]
    assert started(group, "chains.echo") == 1


def _pods(group: LiveGroup) -> int:
    return group.status.workers.replicas if group.status.workers else 0


async def test_what_failed_runs_again_after_the_end_and_what_succeeded_does_not(tmp_path: Path) -> None:
    wanted = spec(ECHO, {"task": "chains.heal"}, {"chain": [ECHO, {"task": "chains.heal"}]}, callback=ECHO)
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            assert (group.status.state, group.status.failed_indexes) == ("Failed", "1,2")
            await group.until(lambda: _pods(group) == 0)
            (tmp_path / "healed").touch()
            group.change(retry={"id": "again-1", "indexes": "failed"})
            await group.until(lambda: group.status.last_retry_id == "again-1")
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, status.failed) == ("Complete", 3, 0)
    assert status.callback
    assert status.callback.state == "Succeeded"
    ids = sorted(run[1].removeprefix(UID) for run in group.runs)
    assert ids == [".0", ".1", ".1~1", ".2", ".2.1", ".2.1~1", ".callback"]


async def test_chosen_indexes_run_again_while_others_go_on(tmp_path: Path) -> None:
    """Of five that failed three are asked for, and one item that still runs, which is left alone."""
    heal = {"task": "chains.heal"}
    tasks = [heal if index in (2, 3, 7, 9, 10) else GATE if index == 8 else ECHO for index in range(11)]
    with redis_server() as redis:
        async with live_group(spec(*tasks), redis, tmp_path, VERSIONS[-1]) as group:
            await group.until(lambda: (group.status.succeeded, group.status.failed) == (5, 5))
            (tmp_path / "healed").touch()
            group.change(retry={"id": "again-1", "indexes": "3,7-9"})
            await group.until(lambda: group.status.succeeded == 8)
            live = group.status
            (tmp_path / "open").touch()
            await group.finished()

    assert (live.state, live.active, live.failed_indexes) == ("Running", 1, "2,10")
    assert (group.status.state, group.status.succeeded, group.status.failed_indexes) == ("Failed", 9, "2,10")
    again = sorted(run[1].removeprefix(UID) for run in group.runs if "~" in run[1])
    assert again == [".3~1", ".7~1", ".9~1"]
    assert len(group.runs) == 11 + 3


@pytest.mark.parametrize(
    ("before", "after", "added"),
    [
        ({"tasks": [ECHO, GATE]}, {"tasks": [ECHO, GATE, ECHO, {"chain": [ECHO, ECHO]}]}, [".2", ".3", ".3.1"]),
        (
            {"items": ["a"], "template": {"group": [ECHO, GATE]}},
            {"items": ["a", "b"], "template": {"group": [ECHO, GATE]}},
            [".2", ".3"],
        ),
    ],
    ids=["tasks", "a group for each item"],
)
async def test_what_is_appended_gets_the_next_indexes(
    before: dict[str, Any], after: dict[str, Any], added: list[str], tmp_path: Path
) -> None:
    """What was sent before keeps its index, and is not run again."""
    wanted = TaskGroupSpec.model_validate({**before, "workers": WORKERS})
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.until(lambda: started(group, "chains.gate") == 1 and group.status.succeeded == 1)
            group.change(**after)
            await group.until(lambda: group.status.total == 4)
            (tmp_path / "open").touch()
            await group.finished()

    assert (group.status.state, group.status.succeeded, group.status.completed_indexes) == ("Complete", 4, "0-3")
    assert sorted(run[1].removeprefix(UID) for run in group.runs) == [".0", ".1", *added]
