"""The decision about a group: one observation in, one Plan out. Pure and total; its loop is this function repeated.

A plan either moves the group to its next phase (`transition`: its status is written before any action) or does the
work of the current one. What a phase needs is read from the observation each time, so that an operator that
was killed anywhere goes on from the same place.
"""

from dataclasses import replace

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.completions import Completions
from taskgroup.core.groups import configuration, demand, reading
from taskgroup.core.groups.accounting import certain, with_ends, with_total
from taskgroup.core.groups.finishing import decide, reconcile_finished
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.on_failure import reconcile_decided
from taskgroup.core.groups.outcome import cut_short, deadline_in, source_changed
from taskgroup.core.groups.plan import Plan
from taskgroup.core.groups.planning import TROUBLE_SECONDS, plan_for
from taskgroup.core.groups.recovery import adopt
from taskgroup.core.groups.resting import can_rest
from taskgroup.core.groups.retrying import rules_of
from taskgroup.core.groups.running import reconcile_running
from taskgroup.core.groups.showing import stages_shown
from taskgroup.core.groups.suspension import withdraw_suspended
from taskgroup.core.groups.warnings import warnings
from taskgroup.core.items.chunks import chunks_of
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools.pool_spec import loss_limit
from taskgroup.core.reading import wake_after
from taskgroup.core.status.conditions import timestamp
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.status.status_input import StatusInput
from taskgroup.core.trouble import Trouble

_NOTHING_COUNTED = Completions()


def reconcile(seen: Observed, now: float) -> Plan:
    """What to do now; `now` is in seconds since the epoch."""
    plan = _reconciled(seen, now)
    if seen.reading is None:
        return plan
    rests = seen.meta.deleting or not seen.meta.finalized or (seen.spec is not None and seen.spec.suspend)
    extra = () if rests else reading.actions(seen.reading)
    return replace(plan, actions=(*plan.actions, *extra), wake_after=wake_after(seen.reading, plan.wake_after))


def _reconciled(seen: Observed, now: float) -> Plan:
    if seen.meta.deleting or not seen.meta.finalized:
        return Plan(ledger=seen.ledger, status=seen.status, carried=seen.carried)
    phase = phase_of(seen.status)
    seen = replace(seen, ledger=_adopted(seen, phase, now))
    if phase is Phase.FINISHED:
        return reconcile_finished(seen, now)
    if phase is Phase.DECIDED:
        return reconcile_decided(seen, now)
    if phase is Phase.NEW and seen.spec is not None and seen.spec.cancel:
        return _never_start(seen, now)
    trouble = configuration.trouble(seen)
    if trouble is not None or seen.work is None or seen.spec is None:
        return _halt(seen, phase, trouble, now)
    if phase is Phase.NEW:
        return _start(seen, seen.spec, seen.work, now)
    return reconcile_running(seen, seen.spec, seen.work, now)


def _adopted(seen: Observed, phase: Phase, now: float) -> Ledger:
    """A ledger that was deleted knows no item; how many there are stands in the status, too."""
    chunks = seen.work.chunks if seen.work else chunks_of(seen.status.items)
    ledger, shown = replace(seen.ledger, chunks=chunks), seen.status.total or 0
    if phase is Phase.RUNNING and shown > ledger.total:
        ledger = replace(ledger, total=shown, again_id=ledger.again_id or seen.status.last_retry_id or "")
    return adopt(ledger, seen.state, seen.books, now, loss_limit(seen.spec), seen.work)


