"""A world in memory that carries out plans: pods, a clock, an operator that may die at any step. For properties of the
core alone; how real Redis, Celery and Kubernetes behave is tested against the real ones."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pyroaring import FrozenBitMap

from support.builders import NAME, NOW
from support.world_redis import Books, Message
from support.world_workers import Workers
from taskgroup.api.names import Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups import plan as plans
from taskgroup.core.groups.observed import (
    Arrivals,
    BrokerFacts,
    Meta,
    Observed,
    Pace,
    Suspicion,
    Trouble,
)
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work, compile_work
from taskgroup.core.ledger import Ledger, decode, encode
from taskgroup.core.status.phase import Phase, phase_of

STATUS_SECONDS = 1.0


class Killed(Exception):  # noqa: N818 - it is no error of the operator's
    """The operator's process ended here."""


class Fenced(Exception):  # noqa: N818
    """Redis was not as the plan saw it: memory is dropped."""


@dataclass
class Memory:
    """What an operator process knows and loses when it dies."""

    ledger: Ledger
    arrivals: Arrivals = field(default_factory=Arrivals)
    pace: Pace = field(default_factory=Pace)
    suspicions: tuple[Suspicion, ...] = ()
    early: frozenset[str] | None = None
    requeued: frozenset[str] = frozenset()
    merged: bool = False
    followed: dict[Message, None] = field(default_factory=dict)
    reported: set[Message] = field(default_factory=set)
    status_written: float = float("-inf")
    saved_at: float = float("-inf")
    forget: Indexes = NONE


