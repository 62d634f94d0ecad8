"""What all containers of a worker pod have in common, and the containers beside the worker.

Init containers come first, in their order, as in every Deployment; then the sidecars, which are init containers that
Kubernetes does not wait for (restartPolicy Always): they stop after the worker and never keep a pod alive.
"""

from collections.abc import Sequence
from typing import Any

from taskgroup.api.containers import SideContainer
from taskgroup.api.volumes import VolumeMount
from taskgroup.api.workers import Workers

Manifest = dict[str, Any]

SCRATCH, _SCRATCH_PATH = "taskgroup-tmp", "/tmp"  # noqa: S108


def container_security(workers: Workers) -> Manifest:
    """The restricted Pod Security Standard, for every container alike."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": workers.security_context.read_only_root_filesystem,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def mounts(asked: Sequence[VolumeMount] | None, scratch: str) -> list[Manifest]:
    """The user's mounts, and a directory for temporary files where they have none: the root is read-only."""
    manifests: list[Manifest] = [mount.dump() for mount in asked or ()]
    return manifests if has_scratch(asked) else [*manifests, {"name": scratch, "mountPath": _SCRATCH_PATH}]


def has_scratch(asked: Sequence[VolumeMount] | None) -> bool:
    """Whether the user mounts something there."""
    return any(mount.mount_path.rstrip("/") == _SCRATCH_PATH for mount in asked or ())


def init_containers(workers: Workers) -> list[Manifest]:
    """The pod's initContainers: those that run to their end, then the sidecars."""
    ending = [_side_container(side, workers) for side in workers.init_containers or ()]
    return ending + [_side_container(side, workers) | {"restartPolicy": "Always"} for side in workers.sidecars or ()]


def scratch_volumes(workers: Workers) -> list[Manifest]:
    """One directory for temporary files for each container that needs it: what one writes is not seen by the others."""
    names = [] if has_scratch(workers.volume_mounts) else [SCRATCH]
    sides = [*(workers.init_containers or ()), *(workers.sidecars or ())]
    names += [_scratch_of(side) for side in sides if not has_scratch(side.volume_mounts)]
    return [{"name": name, "emptyDir": {}} for name in names]


def _side_container(side: SideContainer, workers: Workers) -> Manifest:
    return side.dump() | {
        "volumeMounts": mounts(side.volume_mounts, _scratch_of(side)),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(workers),
    }


def _scratch_of(side: SideContainer) -> str:
    return f"{SCRATCH}-{side.name}"
