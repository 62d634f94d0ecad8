"""Worker pods with more in them than the worker, and pods that the cluster takes away."""

import json
from typing import Any

from support.groups import PROBE, Group, holding, probe_workers
from support.kube import PODS
from support.space import Space
from taskgroup.core.exchange import MAX_LOSSES

Object = dict[str, Any]
SHARED = {"name": "shared", "emptyDir": {}}
MOUNT = {"name": "shared", "mountPath": "/shared"}


def test_containers_beside_the_worker_prepare_files_and_go_with_it(space: Space) -> None:
    group = space.create(**_with_company())

    group.until_run(1)
    (pod,) = group.pods()
    assert pod["metadata"]["labels"]["team"] == "images"
    assert pod["metadata"]["annotations"]["note"] == "a b"
    assert (
        space.kube.run("exec", pod["metadata"]["name"], "--container=worker", "--", "cat", "/shared/model") == "ready\n"
    )
    space.kube.until(lambda: _log(group, "tail") == "ready\n", state=lambda: _log(group, "tail"))

    group.open_gate()
    status = group.until_finished()
    assert status["succeeded"] == 1
    # A sidecar of the old kind would keep the pod until the end of its grace period.
    group.until_no_workers()


def test_an_init_container_that_fails_is_named(space: Space) -> None:
    company = _with_company()
    company["workers"]["initContainers"][0]["args"] = ["echo no such model; exit 3"]
    group = space.create(**company)

    group.until_said("WorkersReady", "WorkerCannotStart", "init container fetch", "exit code 3", "no such model")
    assert group.status()["state"] == "Pending"


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


def _with_company() -> Object:
    """A group of one item with an init container, a sidecar, labels and annotations."""
    base = probe_workers()
    side = {"image": base["image"], "command": ["sh", "-c"], "volumeMounts": [MOUNT]}
    workers = {
        **base,
        "podLabels": {"team": "images"},
        "podAnnotations": {"note": "a b"},
        "volumes": [*base["volumes"], SHARED],
        "volumeMounts": [*base["volumeMounts"], {**MOUNT, "readOnly": True}],
        "initContainers": [{**side, "name": "fetch", "args": ["echo ready > /shared/model"]}],
        "sidecars": [{**side, "name": "tail", "args": ["cat /shared/model; sleep 3600"]}],
    }
    return {"sequence": {"count": 1}, "template": {"task": f"{PROBE}.hold", "args": ["$(item)"]}, "workers": workers}


def _log(group: Group, container: str) -> str:
    (pod,) = group.pods()
    return group.kube.run("logs", pod["metadata"]["name"], f"--container={container}")


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
