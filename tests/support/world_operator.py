"""One life of the operator in the world: the real loops, and the time that they are told."""

import logging
from collections.abc import Awaitable, Callable

from pyroaring import BitMap

from support.builders import NOW
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.cluster.port import GroupStore, WorkerStore
from taskgroup.connections.linking import Linker
from taskgroup.connections.shared import Address, Connection, Connections
from taskgroup.core.groups.figures import GroupFigures
from taskgroup.core.meta import Meta
from taskgroup.groups.apply import Applier
from taskgroup.groups.compiling import Compiler
from taskgroup.groups.items_reading import ItemsReader, ReaderStore
from taskgroup.groups.loop import Following, GroupLoop
from taskgroup.groups.observe import Observer
from taskgroup.loops.budget import WriteBudget
from taskgroup.loops.clock import Clock
from taskgroup.loops.meeting import Meeting, Meetings
from taskgroup.pools import loop as pool_loop
from taskgroup.pools.observe import PoolObserver
from taskgroup.serve.metrics.recorder import Recorder
from taskgroup.settings import Settings

_SETTINGS = Settings(redis_secret="redis", redis_namespaces=("shop",))
_log = logging.getLogger("world")


class Killed(Exception):  # noqa: N818 - it is no error of the operator's
    """The operator's process ended here."""


class WorldClock:
    """Time as the world says."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        """See Clock."""
        return self.time

    def monotonic(self) -> float:
        """See Clock."""
        return self.time


class ToldMetrics(Recorder):
    """The real ones; what they are told of a status is told on."""

    def __init__(self, clock: Clock, told: Callable[[GroupFigures], None]) -> None:
        super().__init__(_SETTINGS.metrics_keep_seconds, _SETTINGS.metrics_max_groups, clock.monotonic)
        self._told = told

    def show(self, meta: Meta, figures: GroupFigures) -> None:
        """See GroupMetrics."""
        self._told(figures)
        super().show(meta, figures)

    def refresh(self, meta: Meta, figures: GroupFigures) -> None:
        """See GroupMetrics."""
        self._told(figures)
        super().refresh(meta, figures)


class Operator:
    """One life of the operator's process: all that is lost when it dies."""

    def __init__(
        self,
        uid: str,
        store: GroupStore,
        workers: WorkerStore,
        readers: ReaderStore | None,
        clock: Clock,
        opener: Callable[[Address], Connection],
        read_url: Callable[[str, SecretKeyRef], Awaitable[str]],
        told: Callable[[GroupFigures], None] = lambda _: None,
    ) -> None:
        """`told` is called with all figures that the metrics get."""
        meetings, connections = Meetings(), Connections(opener)
        linker = Linker(read_url, _SETTINGS, connections)
        self.meeting: Meeting = meetings.of(uid)
        self.following = Following()
        self.counted = BitMap()
        """Items whose end this life of the operator has counted."""
        self.pool_following = pool_loop.PoolFollowing()
        compiler = Compiler()
        items = ItemsReader(readers, linker, clock) if readers else None
        observer = Observer(linker, compiler, clock, _SETTINGS.resync_seconds, items)
        self.metrics = ToldMetrics(clock, told)
        budget = WriteBudget(_SETTINGS.writes_per_second)
        applier = Applier(store, clock, "cluster", budget, self.metrics, items)
        self.groups = GroupLoop(
            store, linker, compiler, observer, applier, workers, meetings, clock, _log, self.metrics
        )
        pool_observer = PoolObserver(workers, connections, clock, _SETTINGS.resync_seconds)
        self.pools = pool_loop.PoolLoop(workers, pool_observer, meetings, clock, _log, self.metrics)
