"""`GroupStore` on the Kubernetes API."""

from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster import event_poster, ledger_store, status_writer
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import NotFoundError
from taskgroup.cluster.port import StoredLedger, StoredStatus
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.core.groups.plan import Event
from taskgroup.core.meta import Meta


class KubernetesGroups:
    """The TaskGroups of one cluster."""

    def __init__(self, cluster: Cluster, reporter: str) -> None:
        """`reporter` is the operator's pod, which events name."""
        self._cluster = cluster
        self._reporter = reporter
        self._limit = event_poster.EventLimit()

    async def read_status(self, meta: Meta) -> StoredStatus:
        """See GroupStore."""
        task_group = await self._cluster.get(TASK_GROUPS, meta.namespace, meta.name)
        if task_group["metadata"]["uid"] != meta.uid:
            raise NotFoundError(f"{meta} is another object now.")
        stored = TaskGroupStatus.model_validate(task_group.get("status") or {})
        return StoredStatus(stored, task_group["metadata"]["resourceVersion"])

    async def write_status(self, meta: Meta, new: TaskGroupStatus, version: str) -> str:
        """See GroupStore."""
        written = await status_writer.write(self._cluster, meta, new, version)
        return str(written["metadata"]["resourceVersion"])

    async def load_ledger(self, meta: Meta) -> StoredLedger | None:
        """See GroupStore."""
        stored = await ledger_store.load(self._cluster, meta)
        return StoredLedger(*stored) if stored else None

    async def save_ledger(self, meta: Meta, data: bytes, version: str | None) -> str:
        """See GroupStore."""
        return await ledger_store.save(self._cluster, meta, data, version)

    async def post_event(self, meta: Meta, event: Event) -> None:
        """See GroupStore."""
        left_out = self._limit.admit(meta.uid)
        if left_out is not None:
            await event_poster.post(self._cluster, meta, event, self._reporter, left_out=left_out)

    async def delete(self, meta: Meta) -> None:
        """See GroupStore."""
        await self._cluster.delete(TASK_GROUPS, meta.namespace, meta.name, uid=meta.uid)
