"""The Deployment of a pool's workers, and its pods: looked up in what the watches told, applied, stopped and marked."""

import asyncio
import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from taskgroup.api.names import ANNOTATION_DELETION_COST
from taskgroup.cluster.children import child_name, refuse_foreign
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ConflictError, NotFoundError
from taskgroup.cluster.namespaces import is_terminating
from taskgroup.cluster.object_cache import Cached
from taskgroup.cluster.resources import DEPLOYMENTS, PODS
from taskgroup.cluster.worker_cache import WorkerCache, keep_deployment
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
    """`WorkerStore` on the Kubernetes API. It keeps in memory what was last applied; a new process applies it again.

    Reading makes no request.
    """

    def __init__(self, cluster: Cluster, cache: WorkerCache) -> None:
        """`cache` is kept current by somebody else."""
        self._cluster = cluster
        self._cache = cache
        self._applied: dict[str, _Applied] = {}

    async def observe(self, meta: Meta, spec: PoolSpec | None) -> WorkerFacts:
        """See WorkerStore.

        The Deployment is settled when it is still as last applied and `spec` asks for the same, but for the replicas.
        Without a spec it counts as settled.
        """
        await self._cache.until_listed(meta.namespace)
        cached = self._deployment(meta)
        settled = cached is None or spec is None or self._is_settled(meta, spec, cached.digest)
        pods = [pod.kept for pod in self._cache.pods.of(meta.namespace, meta.uid).values()]
        return worker_facts(cached.kept if cached else None, pods, time.time(), settled=settled)

    async def are_none(self, meta: Meta) -> bool:
        """See WorkerStore."""
        await self._cache.until_listed(meta.namespace)
        deployments = self._cache.deployments.of(meta.namespace, meta.uid).values()
        wanted = any(deployment.kept["spec"]["replicas"] for deployment in deployments)
        return not wanted and not self._cache.pods.of(meta.namespace, meta.uid)

    async def apply(self, meta: Meta, spec: PoolSpec, replicas: int) -> None:
        """See WorkerStore. Fields that are not in the manifest are left as they are."""
        manifest = worker_deployment(meta, spec, replicas)
        deployment = await self._apply(meta, manifest)
        self._cache.deployments.put(deployment)
        self._applied[meta.uid] = _Applied(_digest(manifest), keep_deployment(deployment).digest)

    async def stop(self, meta: Meta) -> None:
        """See WorkerStore."""
        patch = {"spec": {"replicas": 0}}
        self._cache.deployments.put(
            await self._cluster.merge_patch(DEPLOYMENTS, meta.namespace, worker_name(meta), patch)
        )

    async def mark(self, meta: Meta, idle: Iterable[str], busy: Iterable[str]) -> None:
        """Set the pods' deletion costs, so that a scale-down stops idle pods first; those that have theirs are left.

        Deleted pods are ignored.
        """
        costs = dict.fromkeys(idle, _IDLE_COST) | dict.fromkeys(busy, _BUSY_COST)
        there = self._cache.pods.of(meta.namespace, meta.uid)
        wrong = [name for name, cost in costs.items() if name in there and _cost(there[name].kept) != cost]
        await asyncio.gather(*(self._mark(meta, pod, costs[pod]) for pod in wrong))

    async def stop_pod(self, meta: Meta, pod: str, *, at_once: bool) -> None:
        """See WorkerStore."""
        await self._cluster.delete(PODS, meta.namespace, pod, grace_seconds=0 if at_once else None)

    async def is_leaving(self, meta: Meta) -> bool:
        """See WorkerStore."""
        return await is_terminating(self._cluster, meta.namespace)

    def forget(self, uid: str) -> None:
        """Remove what is kept in memory of a deleted group."""
        self._applied.pop(uid, None)

    def _deployment(self, meta: Meta) -> Cached | None:
        cached = self._cache.deployments.of(meta.namespace, meta.uid).get(worker_name(meta))
        if cached is not None:
            refuse_foreign(meta, cached.kept, DEPLOYMENTS.kind)
        return cached

    async def _apply(self, meta: Meta, manifest: Manifest) -> Object:
        """An object of that name without our labels is in no watch of ours; its selector is another in any case."""
        try:
            return await self._cluster.apply(DEPLOYMENTS, manifest, force=self._deployment(meta) is not None)
        except ConflictError:
            found = await self._cluster.get(DEPLOYMENTS, meta.namespace, worker_name(meta), metadata_only=True)
            refuse_foreign(meta, found, DEPLOYMENTS.kind)
            return await self._cluster.apply(DEPLOYMENTS, manifest)

    async def _mark(self, meta: Meta, pod: str, cost: str) -> None:
        patch = {"metadata": {"annotations": {ANNOTATION_DELETION_COST: cost}}}
        try:
            self._cache.pods.put(await self._cluster.merge_patch(PODS, meta.namespace, pod, patch))
        except NotFoundError:
            return

    def _is_settled(self, meta: Meta, spec: PoolSpec, managed_fields: bytes) -> bool:
        return self._applied.get(meta.uid) == _Applied(_digest(worker_deployment(meta, spec, 0)), managed_fields)


def worker_name(meta: Meta) -> str:
    """Name of the Deployment."""
    return child_name(meta.name, meta.uid)


def _cost(pod: Object) -> str | None:
    cost: str | None = (pod["metadata"].get("annotations") or {}).get(ANNOTATION_DELETION_COST)
    return cost


def _digest(manifest: Manifest) -> bytes:
    """Digest of a manifest without its replicas."""
    spec = {name: value for name, value in manifest["spec"].items() if name != "replicas"}
    return hashlib.sha256(orjson.dumps({**manifest, "spec": spec}, option=orjson.OPT_SORT_KEYS)).digest()