class World:
    """One TaskGroup and everything around it."""

    def __init__(self, spec: TaskGroupSpec) -> None:
        self.spec = spec
        self.work: Work = compile_work(spec, NAME)
        self.now = NOW
        self.redis = Books()
        self.status = TaskGroupStatus()
        self.saved: bytes | None = None
        self.workers = Workers(self.redis, spec.workers.concurrency)
        self.invalid: Trouble | None = None
        self.fuse: int | None = None
        """Effects until the operator is killed."""
        self.flaws: list[str] = []
        self.events: list[plans.Event] = []
        self.deleted = False
        self.most_parallel = spec.parallelism  # the loosest bound that the spec ever had
        self._nonces = 0
        self.memory: Memory | None = None

    # The operator

    def look(self) -> plans.Plan | None:
        """One turn of the loop; None when the operator died, or was fenced, in it."""
        try:
            self.memory = self.memory or Memory(decode(self.saved) if self.saved else Ledger())
            seen = self.observe(self.memory)
            plan = reconcile(seen, self.now)
            self._check_counts(plan)
            self._apply(plan, self.memory)
        except (Killed, Fenced):
            self.memory, self.fuse = None, None
            return None
        return plan

    def observe(self, memory: Memory) -> Observed:
        """What the operator sees now."""
        self._merge(memory)
        self._sweep(memory)
        redis = self.redis
        self._nonces += 1
        return Observed(
            meta=Meta(uid="6f1c2e52", name=NAME, namespace="shop", generation=1),
            spec=self.spec,
            work=self.work,
            invalid=self.invalid,
            status=self.status,
            ledger=memory.ledger,
            broker=BrokerFacts(
                nonce=redis.nonce,
                epoch=redis.epoch,
                queued=len(redis.queue),
                unacked=redis.held(),
            ),
            workers=replace(self.workers.facts(), early=memory.early),
            arrivals=memory.arrivals,
            pace=memory.pace,
            suspicions=memory.suspicions,
            requeued=memory.requeued,
            fresh_nonce=f"nonce{self._nonces}",
        )

    def _merge(self, memory: Memory) -> None:
        redis, ledger = self.redis, memory.ledger
        if redis.nonce is None or ledger.nonce not in ("", redis.nonce):
            return
        if not memory.merged or dict(ledger.cursors) != redis.cursors:
            memory.ledger = replace(
                ledger,
                cursors=MappingProxyType(dict(redis.cursors)),
                returned=FrozenBitMap(redis.returned) - ledger.ended,
                attempts=MappingProxyType({index: number for index, number in redis.attempts.items() if number}),
            )
            memory.merged = True

    def _sweep(self, memory: Memory) -> None:
        ended = [message for message in memory.followed if message in self.redis.results]
        for message in ended:
            del memory.followed[message]
            memory.reported.add(message)
        memory.arrivals = self.news(ended, memory.arrivals)

    def news(self, messages: list[Message], before: Arrivals = Arrivals()) -> Arrivals:  # noqa: B008 - frozen
        """The results of these messages as arrivals."""
        found = {message: self.redis.results[message] for message in messages}
        good = FrozenBitMap(message.index for message, failure in found.items() if failure is None)
        bad = tuple(failure for failure in found.values() if failure is not None)
        return Arrivals(before.succeeded | good, (*before.failed, *bad))

    def _apply(self, plan: plans.Plan, memory: Memory) -> None:
        young = self.now - memory.status_written < STATUS_SECONDS
        if plan.transition and young:
            return
        memory.ledger, memory.pace = plan.ledger, plan.pace
        memory.forget |= plan.forget
        self._save(plan, memory)
        if plan.transition:
            self._write(plan, memory)
        for action in plan.actions:
            self.effect()
            self._perform(action, memory)
        if plan.consumed:
            memory.arrivals = Arrivals()
        self._follow(memory)
        if not plan.transition and not young and plan.status != self.status:
            self._write(plan, memory)

    def _save(self, plan: plans.Plan, memory: Memory) -> None:
        due = plan.save or self.now - memory.saved_at >= 1.0
        if not memory.ledger.nonce or not due:
            return
        self.effect()
        self.saved, memory.saved_at = encode(memory.ledger), self.now
        self.effect()
        for index in memory.forget:
            self.redis.results.pop(Message(index, memory.ledger.attempts.get(index, 0)), None)
        memory.forget = NONE

    def _write(self, plan: plans.Plan, memory: Memory) -> None:
        self.effect()
        self._check_turn(plan.status)
        self.status, memory.status_written = plan.status, self.now
        self.events.extend(plan.events)

    def _follow(self, memory: Memory) -> None:
        in_flight = memory.ledger.in_flight(self.work.lanes) if phase_of(self.status) is Phase.RUNNING else NONE
        wanted = (Message(index, memory.ledger.attempts.get(index, 0)) for index in in_flight)
        memory.followed = {message: None for message in wanted if message not in memory.reported}

    def effect(self) -> None:
        """Something outside is about to change, or has just changed."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed

    def _perform(self, action: plans.Action, memory: Memory) -> None:
        _ACTIONS[type(action)](self, action, memory)

    # Checks at every step

    def _check_counts(self, plan: plans.Plan) -> None:
        status = plan.status
        parts = (status.pending, status.active, status.succeeded, status.failed, status.cancelled)
        if sum(part or 0 for part in parts) != (status.total or 0):
            self.flaws.append(f"{parts} are not {status.total}")

    def _check_turn(self, new: TaskGroupStatus) -> None:
        if phase_of(new).value < phase_of(self.status).value:
            self.flaws.append(f"from {phase_of(self.status)} back to {phase_of(new)}")
        if (new.succeeded or 0) < (self.status.succeeded or 0) and self.saved is not None:
            self.flaws.append(f"succeeded fell from {self.status.succeeded} to {new.succeeded}")


def _open(world: World, _: plans.Open, memory: Memory) -> None:
    ledger = memory.ledger
    world.redis.open(ledger.nonce, dict(ledger.cursors), dict(ledger.attempts), ledger.returned)


def _apply_workers(world: World, action: plans.ApplyWorkers, _: Memory) -> None:
    workers = world.workers
    busy = sum(1 for pod in workers.live() if world.redis.held().get(pod.name))
    if workers.replicas is not None and action.replicas < min(workers.replicas, busy):
        world.flaws.append(f"{busy} pods are busy, but only {action.replicas} shall stay")
    workers.replicas = action.replicas


def _dispatch(world: World, action: plans.Dispatch, memory: Memory) -> None:
    if not world.redis.dispatch(action.priority, action.start, action.indexes):
        raise Fenced
    world.effect()
    memory.ledger = memory.ledger.advanced(action.priority, action.start + len(action.indexes))


def _redispatch(world: World, action: plans.Redispatch, memory: Memory) -> None:
    sent = world.redis.redispatch(action.indexes)
    world.effect()
    memory.ledger = memory.ledger.redispatched(sent)
    if sent != action.indexes:
        raise Fenced


def _withdraw(world: World, action: plans.Withdraw, memory: Memory) -> None:
    taken = world.redis.withdraw(running=action.running)
    world.effect()
    memory.ledger = memory.ledger.withdrawn(taken)


def _renew(world: World, action: plans.Renew, memory: Memory) -> None:
    attempts = world.redis.renew(action.indexes)
    world.effect()
    memory.ledger = memory.ledger.renewed(attempts)


def _requeue(world: World, action: plans.Requeue, memory: Memory) -> None:
    poison = world.redis.requeue(action.pod, dead_only=action.before is not None, count_loss=action.count_loss)
    world.effect()
    memory.requeued |= {f"{action.pod}/{action.restarts}"}
    memory.ledger = memory.ledger.failed_with(Reason.LOST, "poison", poison, world.now)


def _search(world: World, _: plans.Search, memory: Memory) -> None:
    redis, ledger = world.redis, memory.ledger
    present = {*redis.queue, *redis.results, *redis.in_hands()}
    in_flight = ledger.in_flight(world.work.lanes)
    absent = FrozenBitMap(index for index in in_flight if Message(index, ledger.attempts.get(index, 0)) not in present)
    memory.suspicions = (*memory.suspicions[-1:], Suspicion(world.now, absent))


def _mark_missing(world: World, action: plans.MarkMissing, memory: Memory) -> None:
    world.redis.mark_missing(action.indexes)
    world.effect()
    memory.ledger = memory.ledger.marked_missing(action.indexes)
    memory.suspicions = ()


def _ask_worker(_: World, __: plans.AskWorker, memory: Memory) -> None:
    memory.early = frozenset()


def _delete(world: World, _: plans.DeleteObject, __: Memory) -> None:
    world.deleted = True


_ACTIONS: dict[type[Any], Callable[[World, Any, Memory], None]] = {
    plans.Open: _open,
    plans.ApplyWorkers: _apply_workers,
    plans.MarkPods: lambda *_: None,
    plans.Dispatch: _dispatch,
    plans.Redispatch: _redispatch,
    plans.Withdraw: _withdraw,
    plans.Renew: _renew,
    plans.Requeue: _requeue,
    plans.Search: _search,
    plans.MarkMissing: _mark_missing,
    plans.AskWorker: _ask_worker,
    plans.DeleteObject: _delete,
}
