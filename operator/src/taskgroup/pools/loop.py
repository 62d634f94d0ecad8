"""The loop of one pool of workers: look, tell the group, do, wait."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from taskgroup.api.names import Reason
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.port import WorkerStore
from taskgroup.core.exchange import View
from taskgroup.core.groups.resting import FOREVER
from taskgroup.core.meta import Meta
from taskgroup.core.pools.observed import PoolObserved
from taskgroup.core.pools.plan import PoolPlan
from taskgroup.core.pools.reconcile import reconcile_pool
from taskgroup.core.pools.scaling import is_settled
from taskgroup.core.trouble import Trouble
from taskgroup.loops.backoff import Backoff, bug_message
from taskgroup.loops.clock import Clock
from taskgroup.loops.meeting import Assignment, Meeting, Meetings
from taskgroup.loops.metrics import UNMEASURED, Controller, Fault, Metrics, Move, Step
from taskgroup.loops.steps import Steps, fault_of
from taskgroup.loops.watchdog import name_task
from taskgroup.pools import claiming
from taskgroup.pools.actions import PoolActions
from taskgroup.pools.memory import PoolMemory
from taskgroup.pools.observe import PoolObserver
from taskgroup.transport.errors import BrokerError

RETRY_SECONDS = 0.5


@dataclass(slots=True)
class PoolFollowing:
    """What one run of the loop keeps."""

    memory: PoolMemory = field(default_factory=PoolMemory)
    failures: Backoff = field(default_factory=lambda: Backoff(RETRY_SECONDS))
    hindrance: Trouble | None = None
    """What the API server said at the last look; it is said until a look succeeds as a whole."""
    restarts: dict[str, int] | None = None
    """Pod to how often its container was started again, at the last look."""
    losses: int = 0
    """Deaths with items that the metrics were told of."""


class PoolLoop:
    """Runs the loop of any pool, from what all of them share."""

    def __init__(
        self,
        workers: WorkerStore,
        observer: PoolObserver,
        meetings: Meetings,
        clock: Clock,
        log: logging.Logger,
        metrics: Metrics = UNMEASURED,
    ) -> None:
        self._workers = workers
        self._observer = observer
        self._meetings = meetings
        self._clock = clock
        self._log = log
        self._metrics = metrics

    async def run(self, uid: str, is_stopped: Callable[[], bool]) -> None:
        """Until stopped; there is nothing to do before the group has said what the pool is."""
        name_task(f"workers of uid={uid}")
        meeting, following = self._meetings.of(uid), PoolFollowing()
        try:
            while not is_stopped():
                meeting.pool.clear()
                assignment = meeting.assignment
                if assignment is None:
                    following = await self._rest(uid, following)
                    await meeting.pool.wait(FOREVER)
                else:
                    await meeting.pool.wait(await self._step(assignment, meeting, following))
        finally:
            await self.detach(uid, following)

    async def _rest(self, uid: str, following: PoolFollowing) -> PoolFollowing:
        """What was known is let go: there may be thousands of groups at rest."""
        await self.detach(uid, following)
        return PoolFollowing()

    async def _step(self, assignment: Assignment, meeting: Meeting, following: PoolFollowing) -> float:
        """One look, or what follows from its failure; returns the seconds until the next."""
        try:
            plan = await self.look(assignment, meeting, following)
        except (ApiError, BrokerError) as error:
            return self.failed(error, assignment, meeting, following)
        except Exception as error:  # noqa: BLE001 - a bug in one look must not end both loops
            self._metrics.failed(Controller.WORKERS, Fault.BUG)
            self._log.exception("%s: workers: a bug", assignment.meta)
            following.hindrance = Trouble(Reason.OPERATOR_HINDERED, bug_message(error))
            _show(meeting, following, meeting.view or View())
            return following.failures.delay()
        following.failures.reset()
        return plan.wake_after

    def failed(
        self, error: ApiError | BrokerError, assignment: Assignment, meeting: Meeting, following: PoolFollowing
    ) -> float:
        """The group goes on counting, and says what keeps its workers from being looked after.

        An API server that does not answer at all is no news: then nothing could be written either.
        """
        self._metrics.failed(Controller.WORKERS, fault_of(error))
        self._log.warning("%s: workers: %s", assignment.meta, error)
        if isinstance(error, ApiError) and error.status:
            following.hindrance = Trouble(Reason.OPERATOR_HINDERED, error.message)
        if following.hindrance is not None or meeting.view is not None:
            _show(meeting, following, meeting.view or View())
        return following.failures.delay()

    async def look(self, assignment: Assignment, meeting: Meeting, following: PoolFollowing) -> PoolPlan:
        """Observe, decide, tell the group, act; returns what was decided."""
        memory = following.memory
        steps = Steps(self._metrics, Controller.WORKERS, self._clock)
        seen = steps.done(Step.OBSERVE, await self._observer.observe(memory, assignment, meeting))
        self._count_pods(seen, assignment.meta, following)
        plan = steps.done(Step.DECIDE, reconcile_pool(seen, self._clock.now()))
        if assignment.demand is None:
            plan = replace(plan, actions=(), wake_after=seen.resync_seconds)
        if memory.done.refused is not None and is_settled(seen, plan.view.wanted):
            # Nobody wants any more what was refused: look again without it.
            memory.done.refused = None
            meeting.pool.wake()
        _show(meeting, following, plan.view)
        actions = PoolActions(self._workers, memory, assignment, meeting, self._clock)
        try:
            for action in plan.actions:
                await actions.perform(action)
        finally:
            self._count_losses(assignment.meta, following)
        steps.done(Step.APPLY, None)
        self._metrics.succeeded(Controller.WORKERS)
        following.hindrance = None
        meeting.show(replace(plan.view, given_up=memory.done.given_up, set_aside=memory.done.set_aside))
        return plan

    def _count_pods(self, seen: PoolObserved, meta: Meta, following: PoolFollowing) -> None:
        """Pods that the first look finds are none that appeared."""
        before, now = following.restarts, {pod.name: pod.restarts for pod in seen.workers.pods}
        following.restarts = now
        if before is None:
            return
        self._metrics.pods_started(meta, len(now.keys() - before.keys()))
        self._metrics.restarted(meta, sum(max(0, count - before.get(name, 0)) for name, count in now.items()))

    def _count_losses(self, meta: Meta, following: PoolFollowing) -> None:
        told, following.losses = following.losses, following.memory.done.losses
        if following.losses > told:
            self._metrics.moved(meta, Move.DIED, following.losses - told)

    def forget(self, uid: str) -> None:
        """The object is gone. Not before: where a namespace ends, kopf may ask for the cleanup twice."""
        self._workers.forget(uid)
        self._meetings.drop(uid)

    async def detach(self, uid: str, following: PoolFollowing) -> None:
        """The loop ends."""
        claiming.forget(following.memory)
        await self._observer.disconnect(following.memory.intake, uid)


def _show(meeting: Meeting, following: PoolFollowing, view: View) -> None:
    meeting.show(replace(view, trouble=following.hindrance or view.trouble))
