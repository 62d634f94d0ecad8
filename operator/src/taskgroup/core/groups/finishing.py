"""The end of a group: the outcome is frozen, what still runs is stopped, and the object may expire."""

from dataclasses import replace

from taskgroup.api.names import Reason
from taskgroup.core.groups import configuration, recovery
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import Verdict, decided
from taskgroup.core.groups.plan import Action, DeleteObject, Plan, Withdraw
from taskgroup.core.groups.planning import RESYNC_SECONDS, plan_for
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.pools import scaling as demand
from taskgroup.core.status.condition_texts import StatusInput
from taskgroup.core.status.conditions import seconds, timestamp
from taskgroup.core.status.phase import Phase


def decide(seen: Observed, facts: StatusInput, verdict: Verdict, now: float, *, forget: Indexes = NONE) -> Plan:
    """First turn of the end: the books are saved, then the outcome is written; late results change nothing after it.

    The rest counts as cancelled in the status only: books in which everything has ended would look like a success if
    the operator died between the two.
    """
    ended = replace(facts, phase=Phase.DECIDED, verdict=verdict, ledger=facts.ledger.cancelled_rest(), active=0)
    # At once, and not with the second turn: until then the workers would go on taking items that count as cancelled.
    actions = _withdraw(seen) if ended.ledger.cancelled else ()
    plan = plan_for(seen, ended, now, actions=actions, save=True, transition=True, forget=forget, wake_after=0.0)
    return replace(plan, ledger=facts.ledger)


def finish(seen: Observed, now: float) -> Plan:
    """Second turn of the end: Complete or Failed, with the time."""
    verdict = decided(seen.status)
    ledger = seen.ledger.cancelled_rest()
    facts = StatusInput(
        phase=Phase.FINISHED, ledger=ledger, active=0, wanted=0, verdict=verdict, completion_time=timestamp(now)
    )
    return plan_for(seen, facts, now, save=ledger != seen.ledger, transition=True, wake_after=0.0)


def reconcile_finished(seen: Observed, now: float) -> Plan:
    """After the end: no workers, nothing on the queue, and removal when the time to live is over."""
    verdict = decided(seen.status)
    ledger = seen.ledger.cancelled_rest()
    wanted = _leftover(seen, verdict)
    facts = StatusInput(
        phase=Phase.FINISHED,
        ledger=ledger,
        active=0,
        wanted=wanted,
        verdict=verdict,
        configuration=configuration.after_end(seen),
    )
    left = _time_to_live(seen, now)
    if left is not None and left <= 0:
        return plan_for(seen, facts, now, actions=(DeleteObject(),))
    # Else what a dead worker held would keep another one waiting for it for ever.
    back = () if seen.status.cancelled else recovery.requeues(seen)
    actions = (
        *(_withdraw(seen) if seen.status.cancelled else ()),
        *back,
        *demand.scale(wanted, seen.workers, seen.broker, "The group has ended."),
    )
    wake = RESYNC_SECONDS if left is None else min(RESYNC_SECONDS, left)
    return plan_for(seen, facts, now, actions=actions, save=ledger != seen.ledger, wake_after=wake)


def _leftover(seen: Observed, verdict: Verdict | None) -> int:
    """Pods for what the items' own tasks put on the queue and nobody has run yet; none when time was up."""
    if seen.broker is None or seen.spec is None or verdict is None or verdict.reason == Reason.DEADLINE_EXCEEDED:
        return 0
    return demand.pods_for(seen.broker.queued + sum(seen.broker.unacked.values()), seen.spec)


def _withdraw(seen: Observed) -> tuple[Action, ...]:
    if seen.broker is None:
        return ()
    held = seen.broker.queued + sum(seen.broker.unacked.values())
    return (Withdraw(running=True, reason="The group has ended."),) if held else ()


def _time_to_live(seen: Observed, now: float) -> float | None:
    """Seconds until the object is removed; None when it stays."""
    ended, limit = seen.status.completion_time, seen.spec.ttl_seconds_after_finished if seen.spec else None
    if ended is None or limit is None:
        return None
    return seconds(ended) + limit - now
