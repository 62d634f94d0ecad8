"""Kills or freezes the processes of a container, through the container runtime and not the kubelet."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.wait import PATIENCE

Object = dict[str, Any]


def kill_container(kubeconfig: str, pod: Object, container: str) -> None:
    """Send SIGKILL. The kubelet notices it afterwards, as for a process that ran out of memory."""
    _task(kubeconfig, "kill", "--signal", "SIGKILL", container_id(pod, container))


@contextmanager
def frozen(kubeconfig: str, pod: Object, container: str) -> Iterator[None]:
    """Meanwhile it answers nobody and loses nothing. The kubelet kills it when its liveness probe has had enough."""
    identity = container_id(pod, container)
    _task(kubeconfig, "pause", identity)
    try:
        yield
    finally:
        _task(kubeconfig, "resume", identity)


def container_id(pod: Object, container: str) -> str:
    """Of one life of the container, as the runtime names it."""
    return str(_status(pod, container)["containerID"]).removeprefix("containerd://")


def restarts(pod: Object, container: str) -> int:
    """How often the kubelet started the container again."""
    return int(_status(pod, container)["restartCount"])


def is_ready(pod: Object) -> bool:
    """Whether the pod has the condition Ready."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _task(kubeconfig: str, *arguments: str) -> None:
    socket = Path(kubeconfig).parent / "containerd.sock"
    command = ["ctr", "--address", str(socket), "--namespace", "k8s.io", "task", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert process.returncode == 0, process.stderr


def _status(pod: Object, container: str) -> Object:
    status: Object = next(part for part in pod["status"]["containerStatuses"] if part["name"] == container)
    return status
