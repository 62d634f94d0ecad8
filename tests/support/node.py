"""Kills a container by signal 9 to its first process, through the container runtime and not the kubelet."""

import subprocess
from pathlib import Path
from typing import Any

from support.wait import PATIENCE

Object = dict[str, Any]


def kill_container(kubeconfig: str, pod: Object, container: str) -> None:
    """Send SIGKILL. The kubelet notices it afterwards, as for a process that ran out of memory."""
    identity = container_id(pod, container)
    socket = Path(kubeconfig).parent / "containerd.sock"
    runtime = ["ctr", "--address", str(socket), "--namespace", "k8s.io"]
    command = [*runtime, "task", "kill", "--signal", "SIGKILL", identity]
    process = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert process.returncode == 0, process.stderr


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


def _status(pod: Object, container: str) -> Object:
    status: Object = next(part for part in pod["status"]["containerStatuses"] if part["name"] == container)
    return status
