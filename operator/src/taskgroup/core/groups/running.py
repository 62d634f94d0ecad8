"""A running group: count what ended, bring back what was lost, keep the queue filled and the workers in number."""

from dataclasses import dataclass, replace

from pyroaring import FrozenBitMap

from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.groups import recovery
from taskgroup.core.groups import unknown_task as holding
from taskgroup.core.groups.accounting import Books, account, with_total
from taskgroup.core.groups.dispatching import dispatch, waiting
from taskgroup.core.groups.finishing import decide
from taskgroup.core.groups.observed import BrokerFacts, Observed, Pace, Trouble
from taskgroup.core.groups.outcome import deadline_in, judge
from taskgroup.core.groups.plan import Action, Event, Open, Plan, Renew, Withdraw
from taskgroup.core.groups.planning import FOLLOW_SECONDS, RESYNC_SECONDS, TROUBLE_SECONDS, plan_for
from taskgroup.core.groups.suspension import scale_suspended, withdraw_suspended
from taskgroup.core.groups.window import adapt, room
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools import early_acks as asking
from taskgroup.core.pools import scaling as demand
from taskgroup.core.status.condition_texts import StatusInput, is_suspended, was_blocked
from taskgroup.core.status.conditions import find, seconds
from taskgroup.core.status.phase import Phase

NEAR_END_SECONDS = 0.8
"""A status within this time of the end would put off the one that tells the end: there is one a second."""
_LOWERED = "spec.parallelism was lowered."


@dataclass(frozen=True, slots=True)
class Context:
    """What the parts of this decision share."""

    seen: Observed
    spec: TaskGroupSpec
    work: Work
    now: float
    books: Books
    ledger: Ledger
    in_flight: Indexes
    hold: Trouble | None
    """No worker knows a task: nothing but a canary is dispatched."""


def reconcile_running(seen: Observed, spec: TaskGroupSpec, work: Work, now: float) -> Plan:
    """One step of a group that has started and not ended."""
    books = account(with_total(seen.ledger, work.total), seen.arrivals, work, now)
    ledger = _clocked(books.ledger, seen, spec, now)
    hold = holding.hold(seen, books, work)
    context = Context(seen, spec, work, now, books, ledger, ledger.in_flight(work.lanes) - books.unknown, hold)
    if seen.broker is not None and seen.broker.nonce != ledger.nonce:
        return _state_differs(context, seen.broker)
    ledger, again = recovery.mark_missing(ledger, recovery.missing(seen, context.in_flight), now)
    context = replace(context, ledger=ledger, in_flight=context.in_flight - ledger.ended)
    verdict = judge(ledger, spec, now)
    if verdict is not None:
        return decide(seen, _facts(context), verdict, now, forget=_ignored(context))
    return _work(context, again)


def _clocked(ledger: Ledger, seen: Observed, spec: TaskGroupSpec, now: float) -> Ledger:
    """The running time stands while the group is suspended."""
    if spec.suspend:
        return ledger.paused(now) if ledger.running_since is not None else ledger
    if ledger.running_since is not None:
        return ledger
    suspended = find(seen.status, ConditionType.SUSPENDED)
    first = suspended is None or suspended.reason == Reason.NOT_SUSPENDED
    started = seconds(seen.status.start_time) if first and seen.status.start_time else now
    return replace(ledger, running_since=started)


def _state_differs(context: Context, broker: BrokerFacts) -> Plan:
    """The state in Redis is not the one in the books: not made yet, to be adopted, or lost."""
    ledger, nonce = context.ledger, context.seen.fresh_nonce
    if not ledger.nonce and broker.nonce is not None:
        return _opened(context, replace(ledger, nonce=broker.nonce), ())
    if not ledger.is_dispatched():
        return _opened(context, replace(ledger, nonce=ledger.nonce or nonce), ())
    ledger = recovery.after_data_loss(ledger, ledger.dispatched(context.work.lanes), nonce)
    text = (
        f"Redis lost this group's data: {len(ledger.returned)} items that had not ended are dispatched again."
        " Give Redis a persistent volume and no eviction."
    )
    return _opened(context, ledger, (Event(EventReason.DATA_LOST, text, warning=True),))


def _opened(context: Context, ledger: Ledger, extra_events: tuple[Event, ...]) -> Plan:
    facts = _facts(replace(context, ledger=ledger, in_flight=NONE))
    # Foreign state that cannot be replaced (a tombstone) is there at the next look, too.
    is_new = context.seen.broker is None or context.seen.broker.nonce is None
    wake_after = 0.0 if is_new else FOLLOW_SECONDS
    return plan_for(
        context.seen, facts, context.now, save=True, actions=(Open(),), extra_events=extra_events, wake_after=wake_after
    )


