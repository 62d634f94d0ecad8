"""The Deployment of a pool's workers, and its pods: read, applied, stopped and marked."""

import asyncio
import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from taskgroup.api.names import ANNOTATION_DELETION_COST, LABEL_UID, MANAGER
from taskgroup.cluster.children import child_name, refuse_foreign
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import NotFoundError
from taskgroup.cluster.resources import DEPLOYMENTS, PODS
from taskgroup.cluster.workers.containers import Manifest
from taskgroup.cluster.workers.manifest import worker_deployment
from taskgroup.cluster.workers.pods import worker_facts
from taskgroup.core.meta import Meta
from taskgroup.core.pools.observed import WorkerFacts
from taskgroup.core.pools.pool_spec import PoolSpec

_IDLE_COST, _BUSY_COST = "-100", "100"


@dataclass(frozen=True, slots=True)
class _Applied:
    """Digests of the last applied manifest, and of the operator's managed fields after it."""

    manifest: bytes
    managed_fields: bytes


class WorkerDeployments:
    """`WorkerStore` on the Kubernetes API. It keeps in memory what was last applied; a new process applies it again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._applied: dict[str, _Applied] = {}

    async def observe(self, meta: Meta, spec: PoolSpec | None) -> WorkerFacts:
        """See WorkerStore.

        The Deployment is settled when it is still as last applied and `spec` asks for the same, but for the replicas.
        Without a spec it counts as settled.
        """
        deployment, pods = await asyncio.gather(self._deployment(meta), self.pods(meta))
        settled = deployment is None or spec is None or self._is_settled(meta, spec, deployment)
        return worker_facts(deployment, pods, time.time(), settled=settled)

    async def pods(self, meta: Meta) -> list[Object]:
        """Return the group's pods, also those that are stopping."""
        return await self._cluster.list_all(PODS, meta.namespace, labels=f"{LABEL_UID}={meta.uid}")

    async def apply(self, meta: Meta, spec: PoolSpec, replicas: int) -> None:
        """See WorkerStore. Fields that are not in the manifest are left as they are."""
        manifest = worker_deployment(meta, spec, replicas)
        deployment = await self._cluster.apply(DEPLOYMENTS, manifest)
        self._applied[meta.uid] = _Applied(_digest(manifest), _managed_fields(deployment))

    async def stop(self, meta: Meta) -> None:
        """See WorkerStore."""
        await self._cluster.merge_patch(DEPLOYMENTS, meta.namespace, _name(meta), {"spec": {"replicas": 0}})

    async def mark(self, meta: Meta, idle: Iterable[str], busy: Iterable[str]) -> None:
        """Set the pods' deletion costs, so that a scale-down stops idle pods first. Deleted pods are ignored."""
        costs = dict.fromkeys(idle, _IDLE_COST) | dict.fromkeys(busy, _BUSY_COST)
        await asyncio.gather(*(self._mark(meta, pod, cost) for pod, cost in costs.items()))

    def forget(self, uid: str) -> None:
        """Remove what is kept in memory of a deleted group."""
        self._applied.pop(uid, None)

    async def _deployment(self, meta: Meta) -> Object | None:
        try:
            deployment = await self._cluster.get(DEPLOYMENTS, meta.namespace, _name(meta))
        except NotFoundError:
            return None
        refuse_foreign(meta, deployment, DEPLOYMENTS.kind)
        return deployment

    async def _mark(self, meta: Meta, pod: str, cost: str) -> None:
        patch = {"metadata": {"annotations": {ANNOTATION_DELETION_COST: cost}}}
        try:
            await self._cluster.merge_patch(PODS, meta.namespace, pod, patch)
        except NotFoundError:
            return

    def _is_settled(self, meta: Meta, spec: PoolSpec, deployment: Object) -> bool:
        wanted = _digest(worker_deployment(meta, spec, 0))
        return self._applied.get(meta.uid) == _Applied(wanted, _managed_fields(deployment))


def _name(meta: Meta) -> str:
    return child_name(meta.name, meta.uid)


def _digest(manifest: Manifest) -> bytes:
    """Digest of a manifest without its replicas."""
    spec = {name: value for name, value in manifest["spec"].items() if name != "replicas"}
    return hashlib.sha256(orjson.dumps({**manifest, "spec": spec}, option=orjson.OPT_SORT_KEYS)).digest()


def _managed_fields(deployment: Object) -> bytes:
    """Digest of the uid and of the fields that the operator manages; another writer of a field takes it over."""
    entries = deployment["metadata"].get("managedFields") or ()
    fields = [entry["fieldsV1"] for entry in entries if entry["manager"] == MANAGER and entry["operation"] == "Apply"]
    return hashlib.sha256(orjson.dumps([deployment["metadata"]["uid"], fields], option=orjson.OPT_SORT_KEYS)).digest()
