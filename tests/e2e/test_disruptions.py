"""Pods that the cluster takes away with an item in hand: no item is at fault for that, however often it happens."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.groups import REDIS_IMAGE, Group, holding
from support.kube import EVENTS, PODS, Kube
from support.node import is_ready
from support.space import Space
from support.wait import PATIENCE
from taskgroup.core.exchange import MAX_LOSSES

SLOT = "tests.taskgroups.dev/slot"
"""Of what the node has one, and only the pods of one test ask for."""
Object = dict[str, Any]


@pytest.fixture
def node(system: Kube) -> str:
    """Name of the only one."""
    (name,) = system.run("get", "nodes", "--output", "jsonpath={.items[*].metadata.name}").split()
    return name


@pytest.fixture
def slot(system: Kube, node: str) -> Iterator[Object]:
    """The resources of a container that takes the node's only slot."""
    status = {part: {SLOT: "1"} for part in ("capacity", "allocatable")}
    removed = {part: {SLOT: None} for part in status}
    patch = ("patch", "node", node, "--subresource=status", "--type=merge", "--patch")
    system.run(*patch, json.dumps({"status": status}))
    yield {"requests": {"cpu": "10m", "memory": "16Mi", SLOT: 1}, "limits": {SLOT: 1}}
    system.run(*patch, json.dumps({"status": removed}))


@pytest.fixture
def priority_class(space: Space) -> Iterator[str]:
    """Its pods come before those that have none."""
    name = space.kube.namespace
    head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
    space.kube.apply({**head, "value": 1000})
    yield name
    space.kube.remove("priorityclass", name)


def test_however_often_a_pod_is_evicted_its_item_is_not_given_up(space: Space) -> None:
    """Each time its worker is killed with the item in hand, and more often than it may die with it."""
    group = space.create(**holding(1, concurrency=1))
    evicted = set[str]()
    for _ in range(MAX_LOSSES + 2):
        name = space.kube.until(lambda: _fresh_worker(group, evicted), state=group.pods)
        evicted.add(name)
        _evict(space, name)
    group.open_gate()

    status = group.until_finished()
    assert (status["succeeded"], status["failed"]) == (1, 0)


@pytest.mark.alone  # nothing of another test could start meanwhile
def test_a_drained_node_gives_its_items_back_and_blames_none(space: Space, node: str) -> None:
    group = space.create(**holding(2))
    group.until_run(2)
    options = (f"--pod-selector=taskgroups.dev/uid={group.uid}", "--delete-emptydir-data", "--grace-period=1")
    try:
        space.kube.run("drain", node, *options, f"--timeout={PATIENCE}s")
        space.kube.until(lambda: group.queued() == 2, state=group.held)
    finally:
        space.kube.run("uncordon", node)
    assert_run_again_without_blame(group)


def test_a_pod_that_a_more_urgent_one_displaces_blames_no_item(space: Space, slot: Object, priority_class: str) -> None:
    group = space.create(**holding(2, resources=slot, terminationGracePeriodSeconds=1))
    group.until_run(2)

    space.kube.apply(_urgent_pod(slot, priority_class))
    space.kube.until(lambda: is_ready(space.kube.read(PODS, "urgent")), state=lambda: space.kube.select(EVENTS))
    assert "Preempted" in {event["reason"] for event in space.kube.select(EVENTS)}
    space.kube.until(lambda: group.queued() == 2, state=group.held)
    space.kube.remove("pod", "urgent")

    assert_run_again_without_blame(group)


def assert_run_again_without_blame(group: Group) -> None:
    """Both items begin a second time, then they end."""
    group.kube.until(lambda: group.runs() == {0: 2, 1: 2}, state=group.runs)
    assert group.redis.hgetall(group.books.losses) == {}
    group.open_gate()
    status = group.until_finished()
    assert (status["succeeded"], status["failed"]) == (2, 0)


def _urgent_pod(resources: Object, priority_class: str) -> Object:
    """It has nothing to do."""
    limits = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "main", "image": REDIS_IMAGE, "command": ["sleep", "3600"], "resources": resources}
    spec = {
        "priorityClassName": priority_class,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{**container, "securityContext": limits}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "urgent"}, "spec": spec}


def _fresh_worker(group: Group, evicted: set[str]) -> str | None:
    """A pod that holds the item and was not evicted yet."""
    for pod in group.pods():
        name = str(pod["metadata"]["name"])
        if name not in evicted and group.redis.hlen(group.pool.unacked(name)):
            return name
    return None


def _evict(space: Space, name: str) -> None:
    metadata = {"name": name, "namespace": space.kube.namespace}
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": metadata,
        "deleteOptions": {"gracePeriodSeconds": 1},
    }
    path = f"/api/v1/namespaces/{space.kube.namespace}/pods/{name}/eviction"
    answer = json.loads(space.kube.run("create", "--raw", path, "--filename", "-", given=eviction))
    assert answer["status"] == "Success", answer
    space.kube.until(lambda: space.kube.find(PODS, name) is None, state=lambda: space.kube.find(PODS, name))