def _work(context: Context, again: tuple[Action, ...]) -> Plan:
    """A new hold is a turn: only the status remembers it, and the next look would send everything again. So is the end
    of a suspension: what is sent before the status says so would stay on the queue if it were suspended again."""
    seen, now = context.seen, context.now
    pace, sending = _sending(context)
    actions = (
        *_renewals(context.books),
        *recovery.requeues(seen),
        *again,
        *_scaling(context),
        *sending,
        *recovery.search(seen, context.in_flight, now),
        *asking.ask(seen, context.ledger, now),
    )
    return plan_for(
        seen,
        _facts(context),
        now,
        actions=actions,
        save=context.ledger.running_since != seen.ledger.running_since,
        transition=(context.hold is not None and not was_blocked(seen)) or _resumes(context),
        near_end=context.ledger.unfinished <= pace.rate * NEAR_END_SECONDS,
        forget=_ignored(context),
        pace=pace,
        wake_after=_wake_after(context, pace),
    )


def _resumes(context: Context) -> bool:
    return not context.spec.suspend and is_suspended(context.seen)


def _facts(context: Context) -> StatusInput:
    wanted = 0 if context.spec.suspend else demand.pods_for(context.ledger.unfinished, context.spec)
    return StatusInput(
        phase=Phase.RUNNING,
        ledger=context.ledger,
        active=len(context.in_flight),
        wanted=wanted,
        configuration=context.hold,
    )


def _ignored(context: Context) -> Indexes:
    """Newly counted items whose values nobody wants."""
    fresh = context.ledger.succeeded - context.seen.ledger.succeeded
    if not context.work.ignores_results:
        return NONE
    return FrozenBitMap(index for index in fresh if context.work.leaf(index).options.ignore_result)


def _renewals(books: Books) -> tuple[Action, ...]:
    if not books.unknown:
        return ()
    return (Renew(books.unknown, f"No worker knows the task {books.unknown_task!r}."),)


def _scaling(context: Context) -> tuple[Action, ...]:
    if context.seen.broker is None:
        return ()
    if context.spec.suspend:
        return scale_suspended(context.seen)
    wanted = demand.pods_for(context.ledger.unfinished, context.spec)
    reason = f"{context.ledger.unfinished} items are left, {context.spec.workers.concurrency} at once in a pod."
    return demand.scale(wanted, context.seen.workers, context.seen.broker, reason)


def _sending(context: Context) -> tuple[Pace, tuple[Action, ...]]:
    seen, broker, pace = context.seen, context.seen.broker, context.seen.pace
    if broker is None or seen.backend_trouble is not None:
        return pace, ()
    if context.spec.suspend:
        return pace, withdraw_suspended(seen)
    if context.hold is not None:
        return _canary(context, context.hold)
    if _is_over(context, broker):
        return replace(pace, cut_to=context.spec.parallelism), (Withdraw(running=False, reason=_LOWERED),)
    pace = adapt(
        pace,
        slots=demand.slots(context.ledger, context.spec),
        queued=broker.queued,
        arrived=seen.arrivals.count,
        waiting=waiting(context.ledger, context.in_flight),
        message_bytes=context.work.message_bytes,
        now=context.now,
    )
    free = room(pace, in_flight=len(context.in_flight), parallelism=context.spec.parallelism)
    return pace, tuple(dispatch(context.ledger, context.work.lanes, free))


def _is_over(context: Context, broker: BrokerFacts) -> bool:
    """Parallelism was lowered: what waits on the queue comes back, once, and only what is allowed is sent again."""
    bound = context.spec.parallelism
    return bound is not None and bool(broker.queued) and len(context.in_flight) > bound != context.seen.pace.cut_to


def _canary(context: Context, hold: Trouble) -> tuple[Pace, tuple[Action, ...]]:
    pace, now = context.seen.pace, context.now
    if context.books.unknown:
        return replace(pace, canary_at=now), ()
    return holding.canary(hold, context.work, context.ledger, context.in_flight, pace, now)


def _wake_after(context: Context, pace: Pace) -> float:
    times = [RESYNC_SECONDS if context.seen.backend_trouble is None else TROUBLE_SECONDS]
    deadline = deadline_in(context.ledger, context.spec, context.now)
    if deadline is not None:
        times.append(deadline)
    if context.in_flight:
        times.append(recovery.SEARCH_SECONDS)
    canary = pace.canary_at + holding.CANARY_SECONDS - context.now
    if context.hold is not None and canary > 0:
        times.append(canary)
    return min(times)
