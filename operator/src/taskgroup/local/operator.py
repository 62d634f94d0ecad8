"""The operator's own two loops for one TaskGroup, on a store and workers of this machine."""

import asyncio
import logging
from functools import partial
from typing import Any

from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.cluster.port import GroupStore, WorkerStore
from taskgroup.connections.linking import Linker
from taskgroup.connections.shared import Connection, Connections, open_redis
from taskgroup.core.meta import Meta
from taskgroup.groups.apply import Applier
from taskgroup.groups.cleanup import Cleaner, Waiting
from taskgroup.groups.compiling import Compiler
from taskgroup.groups.deletion_report import DeletionReport
from taskgroup.groups.loop import GroupLoop
from taskgroup.groups.observe import Observer
from taskgroup.local.item_source import Found, GivenItems
from taskgroup.loops.budget import WriteBudget
from taskgroup.loops.clock import SystemClock
from taskgroup.loops.meeting import Meetings
from taskgroup.pools.loop import PoolLoop
from taskgroup.pools.observe import PoolObserver
from taskgroup.settings import Settings

_CLUSTER = "local"
_SECRET = "broker"  # noqa: S105 - a name
_RESYNC_SECONDS = 5
_USER = "local"
_log = logging.getLogger("taskgroup")


class LocalOperator:
    """Runs one group; everything outside its two arguments is the operator's own."""

    def __init__(
        self, body: dict[str, Any], url: str, store: GroupStore, meetings: Meetings, source: Found | None = None
    ) -> None:
        """`body` may be changed while it runs, as a user would change the object; wake both loops then."""
        self._body = body
        self._url = url
        self._store = store
        self._meetings = meetings
        self._items = GivenItems(source) if source else None
        self._clock = SystemClock()
        self._connections = Connections(open_redis)
        namespace = body["metadata"]["namespace"]
        settings = Settings(redis_secret=_SECRET, redis_namespaces=(namespace,), resync_seconds=_RESYNC_SECONDS)
        self._settings = settings
        self._linker = Linker(self._read_url, settings, self._connections)
        self._is_over = asyncio.Event()

    async def run(self, workers: WorkerStore) -> None:
        """Until `stop`."""
        settings, clock, uid = self._settings, self._clock, self._body["metadata"]["uid"]
        compiler = Compiler(settings.max_message_bytes)
        observer = Observer(self._linker, compiler, clock, settings.resync_seconds, self._items)
        applier = Applier(self._store, clock, _CLUSTER, WriteBudget(settings.writes_per_second))
        groups = GroupLoop(self._store, self._linker, compiler, observer, applier, workers, self._meetings, clock, _log)
        pool_observer = PoolObserver(workers, self._connections, clock, settings.resync_seconds)
        pools = PoolLoop(workers, pool_observer, self._meetings, clock, _log)
        # They end by themselves: redis-py may lose a cancellation.
        await asyncio.gather(groups.run(self._body, self._is_over.is_set), pools.run(uid, self._is_over.is_set))

    def stop(self) -> None:
        """Let both loops end."""
        self._is_over.set()
        self._meetings.of(self._body["metadata"]["uid"]).wake_both()

    async def connection(self) -> Connection:
        """To the same broker and results; `close` ends it with the others."""
        address = await self._linker.default_address()
        if address is None:
            raise RuntimeError("there is no broker")
        return self._connections.use(address, _USER)

    async def clean(self) -> None:
        """Remove every key of the group, for a Redis that stays."""
        report = partial(DeletionReport, self._store, self._clock, _log)
        await Cleaner(self._linker, _no_workers, _stays, report, _log).clean(self._body)

    async def close(self) -> None:
        """Nothing is open afterwards."""
        await self._connections.close()

    async def _read_url(self, namespace: str, reference: SecretKeyRef) -> str:
        del namespace, reference
        return self._url


async def _no_workers(meta: Meta, waiting: Waiting) -> list[str]:
    """They have ended before."""
    del meta, waiting
    return []


async def _stays(namespace: str) -> bool:
    del namespace
    return False
