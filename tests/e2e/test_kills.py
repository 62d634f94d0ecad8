"""Processes are killed with signal 9 while groups run: nothing is lost, nothing is counted twice."""

from collections.abc import Callable
from typing import Any

import pytest

from support.groups import Group, condition, counting, probe_workers
from support.kube import PODS, Kube
from support.node import is_ready, kill_container, restarts
from support.redis_pod import redis_pod
from support.space import Space
from taskgroup.api.names import WORKER_CONTAINER

ITEMS = 2_000
SLEEPING: dict[str, Any] = {"sequence": {"count": 60}, "template": {"task": "numbers.sleep", "args": [0.5]}}
"""Tasks that need nothing themselves from the Redis that is killed."""
OPERATOR = "app.kubernetes.io/component=operator"


def operator_pod(system: Kube) -> dict[str, Any] | None:
    """The ready one."""
    return next((pod for pod in system.select(PODS, OPERATOR) if is_ready(pod)), None)


@pytest.fixture
def kill_operator(system: Kube) -> Callable[[], None]:
    """Kills the operator's container. The pod is replaced first when the kubelet would wait before another restart."""

    def kill() -> None:
        pod = system.until(lambda: operator_pod(system), 60)
        kill_container(system.kubeconfig, pod, pod["spec"]["containers"][0]["name"])

    pod = system.until(lambda: operator_pod(system), 60)
    if restarts(pod, pod["spec"]["containers"][0]["name"]):
        system.run("delete", "pod", pod["metadata"]["name"], "--timeout=50s")
        system.until(lambda: operator_pod(system), 60)
    return kill


@pytest.mark.timeout(240)
def test_a_killed_operator_loses_nothing_and_dispatches_nothing_twice(
    space: Space, kill_operator: Callable[[], None]
) -> None:
    group = space.create(**counting(ITEMS, concurrency=4, maxReplicas=2))

    space.kube.until(lambda: 0 < _dispatched(group) < ITEMS, 60, group.status)
    kill_operator()
    assert _dispatched(group) < ITEMS, "killed in the middle of the dispatch"
    group.until(lambda seen: seen["succeeded"] >= ITEMS // 2, 90)
    kill_operator()

    status = group.until_finished(seconds=150)
    assert status["succeeded"] == status["total"] == ITEMS
    assert status["completedIndexes"] == f"0-{ITEMS - 1}"
    assert group.runs() == dict.fromkeys(range(ITEMS), 1)


@pytest.mark.timeout(200)
def test_a_killed_worker_gives_its_items_back_within_seconds(space: Space) -> None:
    group = space.create(**counting(24, seconds=2.0, maxReplicas=2))
    space.kube.until(lambda: len(_busy(group)) == 2 and len(group.runs()) > 6, 60, group.held)
    victim = group.pods()[0]
    assert not _again(group)

    kill_container(space.kube.kubeconfig, victim, WORKER_CONTAINER)
    space.kube.until(lambda: _again(group), 30, group.runs)

    status = group.until_finished(seconds=120)
    assert status["succeeded"] == 24
    assert sum(group.runs().values()) <= 24 + 2, "only what the killed worker ran is run again"


@pytest.mark.timeout(200)
def test_items_that_were_acknowledged_early_are_found_missing_and_run_again(space: Space) -> None:
    template = {"task": "probe.early", "args": ["$(item)", 4]}
    group = space.create(sequence={"count": 2}, template=template, workers=probe_workers())
    space.kube.until(lambda: group.runs() == {0: 1, 1: 1}, 60, group.runs)
    assert not _busy(group), "nothing in Redis shows that a worker has them"
    kill_container(space.kube.kubeconfig, group.pods()[0], WORKER_CONTAINER)
    status = group.until_finished(seconds=120)
    assert status["succeeded"] == 2
    assert group.runs() == {0: 2, 1: 2}


@pytest.mark.timeout(200)
def test_a_pod_that_is_removed_by_force_gives_its_items_back(space: Space) -> None:
    group = space.create(**counting(16, seconds=2.0, maxReplicas=2))
    space.kube.until(lambda: len(_busy(group)) == 2, 60, group.held)
    victim = group.pods()[0]["metadata"]["name"]
    space.kube.run("delete", "pod", victim, "--grace-period=0", "--force")
    space.kube.until(lambda: group.pool.unacked(victim) not in _busy(group), 30, group.held)
    status = group.until_finished(seconds=120)
    assert status["succeeded"] == 16


@pytest.mark.timeout(200)
def test_an_item_that_kills_its_worker_every_time_is_given_up(space: Space) -> None:
    tasks = [{"task": "probe.die"}, *[{"task": "probe.count", "args": ["$(index)"]}] * 3]
    group = space.create(tasks=tasks, workers=probe_workers(pool="solo", concurrency=1))
    status = group.until_finished("Failed", 180)
    assert [(failure["reason"], failure["indexes"]) for failure in status["failures"]] == [("Lost", "0")]
    assert status["succeeded"] == 3


@pytest.mark.timeout(200)
def test_a_killed_redis_with_its_file_loses_nothing(space: Space) -> None:
    space.set_broker(redis_pod(space.kube, append_only=True))
    group = space.create(**SLEEPING)
    group.until(lambda seen: seen["succeeded"] >= 6)
    kill_container(space.kube.kubeconfig, space.kube.read(PODS, "redis"), "redis")
    status = group.until_finished(seconds=150)
    assert status["succeeded"] == 60


@pytest.mark.timeout(200)
def test_a_redis_that_lost_its_data_is_filled_again(space: Space) -> None:
    space.set_broker(redis_pod(space.kube, append_only=False))
    group = space.create(**SLEEPING)
    group.until(lambda seen: seen["succeeded"] >= 6)
    kill_container(space.kube.kubeconfig, space.kube.read(PODS, "redis"), "redis")
    status = group.until_finished(seconds=150)
    assert status["succeeded"] == 60
    assert "DataLost" in group.events()
    assert condition(status, "BackendReachable")["status"] == "True"


def _dispatched(group: Group) -> int:
    return int(group.redis.hget(group.books.state, "cursor:0") or 0)


def _busy(group: Group) -> set[str]:
    return {key for key, count in group.held().items() if count}


def _again(group: Group) -> set[int]:
    return {index for index, times in group.runs().items() if times > 1}
