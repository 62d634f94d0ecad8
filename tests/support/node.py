"""Killing a container the hard way: signal 9 to its first process, sent by the container runtime, not the kubelet."""

import subprocess
from pathlib import Path
from typing import Any

Object = dict[str, Any]


def kill_container(kubeconfig: str, pod: Object, container: str) -> None:
    """SIGKILL; the kubelet learns of it afterwards, as with a process that ran out of memory."""
    identity = _status(pod, container)["containerID"].removeprefix("containerd://")
    socket = Path(kubeconfig).parent / "containerd.sock"
    runtime = ["ctr", "--address", str(socket), "--namespace", "k8s.io"]
    command = [*runtime, "task", "kill", "--signal", "SIGKILL", identity]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def restarts(pod: Object, container: str) -> int:
    """How often the kubelet started the container again."""
    return int(_status(pod, container)["restartCount"])


def is_ready(pod: Object) -> bool:
    """Whether the pod says so."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def _status(pod: Object, container: str) -> Object:
    found: Object = next(part for part in pod["status"]["containerStatuses"] if part["name"] == container)
    return found
