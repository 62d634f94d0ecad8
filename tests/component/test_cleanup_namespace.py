"""A namespace that goes, perhaps with the group's own Redis: its workers are not waited for."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from support.kubectl import Kubectl
from support.wait import eventually_async
from support.watched_workers import watched_cache
from taskgroup.api.names import LABEL_MANAGED_BY, LABEL_UID, MANAGER
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.resources import NAMESPACES, PODS
from taskgroup.core.meta import Meta
from taskgroup.pools.cleanup import PoolCleaner

UID = "0f0e0d0c-1111-2222-3333-444455556666"
GRACE = 600


def worker(name: str) -> dict[str, Any]:
    """A pod on a node, as long as nobody but a kubelet removes it."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    container = {"name": "worker", "image": "none", "securityContext": security}
    return {
        "metadata": {"name": name, "labels": {LABEL_UID: UID, LABEL_MANAGED_BY: MANAGER}},
        "spec": {
            "nodeName": "nowhere",
            "terminationGracePeriodSeconds": GRACE,
            "automountServiceAccountToken": False,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 1000},
            "containers": [container],
        },
    }


async def test_workers_in_a_namespace_that_goes_are_stopped_at_once(cluster: Cluster, restricted: Kubectl) -> None:
    """They tried for a minute to store results in a Redis that had gone with the namespace."""
    namespace = restricted.namespace
    meta = Meta(uid=UID, name="pictures", namespace=namespace, generation=1)
    await cluster.create(PODS, namespace, worker("w-1"))

    async def graces() -> list[int | None]:
        pods = await cluster.list_all(PODS, namespace)
        return [pod["metadata"].get("deletionGracePeriodSeconds") for pod in pods]

    async with watched_cache(cluster, namespace) as cache:
        cleaner = PoolCleaner(cluster, cache, logging.getLogger("test"))
        assert not await cleaner.is_terminating(namespace)
        await cluster.delete(NAMESPACES, "", namespace)
        assert await cleaner.is_terminating(namespace)
        stopping = asyncio.create_task(cleaner.stop_workers(meta, _is_told))
        try:
            await eventually_async(lambda: _are(graces, [1]))
            await cluster.delete(PODS, namespace, "w-1", grace_seconds=0)
            assert await stopping == ["w-1"]
        finally:
            stopping.cancel()


async def _is_told(pods: Sequence[str], seconds: float) -> None:
    """What the deletion says of its waiting is another test's matter."""


async def _are(read: Any, wanted: list[int]) -> bool:
    return bool(await read() == wanted)
