"""The end of a pool: its Deployment goes, and its workers are waited for, because a stopping worker re-queues."""

import asyncio
import logging
import time

from taskgroup.api.names import LABEL_UID
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.resources import DEPLOYMENTS, PODS
from taskgroup.core.meta import Meta

WORKERS_SECONDS = 60.0
"""How long stopping workers are waited for; what they put back later is without effect."""
_POLL_SECONDS = 0.5


class PoolCleaner:
    """Removes workers; doing it twice changes nothing."""

    def __init__(self, cluster: Cluster, log: logging.Logger) -> None:
        self._cluster = cluster
        self._log = log

    async def stop_workers(self, meta: Meta) -> list[str]:
        """Returns the names of the pods that there were; ApiError when the cluster cannot be asked."""
        selector, deadline = f"{LABEL_UID}={meta.uid}", time.monotonic() + WORKERS_SECONDS
        for deployment in await self._cluster.list_all(DEPLOYMENTS, meta.namespace, labels=selector):
            metadata = deployment["metadata"]
            await self._cluster.delete(DEPLOYMENTS, meta.namespace, metadata["name"], uid=metadata["uid"])
        names: set[str] = set()
        while pods := await self._cluster.list_all(PODS, meta.namespace, labels=selector):
            names |= {pod["metadata"]["name"] for pod in pods}
            if time.monotonic() > deadline:
                text = "%s: %d worker pods have not ended after %d s and are left to Kubernetes."
                self._log.warning(text, meta, len(pods), WORKERS_SECONDS)
                break
            await asyncio.sleep(_POLL_SECONDS)
        return sorted(names)
