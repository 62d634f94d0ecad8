"""The pods that read the items of groups, each in its group's namespace, with the rights of the group's workers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from taskgroup.api.backend import Backend
from taskgroup.api.names import LABEL_ITEMS_OF, LABEL_NAME
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.cluster.children import child_metadata, child_name
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ConflictError
from taskgroup.cluster.item_places import environment_of, volumes_of
from taskgroup.cluster.resources import PODS
from taskgroup.cluster.workers import certificates
from taskgroup.core.meta import Meta

PATIENCE_SECONDS = 30
"""A pod that does not run after this time is told of."""
_GRACE_SECONDS = 1
"""Nothing of what it does need be finished."""
_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class ReaderPods:
    """The pods of one group."""

    count: int = 0
    have_ended: bool = False
    """All of them."""
    hindrance: str = ""
    """What keeps the last one from running."""


class ItemReaders:
    """Starts, finds and removes them."""

    def __init__(self, cluster: Cluster, image: str) -> None:
        self._cluster = cluster
        self._image = image

    async def look(self, meta: Meta) -> ReaderPods:
        """Those that there are."""
        pods = await self._pods(meta)
        hindrance = next((found for pod in pods if (found := hindrance_of(pod, datetime.now(UTC)))), "")
        ended = [pod for pod in pods if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")]
        return ReaderPods(len(pods), bool(pods) and len(ended) == len(pods), hindrance)

    async def start(self, meta: Meta, spec: TaskGroupSpec, broker: Backend, request: dict[str, Any]) -> None:
        """One that is there already is enough."""
        pod = reader_pod(meta, spec, broker, request, self._image)
        try:
            await self._cluster.create(PODS, meta.namespace, pod)
        except ConflictError:
            return

    async def stop(self, meta: Meta) -> None:
        """All of them go."""
        for pod in await self._pods(meta):
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
            await self._cluster.delete(PODS, meta.namespace, name, uid=uid, grace_seconds=_GRACE_SECONDS)

    async def _pods(self, meta: Meta) -> list[Object]:
        return await self._cluster.list_all(PODS, meta.namespace, labels=f"{LABEL_ITEMS_OF}={meta.uid}")


def reader_pod(meta: Meta, spec: TaskGroupSpec, broker: Backend, request: dict[str, Any], image: str) -> Object:
    """Valid under the restricted Pod Security Standard; it has no token, and of Redis what a worker has."""
    metadata = child_metadata(meta, f"{child_name(meta.name, meta.uid)}-items")
    # Not the labels of workers: their watch and their cleanup find pods by them.
    metadata["labels"] = {LABEL_ITEMS_OF: meta.uid, LABEL_NAME: meta.name}
    reference = broker.secret_key_ref
    url = {"secretKeyRef": {"name": reference.name, "key": reference.key}}
    volumes, mounts, folder = certificates.of_broker(broker)
    own_volumes, own_mounts = volumes_of(spec.items_from)
    container = {
        "name": "items",
        "image": image,
        "command": ["python", "-m", "taskgroup.sources.read"],
        "env": [
            {"name": "CELERY_BROKER_URL", "valueFrom": url},
            {"name": "TASKGROUP_ITEMS", "value": orjson.dumps(request | {"certificates": folder}).decode()},
            *environment_of(spec.items_from),
        ],
        "resources": _RESOURCES,
        "volumeMounts": [*mounts, *own_mounts, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the container
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": _SECURITY,
    }
    own = {
        "restartPolicy": "OnFailure",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [*volumes, *own_volumes, {"name": "tmp", "emptyDir": {}}],
    }
    return {"metadata": metadata, "spec": own | _as_workers(spec)}


def _as_workers(spec: TaskGroupSpec) -> dict[str, Any]:
    """Where it may run, and as whom, is what the spec says of workers."""
    workers = spec.workers
    parts = {
        "imagePullSecrets": [secret.dump() for secret in workers.image_pull_secrets or ()],
        "nodeSelector": dict(workers.node_selector or {}),
        "tolerations": [toleration.dump() for toleration in workers.tolerations or ()],
        "serviceAccountName": workers.service_account_name,
        "priorityClassName": workers.priority_class_name,
    }
    return {name: value for name, value in parts.items() if value}


def hindrance_of(pod: Object, now: datetime) -> str:
    """Why a pod does not run, once it should; empty when it does."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    age = now - datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    if age.total_seconds() < PATIENCE_SECONDS or status.get("phase") == "Succeeded":
        return ""
    for container in status.get("containerStatuses") or ():
        if text := _container_hindrance(container):
            return f"The pod {name} {text}"
    return f"The pod {name} {_unstarted(status)}" if status.get("phase") == "Pending" else ""


def _unstarted(status: Object) -> str:
    conditions = status.get("conditions") or ()
    scheduled: Object = next((one for one in conditions if one.get("type") == "PodScheduled"), {})
    if scheduled.get("status") == "True":
        return "does not start: its node has not said why."
    text = scheduled.get("message") or "the scheduler has not said why."
    return f"is not scheduled: {text[:500]}"


def _container_hindrance(container: Object) -> str:
    waiting = (container.get("state") or {}).get("waiting")
    ended = (container.get("lastState") or {}).get("terminated")
    if waiting and ended:
        text = ended.get("message") or ended.get("reason") or "its container ended, as kubectl logs may tell."
        return f"fails: {str(text)[-500:]}"
    if waiting:
        text = waiting.get("message") or "what it mounts may not exist, as kubectl describe pod tells"
        return f"does not start ({waiting.get('reason') or 'waiting'}): {text[:500]}."
    return ""
