"""The API server's part in a local run: one TaskGroup's status, ledger and events, in memory."""

from collections.abc import Callable

from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.errors import ConflictError
from taskgroup.cluster.port import StoredLedger, StoredStatus
from taskgroup.core.groups.plan import Event
from taskgroup.core.ledger import Ledger
from taskgroup.core.meta import Meta
from taskgroup.core.snapshot import decode

FIRST_VERSION = "1"
"""resourceVersion of an object that nobody has written to."""


class LocalStore:
    """`GroupStore` of one TaskGroup."""

    def __init__(self, changed: Callable[[TaskGroupStatus], None], told: Callable[[Event], None]) -> None:
        """`changed` is called with every status that is written, `told` with every event."""
        self.status = TaskGroupStatus()
        self._version = int(FIRST_VERSION)
        self._ledger: StoredLedger | None = None
        self._changed = changed
        self._told = told

    @property
    def ledger(self) -> Ledger:
        """As last saved."""
        return decode(self._ledger.data) if self._ledger else Ledger()

    async def read_status(self, meta: Meta) -> StoredStatus:
        """See GroupStore."""
        del meta
        return StoredStatus(self.status, str(self._version))

    async def write_status(self, meta: Meta, status: TaskGroupStatus, version: str) -> str:
        """See GroupStore."""
        if version != str(self._version):
            raise ConflictError(f"The status of {meta} changed since it was read.", status=409)
        self.status, self._version = status, self._version + 1
        self._changed(status)
        return str(self._version)

    async def load_ledger(self, meta: Meta) -> StoredLedger | None:
        """See GroupStore."""
        del meta
        return self._ledger

    async def save_ledger(self, meta: Meta, data: bytes, version: str | None) -> str:
        """See GroupStore."""
        before = self._ledger.version if self._ledger else None
        if version != before:
            raise ConflictError(f"The ledger of {meta} changed since it was read.", status=409)
        self._ledger = StoredLedger(data, str(int(before or 0) + 1))
        return self._ledger.version

    async def post_event(self, meta: Meta, event: Event) -> None:
        """See GroupStore."""
        del meta
        self._told(event)

    async def delete(self, meta: Meta) -> None:
        """The run ends anyway."""
        del meta
