"""The look at a pool: its Deployment and pods, its queue, and what its pods hold."""

from contextlib import suppress
from dataclasses import replace

from taskgroup.cluster.port import WorkerStore
from taskgroup.connections.shared import Connection, Connections
from taskgroup.core.exchange import MAX_LOSSES, Demand
from taskgroup.core.pools.leaving import stopping
from taskgroup.core.pools.observed import Outage, PodFacts, PoolObserved, PoolQueue, WorkerFacts
from taskgroup.loops.clock import Clock
from taskgroup.loops.meeting import Assignment, Meeting
from taskgroup.pools.memory import PoolIntake, PoolMemory
from taskgroup.transport.errors import BrokerError

_OUTAGES = 5
"""So many of the last ones are kept."""


def user_of(uid: str) -> str:
    """The name under which the pool's loop uses a connection; its group uses the same one under its own."""
    return f"{uid}/pool"


class PoolObserver:
    """Looks at one pool; the same one serves all pools."""

    def __init__(self, workers: WorkerStore, connections: Connections, clock: Clock, resync_seconds: float) -> None:
        self._workers = workers
        self._connections = connections
        self._clock = clock
        self._resync = resync_seconds

    async def observe(self, memory: PoolMemory, assignment: Assignment, meeting: Meeting) -> PoolObserved:
        """One look. A broker that fails is part of what is seen; ApiError when the cluster cannot be asked."""
        intake = memory.intake
        await self._connect(intake, assignment)
        await self._read_workers(intake, assignment, meeting)
        if meeting.strays_changed:
            intake.knows_strays = meeting.strays_changed = False
        queue = await self._read_queue(intake, assignment.meta.uid)
        spec = assignment.spec
        seen = PoolObserved(
            pool=assignment.meta.uid,
            workers_spec=spec.workers if spec else None,
            loss_limit=spec.loss_limit if spec else MAX_LOSSES,
            demand=assignment.demand or Demand(),
            workers=replace(intake.workers, trouble=memory.done.refused or intake.workers.trouble),
            queue=queue,
            requeued=memory.done.requeued,
            unmoved=memory.done.unmoved,
            outages=intake.outages,
            claims=memory.claiming.history.without(memory.done.settled),
            given_up=memory.done.given_up,
            set_aside=memory.done.set_aside,
            resync_seconds=self._resync,
        )
        return replace(seen, leaving=bool(stopping(seen)) and await self._workers.is_leaving(assignment.meta))

    async def _connect(self, intake: PoolIntake, assignment: Assignment) -> None:
        if intake.address == assignment.address:
            return
        await self.disconnect(intake, assignment.meta.uid)
        if assignment.address is not None:
            intake.connection = self._connections.use(assignment.address, user_of(assignment.meta.uid))
        intake.address, intake.knows_strays, intake.remembered = assignment.address, False, frozenset()
        intake.answered = None

    async def disconnect(self, intake: PoolIntake, uid: str) -> None:
        """The pool is done with its connection."""
        address, intake.address, intake.connection = intake.address, None, None
        if address is not None:
            await self._connections.release(address, user_of(uid))

    async def _read_workers(self, intake: PoolIntake, assignment: Assignment, meeting: Meeting) -> None:
        """From the API server when the watch or the group said that something changed, and every resync time."""
        is_due = self._clock.monotonic() - intake.workers_read >= self._resync
        if not meeting.workers_changed and not is_due and assignment.spec == intake.compared_to:
            return
        meeting.workers_changed = False
        try:
            workers = await self._workers.observe(assignment.meta, assignment.spec)
        except BaseException:
            meeting.workers_changed = True
            raise
        intake.workers_read, intake.compared_to = self._clock.monotonic(), assignment.spec
        intake.workers = replace(workers, pods=(*workers.pods, *_gone(intake.workers, workers)))

    async def _read_queue(self, intake: PoolIntake, pool: str) -> PoolQueue | None:
        connection = intake.connection
        if connection is None:
            return None
        try:
            await self._find_strays(intake, connection, pool)
            await _remember(intake, connection, pool)
            queue = await connection.pools.observe(pool, [pod.name for pod in intake.workers.pods])
            intake.workers = _without_settled(intake.workers, queue)
            await _forget(intake, connection, pool)
        except BrokerError:
            intake.knows_strays, intake.remembered, intake.server = False, frozenset(), 0
            return None
        self._note_outage(intake, queue.server)
        return queue

    def _note_outage(self, intake: PoolIntake, server: int) -> None:
        """The broker failed at the last look, or has been replaced since."""
        now = self._clock.now()
        if intake.answered is not None and server != intake.server:
            intake.outages = (*intake.outages, Outage(intake.answered, now))[-_OUTAGES:]
        intake.server, intake.answered = server, now

    async def _find_strays(self, intake: PoolIntake, connection: Connection, pool: str) -> None:
        """Pods that ended while no operator looked are known from what they held."""
        if intake.knows_strays:
            return
        remembered = await connection.pools.stray_pods(pool)
        intake.remembered = frozenset(remembered)
        strays = remembered - {pod.name for pod in intake.workers.pods}
        lost = tuple(PodFacts(name=name, ended=True, terminating=True) for name in sorted(strays))
        intake.workers = replace(intake.workers, pods=(*intake.workers.pods, *lost))
        intake.knows_strays = True


async def _remember(intake: PoolIntake, connection: Connection, pool: str) -> None:
    """Before the first look at what they hold. A broker that takes no writes at present may still be read."""
    fresh = {pod.name for pod in intake.workers.pods} - intake.remembered
    if fresh:
        with suppress(BrokerError):
            await connection.pools.remember_pods(pool, fresh)
            intake.remembered |= fresh


async def _forget(intake: PoolIntake, connection: Connection, pool: str) -> None:
    done = intake.remembered - {pod.name for pod in intake.workers.pods}
    if done:
        await connection.pools.forget_pods(pool, done)
        intake.remembered -= done


def _gone(before: WorkerFacts, now: WorkerFacts) -> tuple[PodFacts, ...]:
    """Pods that vanished from the API: their unacknowledged messages are still to be given back."""
    names = {pod.name for pod in now.pods}
    return tuple(
        replace(pod, ended=True, terminating=True, ready=False, trouble=None)
        for pod in before.pods
        if pod.name not in names
    )


def _without_settled(workers: WorkerFacts, queue: PoolQueue) -> WorkerFacts:
    """A vanished pod without messages needs no more attention; one that is listed shows up again anyway."""
    needed = tuple(pod for pod in workers.pods if not pod.ended or queue.held.get(pod.name, 1))
    return workers if len(needed) == len(workers.pods) else replace(workers, pods=needed)
