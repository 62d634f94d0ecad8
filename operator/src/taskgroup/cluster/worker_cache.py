"""The Deployments and pods of all pools in memory, kept current by two watches of each namespace.

So a look at a pool makes no request.
"""

import hashlib
from collections.abc import Coroutine, Sequence
from typing import Any

import orjson

from taskgroup.api.names import ANNOTATION_DELETION_COST, LABEL_MANAGED_BY, MANAGER
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.object_cache import Cached, Changed, ObjectCache
from taskgroup.cluster.resources import DEPLOYMENTS, PODS
from taskgroup.cluster.watching import Watcher

WATCHES = 2
"""Connections that the watches of one namespace take."""
_OURS = f"{LABEL_MANAGED_BY}={MANAGER}"
_METADATA = ("name", "namespace", "uid", "labels", "ownerReferences", "deletionTimestamp", "creationTimestamp")
_CONTAINER_BULK = ("env", "envFrom", "volumeMounts", "securityContext", "resources")
_POD_SPEC = ("nodeName", "containers", "initContainers", "terminationGracePeriodSeconds")


class WorkerCache:
    """What the watches told of workers, and what this process wrote itself."""

    def __init__(self, namespaces: Sequence[str], changed: Changed) -> None:
        """`namespaces` are the watched ones, none for all; `changed` is called at each change of a group's workers."""
        self._scopes = tuple(namespaces) or ("",)
        self.deployments = ObjectCache(self._scopes, keep_deployment, changed)
        self.pods = ObjectCache(self._scopes, keep_pod, changed)

    async def until_listed(self, namespace: str) -> None:
        """Wait until both are known; ApiError while the API server refuses that."""
        await self.deployments.until_listed(namespace)
        await self.pods.until_listed(namespace)

    def unlisted(self) -> str:
        """What nobody has listed yet, as a sentence; empty once all is known."""
        kinds = {"Deployments": self.deployments, "pods": self.pods}
        missing = " and ".join(name for name, cache in kinds.items() if not cache.is_listed)
        return f"The {missing} of workers have not been listed." if missing else ""

    def watchers(self, cluster: Cluster) -> list[Coroutine[Any, Any, None]]:
        """To be run as tasks until they are cancelled; an exception is a bug."""
        kinds = ((DEPLOYMENTS, self.deployments), (PODS, self.pods))
        return [Watcher(cluster, kind, scope, _OURS, cache).run() for kind, cache in kinds for scope in self._scopes]


def keep_deployment(deployment: Object) -> Cached:
    """The numbers, why pods are refused, and a digest that another writer of one of the operator's fields changes."""
    status = deployment.get("status") or {}
    refusals = [
        {name: entry[name] for name in ("type", "status", "reason", "message") if name in entry}
        for entry in status.get("conditions") or ()
        if entry.get("type") == "ReplicaFailure"
    ]
    kept = {
        "metadata": _metadata(deployment),
        "spec": {"replicas": deployment["spec"].get("replicas", 1)},
        "status": {"readyReplicas": status.get("readyReplicas", 0), "conditions": refusals},
    }
    return _cached(deployment, kept, _managed_fields(deployment))


def keep_pod(pod: Object) -> Cached:
    """Everything but what only the kubelet needs."""
    spec = {name: pod["spec"][name] for name in _POD_SPEC if name in pod["spec"]}
    for kind in ("containers", "initContainers"):
        if kind in spec:
            spec[kind] = [
                {name: value for name, value in container.items() if name not in _CONTAINER_BULK}
                for container in spec[kind]
            ]
    metadata = _metadata(pod)
    cost = (pod["metadata"].get("annotations") or {}).get(ANNOTATION_DELETION_COST)
    if cost is not None:
        metadata["annotations"] = {ANNOTATION_DELETION_COST: cost}
    return _cached(pod, {"metadata": metadata, "spec": spec, "status": pod.get("status") or {}}, b"")


def _cached(whole: Object, kept: Object, digest: bytes) -> Cached:
    return Cached(str(whole["metadata"]["uid"]), str(whole["metadata"]["resourceVersion"]), kept, digest)


def _metadata(whole: Object) -> Object:
    return {name: whole["metadata"][name] for name in _METADATA if name in whole["metadata"]}


def _managed_fields(deployment: Object) -> bytes:
    entries = deployment["metadata"].get("managedFields") or ()
    fields = [entry["fieldsV1"] for entry in entries if entry["manager"] == MANAGER and entry["operation"] == "Apply"]
    return hashlib.sha256(orjson.dumps([deployment["metadata"]["uid"], fields], option=orjson.OPT_SORT_KEYS)).digest()