def _halt(seen: Observed, phase: Phase, trouble: Trouble | None, now: float) -> Plan:
    """Nothing is dispatched and nothing is forgotten until the cause is repaired; suspension and deadline hold.

    What was running ends, and is counted. A source that has become another list cannot be repaired: the group fails.
    """
    ledger, counted = _counted_meanwhile(seen, phase, now)
    active, self_retried = _on_their_way(seen, ledger)
    shown = StatusInput(phase=phase, ledger=ledger, active=active, self_retried=self_retried, configuration=trouble)
    if phase is Phase.NEW or seen.spec is None:
        return plan_for(seen, shown, now, counted=counted)
    verdict = source_changed(trouble) or cut_short(ledger, seen.spec, now)
    if verdict is not None:
        return decide(seen, shown, verdict, now)
    left = deadline_in(ledger, seen.spec, now)
    carried, actions = withdraw_suspended(seen, seen.spec, now, is_active=bool(active))
    return plan_for(
        seen,
        shown,
        now,
        counted=counted,
        actions=actions,
        carried=carried,
        demand=demand.SUSPENDED if seen.spec.suspend else None,
        wake_after=seen.resync_seconds if left is None else min(seen.resync_seconds, left),
    )


def _on_their_way(seen: Observed, ledger: Ledger) -> tuple[int, int]:
    """How many items were, and had asked for another run, less those that have ended since the status said so.

    That may be several looks ago: a status that only informs waits for its turn.
    """
    status, retrying = seen.status, ledger.count_items(ledger.retrying)
    self_retried = max(0, (status.retrying or 0) - ledger.count_items(seen.ledger.retrying))
    settled = (status.succeeded or 0) + (status.failed or 0) + (status.cancelled or 0)
    settled += (status.retrying or 0) - self_retried
    fresh = max(0, len(ledger.ended) + retrying - settled)
    active = min(max(0, (status.active or 0) + self_retried - fresh), ledger.unfinished - retrying)
    return active, min(self_retried, active)


def _counted_meanwhile(seen: Observed, phase: Phase, now: float) -> tuple[Ledger, Completions]:
    """Values that nobody wants are deleted as their items are counted, which needs the items as they were.

    So do chains: which step is the last one may be what has changed.
    """
    ledger, work = seen.ledger, seen.work
    if phase is Phase.NEW and work is not None:
        return with_total(ledger, work), _NOTHING_COUNTED
    if phase is not Phase.RUNNING or work is None or work.forgets or ledger.steps > 1:
        return ledger, _NOTHING_COUNTED
    counted = certain(seen.completions, seen.servers)
    ledger, final = rules_of(seen.spec, seen.meta.uid).apply(ledger, counted.failed, now)
    return with_ends(ledger, Completions(counted.succeeded, final), work, now), counted


def _never_start(seen: Observed, now: float) -> Plan:
    """It was cancelled before it could run anything, perhaps because it cannot."""
    ledger, stages = seen.ledger, {}
    if seen.work is not None:
        ledger = with_total(seen.ledger, seen.work)
        stages = stages_shown(seen, ledger, seen.work)
    shown = StatusInput(phase=Phase.NEW, ledger=ledger, stages=stages)
    verdict = cut_short(ledger, seen.spec, now) if seen.spec else None
    return plan_for(seen, shown, now) if verdict is None else decide(seen, shown, verdict, now)


def _start(seen: Observed, spec: TaskGroupSpec, work: Work, now: float) -> Plan:
    """startTime is written before the first dispatch, and from then on the items are fixed."""
    ledger = replace(seen.ledger, total=work.total, steps=work.steps)
    if spec.suspend or seen.queue is None or seen.backend_trouble is not None:
        wake_after = seen.resync_seconds if seen.backend_trouble is None else TROUBLE_SECONDS
        rests = spec.suspend and can_rest(seen)
        return plan_for(
            seen,
            StatusInput(phase=Phase.NEW, ledger=ledger),
            now,
            rests=rests,
            wake_after=None if rests else wake_after,
        )
    shown = StatusInput(
        phase=Phase.RUNNING,
        ledger=ledger,
        stages=stages_shown(seen, ledger, work),
        needs_workers=True,
        start_time=timestamp(now),
    )
    return plan_for(seen, shown, now, transition=True, extra_events=warnings(seen, spec, work), wake_after=0.0)
