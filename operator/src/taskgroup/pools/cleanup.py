"""The end of a pool: its Deployment goes, and its workers are waited for, because a stopping worker re-queues."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import NotFoundError
from taskgroup.cluster.namespaces import is_terminating
from taskgroup.cluster.resources import DEPLOYMENTS, PODS
from taskgroup.cluster.worker_cache import WorkerCache
from taskgroup.cluster.workers.deployments import worker_name
from taskgroup.core.meta import Meta

WORKERS_SECONDS = 60.0
"""How long stopping workers are waited for; what they put back later is without effect."""
_POLL_SECONDS = 0.1
"""Between two looks at what the watch told."""
_HURRIED_SECONDS = 1
"""Grace of a worker in a namespace that goes: nobody will read what it could still store."""


class PoolCleaner:
    """Removes workers; doing it twice changes nothing."""

    def __init__(self, cluster: Cluster, cache: WorkerCache, log: logging.Logger) -> None:
        self._cluster = cluster
        self._cache = cache
        self._log = log

    async def is_terminating(self, namespace: str) -> bool:
        """Whether the namespace goes, and with it perhaps its own Redis."""
        return await is_terminating(self._cluster, namespace)

    async def _stop_now(self, meta: Meta, pods: Iterable[str]) -> None:
        """Workers whose Redis has gone with the namespace would try for minutes to store a last result."""
        for pod in pods:
            await self._cluster.delete(PODS, meta.namespace, pod, grace_seconds=_HURRIED_SECONDS)

    async def stop_workers(self, meta: Meta, waiting: Callable[[Sequence[str], float], Awaitable[None]]) -> list[str]:
        """Tells `waiting` which pods have not stopped, and how long they are waited for.

        Returns the names of the pods that there were; ApiError when the cluster cannot be asked.
        """
        deadline = time.monotonic() + WORKERS_SECONDS
        is_hurried = await self.is_terminating(meta.namespace)
        await self._cache.until_listed(meta.namespace)
        await self._delete_deployment(meta)
        names: set[str] = set()
        while pods := self._cache.pods.of(meta.namespace, meta.uid):
            if is_hurried:
                await self._stop_now(meta, pods.keys() - names)
            names |= pods.keys()
            await waiting(sorted(pods), WORKERS_SECONDS)
            if time.monotonic() > deadline:
                text = "%s: %d worker pods have not ended after %d s and are left to Kubernetes."
                self._log.warning(text, meta, len(pods), WORKERS_SECONDS)
                break
            await asyncio.sleep(_POLL_SECONDS)
        return sorted(names)

    async def _delete_deployment(self, meta: Meta) -> None:
        """A Deployment of that name which the TaskGroup does not own is somebody else's."""
        try:
            found = await self._cluster.get(DEPLOYMENTS, meta.namespace, worker_name(meta), metadata_only=True)
        except NotFoundError:
            return
        metadata = found["metadata"]
        if any(owner["uid"] == meta.uid for owner in metadata.get("ownerReferences") or ()):
            await self._cluster.delete(DEPLOYMENTS, meta.namespace, metadata["name"], uid=metadata["uid"])
