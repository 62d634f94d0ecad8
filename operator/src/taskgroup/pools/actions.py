"""What each action of a pool's plan does outside. All can be repeated."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from taskgroup.api.names import Reason
from taskgroup.cluster.errors import ForbiddenError, RefusedError
from taskgroup.cluster.port import WorkerStore
from taskgroup.core.action import Action
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.pools import plan
from taskgroup.core.trouble import Trouble
from taskgroup.loops.action_log import log_action
from taskgroup.loops.clock import Clock
from taskgroup.loops.meeting import Assignment, Meeting
from taskgroup.pools import claiming
from taskgroup.pools.memory import PoolMemory
from taskgroup.transport.errors import BrokerError

_log = logging.getLogger("taskgroup")


class PoolActions:
    """The actions on one pool, for one plan."""

    def __init__(
        self, workers: WorkerStore, memory: PoolMemory, assignment: Assignment, meeting: Meeting, clock: Clock
    ) -> None:
        self._workers = workers
        self._memory = memory
        self._assignment = assignment
        self._meeting = meeting
        self._clock = clock
        self._methods: dict[type[Action], Callable[[Any], Awaitable[bool]]] = {
            plan.ApplyWorkers: self._apply_workers,
            plan.MarkPods: self._mark_pods,
            plan.Requeue: self._requeue,
            plan.AskClaims: self._ask_claims,
            plan.Discard: self._discard,
            plan.PutBack: self._put_back,
            plan.StopPod: self._stop_pod,
        }

    async def perform(self, action: Action) -> None:
        """BrokerError or ApiError when it could not be done."""
        if await self._methods[type(action)](action):
            log_action(self._assignment.meta, action)

    # Each says whether it was carried out.

    async def _apply_workers(self, action: plan.ApplyWorkers) -> bool:
        """A Deployment that the API refuses is a trouble of the pool, not of the operator."""
        meta, spec = self._assignment.meta, self._assignment.spec
        if spec is None:
            # The end needs no Secret: without it workers can be stopped, though not described.
            await self._workers.stop(meta)
            return True
        try:
            await self._workers.apply(meta, spec, action.replicas)
            self._memory.done.refused = None
        except (RefusedError, ForbiddenError) as error:
            self._memory.done.refused = Trouble(Reason.WORKER_CANNOT_START, error.message)
        return self._memory.done.refused is None

    async def _mark_pods(self, action: plan.MarkPods) -> bool:
        await self._workers.mark(self._assignment.meta, action.idle, action.busy)
        return True

    async def _requeue(self, action: plan.Requeue) -> bool:
        connection, pool, done = self._memory.intake.connection, self._assignment.meta.uid, self._memory.done
        if connection is None:
            return False
        try:
            requeued = await connection.pools.requeue(
                pool,
                action.pod,
                {pool: self._over},
                before=action.before,
                count_loss=action.count_loss,
                loss_limit=action.loss_limit,
                suspect_losses=action.suspect_losses,
            )
        except BrokerError:
            # The answer may be lost, and not the change.
            done.set_aside += 1
            raise
        done.given_up |= requeued.given_up
        done.set_aside += bool(requeued.set_aside)
        done.losses += requeued.losses
        done.requeued |= {f"{action.pod}/{action.restarts}"}
        if action.before is None:
            done.unmoved = {**done.unmoved, action.pod: requeued.unmoved}
        if requeued.foreign:
            text = "%s: the worker %s held %d entries that are no messages of Celery; they were removed."
            _log.warning(text, self._assignment.meta, action.pod, requeued.foreign)
        return True

    @property
    def _over(self) -> Indexes:
        demand = self._assignment.demand
        return demand.over if demand else NONE

    async def _ask_claims(self, action: plan.AskClaims) -> bool:
        return claiming.start(self._memory, self._assignment, self._meeting, action.pods, self._clock)

    async def _discard(self, action: plan.Discard) -> bool:
        connection = self._memory.intake.connection
        if connection is None:
            return False
        await connection.pools.discard(self._assignment.meta.uid, action.pod, action.tags)
        self._settled(action.tags)
        return True

    async def _put_back(self, action: plan.PutBack) -> bool:
        connection, pool = self._memory.intake.connection, self._assignment.meta.uid
        if connection is None:
            return False
        self._memory.done.set_aside += action.anew
        await connection.pools.put_back(pool, action.pod, [pool], action.tags, anew=action.anew)
        self._settled(action.tags)
        return True

    def _settled(self, tags: frozenset[str]) -> None:
        """Only the looks that are still kept can show them again."""
        seen = frozenset[str]().union(*(look.tags for look in self._memory.claiming.history.looks))
        self._memory.done.settled = (self._memory.done.settled & seen) | tags

    async def _stop_pod(self, action: plan.StopPod) -> bool:
        await self._workers.stop_pod(self._assignment.meta, action.pod, at_once=action.at_once)
        return True
