"""Processes are killed with signal 9 while groups run: nothing is lost, nothing is counted twice."""

from collections.abc import Callable
from typing import Any

import pytest

from support.groups import Group, condition, counting, holding, probe_workers
from support.kube import PODS, Kube
from support.node import container_id, is_ready, kill_container, restarts
from support.redis_pod import redis_pod
from support.release import OPERATOR
from support.space import Space
from support.wait import PATIENCE
from taskgroup.api.names import WORKER_CONTAINER

ITEMS = 2_000
WINDOW = 100


@pytest.fixture
def kill_operator(system: Kube) -> Callable[[], None]:
    """Kills the operator's container. The pod is replaced first when the kubelet would wait before another restart."""
    killed = set[str]()

    def running() -> dict[str, Any] | None:
        """The ready pod; the API may say so for a moment of one whose container was killed."""
        pods = (pod for pod in system.select(PODS, OPERATOR) if is_ready(pod))
        return next((pod for pod in pods if container_id(pod, _container(pod)) not in killed), None)

    def kill() -> None:
        pod = system.until(running, state=lambda: system.select(PODS, OPERATOR))
        killed.add(container_id(pod, _container(pod)))
        kill_container(system.kubeconfig, pod, _container(pod))

    pod = system.until(running)
    if restarts(pod, _container(pod)):
        system.run("delete", "pod", pod["metadata"]["name"], f"--timeout={PATIENCE}s")
        system.until(running)
    return kill


def test_a_killed_operator_loses_nothing_and_dispatches_nothing_twice(
    space: Space, kill_operator: Callable[[], None]
) -> None:
    """Half of the items may pass the gate before both kills, so that neither comes after the last dispatch."""
    group = space.create(parallelism=WINDOW, **holding(ITEMS, concurrency=4, maxReplicas=2))
    group.let_pass(ITEMS // 2)

    space.kube.until(lambda: _dispatched(group) > WINDOW, state=group.status)
    kill_operator()
    group.until(lambda seen: seen["succeeded"] >= ITEMS // 4)
    kill_operator()
    assert _dispatched(group) < ITEMS, "killed in the middle of the dispatch"
    group.open_gate()

    status = group.until_finished()
    assert status["succeeded"] == status["total"] == ITEMS
    assert status["completedIndexes"] == f"0-{ITEMS - 1}"
    assert group.runs() == dict.fromkeys(range(ITEMS), 1)


def test_a_killed_worker_gives_its_items_back(space: Space) -> None:
    group = space.create(**holding(24, maxReplicas=2))
    group.let_end(3)
    space.kube.until(lambda: sorted(_busy(group).values()) == [2, 2], state=group.held)
    group.until_run(7)
    assert not _again(group)

    kill_container(space.kube.kubeconfig, group.pods()[0], WORKER_CONTAINER)
    space.kube.until(lambda: len(_again(group)) == 2, state=group.runs)
    group.open_gate()

    status = group.until_finished()
    assert status["succeeded"] == 24
    assert sum(group.runs().values()) == 24 + 2, "only what the killed worker ran is run again"


def test_items_of_a_task_that_says_acks_late_false_come_back_too(space: Space) -> None:
    group = space.create(**counting(2, "probe.early"))
    space.kube.until(lambda: group.runs() == {0: 1, 1: 1}, state=group.runs)
    kill_container(space.kube.kubeconfig, group.pods()[0], WORKER_CONTAINER)
    space.kube.until(lambda: group.runs() == {0: 2, 1: 2}, state=group.runs)
    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == 2
    assert group.runs() == {0: 2, 1: 2}


def test_a_pod_that_is_removed_by_force_gives_its_items_back(space: Space) -> None:
    group = space.create(**holding(16, maxReplicas=2))
    space.kube.until(lambda: len(_busy(group)) == 2, state=group.held)
    victim = group.pods()[0]["metadata"]["name"]
    space.kube.run("delete", "pod", victim, "--grace-period=0", "--force")
    space.kube.until(lambda: group.pool.unacked(victim) not in _busy(group), state=group.held)
    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == 16


def test_an_item_that_kills_its_worker_every_time_is_given_up(space: Space) -> None:
    tasks = [{"task": "probe.die"}, *[{"task": "probe.count", "args": ["$(index)"]}] * 3]
    group = space.create(tasks=tasks, workers=probe_workers(pool="solo", concurrency=1))
    # The kubelet waits longer before each restart.
    status = group.until_finished("Failed", 2 * PATIENCE)
    assert [(failure["reason"], failure["indexes"]) for failure in status["failures"]] == [("Lost", "0")]
    assert status["succeeded"] == 3


def test_a_killed_redis_with_its_file_loses_nothing(space: Space) -> None:
    group = _with_killed_redis(space, append_only=True)
    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == 60


def test_a_redis_that_lost_its_data_is_filled_again(space: Space) -> None:
    group = _with_killed_redis(space, append_only=False)
    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == 60
    assert "DataLost" in group.events()
    assert condition(status, "BackendReachable")["status"] == "True"


def _with_killed_redis(space: Space, *, append_only: bool) -> Group:
    """A group in the middle of its life whose Redis was killed and runs again. The probe's own Redis is another one."""

    def is_back() -> bool:
        pod = space.kube.read(PODS, "redis")
        return is_ready(pod) and restarts(pod, "redis") > 0

    space.set_broker(redis_pod(space.kube, append_only=append_only))
    group = space.create(**holding(60))
    group.let_end(6)
    kill_container(space.kube.kubeconfig, space.kube.read(PODS, "redis"), "redis")
    space.kube.until(is_back, state=lambda: space.kube.read(PODS, "redis"))
    return group


def _dispatched(group: Group) -> int:
    return int(group.redis.hget(group.books.state, "cursor:0") or 0)


def _busy(group: Group) -> dict[str, int]:
    return {key: count for key, count in group.held().items() if count}


def _again(group: Group) -> set[int]:
    return {index for index, times in group.runs().items() if times > 1}


def _container(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["name"])
