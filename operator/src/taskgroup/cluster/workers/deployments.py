"""Reads and applies the Deployment of a group's workers."""

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
from taskgroup.cluster.workers.manifest import Manifest
from taskgroup.cluster.workers.pods import worker_facts
from taskgroup.core.groups.observed import Meta, WorkerFacts

_IDLE_COST, _BUSY_COST = "-100", "100"


@dataclass(frozen=True, slots=True)
class _Applied:
    """Digests of the last applied manifest, and of the operator's managed fields after it."""

    manifest: bytes
    managed_fields: bytes


class WorkerDeployments:
    """The Deployments of all groups. What was last applied is kept in memory; after a restart it is applied again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._applied: dict[str, _Applied] = {}

    async def observe(self, meta: Meta, manifest: Manifest | None) -> WorkerFacts:
        """Return the state of the Deployment and its pods.

        The Deployment is settled when it is still as last applied and `manifest` differs in its replicas at most. With
        None, for a manifest that cannot be built, it counts as settled.
        """
        deployment, pods = await asyncio.gather(self._deployment(meta), self.pods(meta))
        settled = deployment is None or manifest is None or self._is_settled(meta, manifest, deployment)
        return worker_facts(deployment, pods, time.time(), settled=settled)

    async def pods(self, meta: Meta) -> list[Object]:
        """Return the group's pods, also those that are stopping."""
        return await self._cluster.list_all(PODS, meta.namespace, labels=f"{LABEL_UID}={meta.uid}")

    async def apply(self, meta: Meta, manifest: Manifest) -> None:
        """Set all fields of the manifest, also those that others changed. Other fields are left as they are."""
        deployment = await self._cluster.apply(DEPLOYMENTS, manifest)
        self._applied[meta.uid] = _Applied(_digest(manifest), _managed_fields(deployment))

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

    def _is_settled(self, meta: Meta, manifest: Manifest, deployment: Object) -> bool:
        return self._applied.get(meta.uid) == _Applied(_digest(manifest), _managed_fields(deployment))


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
