"""The end of a pool: its Deployment goes, and its workers are waited for, because a stopping worker re-queues."""

import asyncio
import logging
import time

from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import NotFoundError
from taskgroup.cluster.resources import DEPLOYMENTS
from taskgroup.cluster.worker_cache import WorkerCache
from taskgroup.cluster.workers.deployments import worker_name
from taskgroup.core.meta import Meta

WORKERS_SECONDS = 60.0
"""How long stopping workers are waited for; what they put back later is without effect."""
_POLL_SECONDS = 0.1
"""Between two looks at what the watch told."""


class PoolCleaner:
    """Removes workers; doing it twice changes nothing."""

    def __init__(self, cluster: Cluster, cache: WorkerCache, log: logging.Logger) -> None:
        self._cluster = cluster
        self._cache = cache
        self._log = log

    async def stop_workers(self, meta: Meta) -> list[str]:
        """Returns the names of the pods that there were; ApiError when the cluster cannot be asked."""
        deadline = time.monotonic() + WORKERS_SECONDS
        await self._cache.until_listed(meta.namespace)
        await self._delete_deployment(meta)
        names: set[str] = set()
        while pods := self._cache.pods.of(meta.namespace, meta.uid):
            names |= pods.keys()
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
