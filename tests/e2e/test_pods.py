"""Worker pods with more in them than the worker."""

from typing import Any

from support.groups import PROBE, Group, probe_workers
from support.space import Space

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
