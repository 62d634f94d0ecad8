"""Stock images, old and new Celery, well-behaved and awkward apps; and what a worker pod may not do."""

from typing import Any

import pytest

from support.groups import AWKWARD_IMAGE, CELERY53_IMAGE, Group, holding, probe_workers, workers
from support.space import Space

Object = dict[str, Any]


def call(task: str, *args: Any) -> Object:
    """One entry of `tasks`."""
    return {"task": task, "args": list(args)}


def test_celery_5_3_runs_a_group(space: Space) -> None:
    tasks = [
        call("basic.add", 1, 2),
        call("basic.sleep", 0.1),
        call("basic.fail", "no such boat"),
        call("basic.add", "a", "b"),
    ]
    group = space.create(tasks=tasks, workers=workers("basic", CELERY53_IMAGE))
    status = group.until_finished("Failed")
    assert [(failure["reason"], failure["message"]) for failure in status["failures"]] == [
        ("ValueError", "no such boat")
    ]
    assert status["completedIndexes"] == "0,1,3"
    lines = group.results()
    assert [line.get("result") for line in lines] == [3, 0.1, None, "ab"]
    assert lines[2] == {"index": 2, "status": "FAILURE", "error": "ValueError: no such boat"}


def test_an_awkward_app_runs_on_celery_5_7(space: Space) -> None:
    tasks = [call("awkward.silent", 5), *_awkward_tasks()]
    group = space.create(tasks=tasks, workers=workers("awkward", AWKWARD_IMAGE))
    group.until_finished()
    silent, *values = group.values()
    assert silent == 5
    _assert_awkward(group, values)


def test_an_awkward_app_runs_on_celery_5_3(space: Space) -> None:
    group = space.create(tasks=_awkward_tasks(), workers=probe_workers(CELERY53_IMAGE, app="awkward"))
    group.until_finished()
    _assert_awkward(group, group.values())


def test_a_task_of_celery_5_3_that_ignores_its_result_ends_its_item(space: Space) -> None:
    """ignore_result on the task stored nothing before Celery 5.6.3: the item was run four times and then Lost."""
    tasks = [call("awkward.silent", 5), call("awkward.child", 1)]
    group = space.create(tasks=tasks, workers=probe_workers(CELERY53_IMAGE, app="awkward"))
    group.until_finished()
    assert group.values()[0] == 5


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_other_pools_run_a_group(space: Space, pool: str) -> None:
    template = {"task": "numbers.square", "args": ["$(item)"]}
    group = space.create(
        sequence={"count": 12}, template=template, workers=workers(pool=pool, concurrency=1 if pool == "solo" else 4)
    )
    group.until_finished()
    assert group.values() == [n * n for n in range(12)]


def test_subtasks_left_behind_at_the_end_still_run(space: Space) -> None:
    tasks = [call("awkward.parent", n) for n in range(6)]
    group = space.create(tasks=tasks, workers=workers("awkward", AWKWARD_IMAGE, concurrency=1))
    group.until_finished()
    children = [f"celery-task-meta-{value}" for value in group.values()]
    space.kube.until(lambda: group.redis.exists(*children) == 6, state=group.queued)
    group.until_no_workers()


def test_a_worker_pod_has_no_rights_and_writes_nowhere_but_tmp(space: Space) -> None:
    group = space.create(tasks=[call("probe.surroundings")], workers=probe_workers())
    group.until_finished()
    assert group.values() == [
        {
            "user": 10001,
            "capabilities": 0,
            "new_privileges": False,
            "system_calls_filtered": True,
            "token": False,
            "writes_to_root": False,
        }
    ]
    account = f"--as=system:serviceaccount:{space.kube.namespace}:default"
    for verb, what in (("get", "secrets"), ("list", "pods"), ("get", "taskgroups")):
        assert space.kube("auth", "can-i", verb, what, account).stdout.strip() == "no"


def test_variables_volumes_and_the_account_of_the_spec_reach_the_pod(space: Space) -> None:
    space.kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "painter"}})
    spec = probe_workers(serviceAccountName="painter", nodeSelector={"kubernetes.io/os": "linux"})
    spec["env"].append({"name": "CELERY_BROKER_URL", "value": "redis://elsewhere"})
    group = space.create(**holding(4) | {"workers": spec})
    group.let_end(1)
    pod = group.pods()[0]["spec"]
    assert pod["serviceAccountName"] == "painter"
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod["automountServiceAccountToken"] is False
    assert [volume["name"] for volume in pod["volumes"] if "projected" in volume] == []
    group.open_gate()
    group.until_finished()


def _awkward_tasks() -> list[Object]:
    return [
        call("awkward.child", 1),
        call("awkward.parent", 2),
        call("awkward.flaky", 3),
        call("awkward.replaced", 4),
        call("awkward.registered", 5),
    ]


def _assert_awkward(group: Group, values: list[Any]) -> None:
    child = values.pop(1)
    assert values == [10, {"n": 3, "retries": 2}, 40, 6]
    found: Any = group.redis.get(f"celery-task-meta-{child}")
    assert found is not None, "the subtask ran in the group's queue"
