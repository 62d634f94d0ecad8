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
from taskgroup.core.groups.planning import FOLLOW_SECONDS, RESYNC_SECONDS, TROUBLE_SECONDS, step
from taskgroup.core.groups.suspension import scale_suspended, withdraw_suspended
from taskgroup.core.groups.window import adapt, room
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools import early_acks as asking
from taskgroup.core.pools import scaling as demand
from taskgroup.core.status.condition_texts import Facts, is_suspended, was_held
from taskgroup.core.status.conditions import find, seconds
from taskgroup.core.status.phase import Phase

NEAR_END_SECONDS = 0.8
"""A status within this time of the end would put off the one that tells the end: there is one a second."""
_LOWERED = "spec.parallelism was lowered."


@dataclass(frozen=True, slots=True)
class Sight:
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
    sight = Sight(seen, spec, work, now, books, ledger, ledger.in_flight(work.lanes) - books.unknown, hold)
    if seen.broker is not None and seen.broker.nonce != ledger.nonce:
        return _state_differs(sight, seen.broker)
    ledger, again = recovery.send_again(ledger, recovery.missing(seen, sight.in_flight), now)
    sight = replace(sight, ledger=ledger, in_flight=sight.in_flight - ledger.ended)
    verdict = judge(ledger, spec, now)
    if verdict is not None:
        return decide(seen, _facts(sight), verdict, now, forget=_ignored(sight))
    return _work(sight, again)


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


def _state_differs(sight: Sight, broker: BrokerFacts) -> Plan:
    """The state in Redis is not the one in the books: not made yet, to be adopted, or lost."""
    ledger, nonce = sight.ledger, sight.seen.fresh_nonce
    if not ledger.nonce and broker.nonce is not None:
        return _opened(sight, replace(ledger, nonce=broker.nonce), ())
    if not ledger.is_dispatched():
        return _opened(sight, replace(ledger, nonce=ledger.nonce or nonce), ())
    ledger = recovery.after_data_loss(ledger, ledger.dispatched(sight.work.lanes), nonce)
    text = (
        f"Redis lost this group's data: {len(ledger.returned)} items that had not ended are dispatched again."
        " Give Redis a persistent volume and no eviction."
    )
    return _opened(sight, ledger, (Event(EventReason.DATA_LOST, text, warning=True),))


def _opened(sight: Sight, ledger: Ledger, news: tuple[Event, ...]) -> Plan:
    facts = _facts(replace(sight, ledger=ledger, in_flight=NONE))
    # Foreign state that cannot be replaced (a tombstone) is there at the next look, too.
    is_new = sight.seen.broker is None or sight.seen.broker.nonce is None
    wake_after = 0.0 if is_new else FOLLOW_SECONDS
    return step(sight.seen, facts, sight.now, save=True, actions=(Open(),), news=news, wake_after=wake_after)


def _work(sight: Sight, again: tuple[Action, ...]) -> Plan:
    """A new hold is a turn: only the status remembers it, and the next look would send everything again. So is the end
    of a suspension: what is sent before the status says so would stay on the queue if it were suspended again."""
    seen, now = sight.seen, sight.now
    pace, sending = _sending(sight)
    actions = (
        *_renewals(sight.books),
        *recovery.requeues(seen),
        *again,
        *_scaling(sight),
        *sending,
        *recovery.search(seen, sight.in_flight, now),
        *asking.ask(seen, sight.ledger, now),
    )
    return step(
        seen,
        _facts(sight),
        now,
        actions=actions,
        save=sight.ledger.running_since != seen.ledger.running_since,
        turn=(sight.hold is not None and not was_held(seen)) or _resumes(sight),
        near_end=sight.ledger.unfinished <= pace.rate * NEAR_END_SECONDS,
        forget=_ignored(sight),
        pace=pace,
        wake_after=_wake_after(sight, pace),
    )


def _resumes(sight: Sight) -> bool:
    return not sight.spec.suspend and is_suspended(sight.seen)


def _facts(sight: Sight) -> Facts:
    wanted = 0 if sight.spec.suspend else demand.pods_for(sight.ledger.unfinished, sight.spec)
    return Facts(
        phase=Phase.RUNNING,
        ledger=sight.ledger,
        active=len(sight.in_flight),
        wanted=wanted,
        configuration=sight.hold,
    )


def _ignored(sight: Sight) -> Indexes:
    """Newly counted items whose values nobody wants."""
    fresh = sight.ledger.succeeded - sight.seen.ledger.succeeded
    if not sight.work.ignores_results:
        return NONE
    return FrozenBitMap(index for index in fresh if sight.work.leaf(index).options.ignore_result)


def _renewals(books: Books) -> tuple[Action, ...]:
    if not books.unknown:
        return ()
    return (Renew(books.unknown, f"No worker knows the task {books.unknown_task!r}."),)


def _scaling(sight: Sight) -> tuple[Action, ...]:
    if sight.seen.broker is None:
        return ()
    if sight.spec.suspend:
        return scale_suspended(sight.seen)
    wanted = demand.pods_for(sight.ledger.unfinished, sight.spec)
    reason = f"{sight.ledger.unfinished} items are left, {sight.spec.workers.concurrency} at once in a pod."
    return demand.scale(wanted, sight.seen.workers, sight.seen.broker, reason)


def _sending(sight: Sight) -> tuple[Pace, tuple[Action, ...]]:
    seen, broker, pace = sight.seen, sight.seen.broker, sight.seen.pace
    if broker is None or seen.backend_trouble is not None:
        return pace, ()
    if sight.spec.suspend:
        return pace, withdraw_suspended(seen)
    if sight.hold is not None:
        return _canary(sight, sight.hold)
    if _is_over(sight, broker):
        return replace(pace, cut_to=sight.spec.parallelism), (Withdraw(running=False, reason=_LOWERED),)
    pace = adapt(
        pace,
        slots=demand.slots(sight.ledger, sight.spec),
        queued=broker.queued,
        arrived=seen.arrivals.count,
        waiting=waiting(sight.ledger, sight.in_flight),
        message_bytes=sight.work.message_bytes,
        now=sight.now,
    )
    free = room(pace, in_flight=len(sight.in_flight), parallelism=sight.spec.parallelism)
    return pace, tuple(dispatch(sight.ledger, sight.work.lanes, free))


def _is_over(sight: Sight, broker: BrokerFacts) -> bool:
    """Parallelism was lowered: what waits on the queue comes back, once, and only what is allowed is sent again."""
    bound = sight.spec.parallelism
    return bound is not None and bool(broker.queued) and len(sight.in_flight) > bound != sight.seen.pace.cut_to


def _canary(sight: Sight, hold: Trouble) -> tuple[Pace, tuple[Action, ...]]:
    pace, now = sight.seen.pace, sight.now
    if sight.books.unknown:
        return replace(pace, canary_at=now), ()
    return holding.canary(hold, sight.work, sight.ledger, sight.in_flight, pace, now)


def _wake_after(sight: Sight, pace: Pace) -> float:
    times = [RESYNC_SECONDS if sight.seen.backend_trouble is None else TROUBLE_SECONDS]
    deadline = deadline_in(sight.ledger, sight.spec, sight.now)
    if deadline is not None:
        times.append(deadline)
    if sight.in_flight:
        times.append(recovery.SEARCH_SECONDS)
    canary = pace.canary_at + holding.CANARY_SECONDS - sight.now
    if sight.hold is not None and canary > 0:
        times.append(canary)
    return min(times)
