"""The workers' Deployment in the cluster: read, made as wanted, and taken away."""

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
    """How the Deployment was left: what was wanted, and which fields were ours then."""

    wanted: bytes
    owned: bytes


class WorkerDeployments:
    """The Deployments of all groups. It remembers how it left each one; without that it applies once more."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._applied: dict[str, _Applied] = {}

    async def observe(self, meta: Meta, wanted: Manifest | None) -> WorkerFacts:
        """What runs now. `wanted` is compared but for its replicas; None (it cannot be made) is not compared."""
        deployment, pods = await asyncio.gather(self._deployment(meta), self.pods(meta))
        settled = deployment is None or wanted is None or self._is_settled(meta, wanted, deployment)
        return worker_facts(deployment, pods, time.time(), settled=settled)

    async def pods(self, meta: Meta) -> list[Object]:
        """The group's pods, those being stopped included."""
        return await self._cluster.list_all(PODS, meta.namespace, labels=f"{LABEL_UID}={meta.uid}")

    async def apply(self, meta: Meta, wanted: Manifest) -> None:
        """Make every field of ours as wanted, whoever changed it, and leave all others."""
        live = await self._cluster.apply(DEPLOYMENTS, wanted)
        self._applied[meta.uid] = _Applied(_digest(wanted), _owned(live))

    async def mark(self, meta: Meta, idle: Iterable[str], busy: Iterable[str]) -> None:
        """Let the next scale-down stop idle pods first. A pod that is gone is left out."""
        costs = dict.fromkeys(idle, _IDLE_COST) | dict.fromkeys(busy, _BUSY_COST)
        await asyncio.gather(*(self._mark(meta, pod, cost) for pod, cost in costs.items()))

    def forget(self, uid: str) -> None:
        """The group is gone."""
        self._applied.pop(uid, None)

    async def _deployment(self, meta: Meta) -> Object | None:
        try:
            found = await self._cluster.get(DEPLOYMENTS, meta.namespace, _name(meta))
        except NotFoundError:
            return None
        refuse_foreign(meta, found, DEPLOYMENTS.kind)
        return found

    async def _mark(self, meta: Meta, pod: str, cost: str) -> None:
        patch = {"metadata": {"annotations": {ANNOTATION_DELETION_COST: cost}}}
        try:
            await self._cluster.merge_patch(PODS, meta.namespace, pod, patch)
        except NotFoundError:
            return

    def _is_settled(self, meta: Meta, wanted: Manifest, live: Object) -> bool:
        return self._applied.get(meta.uid) == _Applied(_digest(wanted), _owned(live))


def _name(meta: Meta) -> str:
    return child_name(meta.name, meta.uid)


def _digest(wanted: Manifest) -> bytes:
    spec = {name: value for name, value in wanted["spec"].items() if name != "replicas"}
    return hashlib.sha256(orjson.dumps({**wanted, "spec": spec}, option=orjson.OPT_SORT_KEYS)).digest()


def _owned(live: Object) -> bytes:
    """The fields that are ours: whoever changes one takes it over, and that shows here."""
    entries = live["metadata"].get("managedFields") or ()
    ours = [part["fieldsV1"] for part in entries if part["manager"] == MANAGER and part["operation"] == "Apply"]
    return hashlib.sha256(orjson.dumps([live["metadata"]["uid"], ours], option=orjson.OPT_SORT_KEYS)).digest()
