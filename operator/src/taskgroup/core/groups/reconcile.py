"""The decision: one observation in, one Plan out. Pure and total; every loop of the operator is this function.

A plan either turns a page of the group's life (`turn`: fenced by the version of the object that was read) or does the
work of the current page. What a page needs is read from the observation each time, so that an operator that was killed
anywhere goes on from the same place.
"""

from dataclasses import replace

from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.groups import configuration
from taskgroup.core.groups.finishing import decide, finish, reconcile_finished
from taskgroup.core.groups.observed import Observed, Trouble
from taskgroup.core.groups.outcome import deadline_in, overdue
from taskgroup.core.groups.plan import Plan
from taskgroup.core.groups.planning import RESYNC_SECONDS, TROUBLE_SECONDS, plan_for
from taskgroup.core.groups.running import reconcile_running
from taskgroup.core.groups.suspension import scale_suspended, withdraw_suspended
from taskgroup.core.items.work import Work
from taskgroup.core.status.condition_texts import StatusInput
from taskgroup.core.status.conditions import timestamp
from taskgroup.core.status.phase import Phase, phase_of


def reconcile(seen: Observed, now: float) -> Plan:
    """What to do now; `now` is in seconds since the epoch."""
    if seen.meta.deleting or not seen.meta.finalized:
        return Plan(ledger=seen.ledger, status=seen.status, pace=seen.pace)
    phase = phase_of(seen.status)
    if phase is Phase.FINISHED:
        return reconcile_finished(seen, now)
    if phase is Phase.DECIDED:
        return finish(seen, now)
    trouble = configuration.trouble(seen)
    if trouble is not None or seen.work is None or seen.spec is None:
        return _halt(seen, phase, trouble, now)
    if phase is Phase.NEW:
        return _start(seen, seen.spec, seen.work, now)
    return reconcile_running(seen, seen.spec, seen.work, now)


def _halt(seen: Observed, phase: Phase, trouble: Trouble | None, now: float) -> Plan:
    """Nothing is dispatched and nothing is forgotten until the cause is repaired; suspension and deadline hold."""
    active = min(seen.status.active or 0, seen.ledger.unfinished)
    facts = StatusInput(phase=phase, ledger=seen.ledger, active=active, wanted=0, configuration=trouble)
    if phase is Phase.NEW or seen.spec is None:
        return plan_for(seen, facts, now, consumed=False)
    verdict = overdue(seen.ledger, seen.spec, now)
    if verdict is not None:
        return decide(seen, facts, verdict, now)
    actions = (*withdraw_suspended(seen), *scale_suspended(seen)) if seen.spec.suspend and seen.broker else ()
    left = deadline_in(seen.ledger, seen.spec, now)
    wake_after = RESYNC_SECONDS if left is None else min(RESYNC_SECONDS, left)
    return plan_for(seen, facts, now, consumed=False, actions=actions, wake_after=wake_after)


def _start(seen: Observed, spec: TaskGroupSpec, work: Work, now: float) -> Plan:
    """startTime is written before the first dispatch, and from then on the items are fixed."""
    ledger = replace(seen.ledger, total=work.total)
    if spec.suspend or seen.broker is None or seen.backend_trouble is not None:
        wake_after = RESYNC_SECONDS if seen.backend_trouble is None else TROUBLE_SECONDS
        return plan_for(
            seen, StatusInput(phase=Phase.NEW, ledger=ledger, active=0, wanted=0), now, wake_after=wake_after
        )
    facts = StatusInput(phase=Phase.RUNNING, ledger=ledger, active=0, wanted=0, start_time=timestamp(now))
    return plan_for(seen, facts, now, transition=True, wake_after=0.0)
