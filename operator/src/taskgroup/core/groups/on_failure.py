"""What runs once when a group fails: a stage between the frozen outcome and the end, with a time limit of its own.

The outcome is written by then and nothing changes it: neither what this task does nor what becomes of it.
"""

from dataclasses import replace
from types import MappingProxyType

from pyroaring import FrozenBitMap

from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import StageState, StageStatus
from taskgroup.core.action import Action
from taskgroup.core.exchange import Demand
from taskgroup.core.groups import recovery
from taskgroup.core.groups.accounting import with_ends
from taskgroup.core.groups.finishing import finish, withdraw_all
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import decided, is_cut_off
from taskgroup.core.groups.plan import Open, Plan, Redispatch, Release
from taskgroup.core.groups.planning import FOLLOW_SECONDS, plan_for
from taskgroup.core.groups.stage_progress import failed_with, has_ended, stage_status
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import STAGE_UNITS, Stage, stage_unit
from taskgroup.core.status.conditions import find, seconds
from taskgroup.core.status.phase import Phase
from taskgroup.core.status.status_input import StatusInput
from taskgroup.core.units import Units

START_SECONDS = 300
"""For a worker to start."""
RUN_SECONDS = 300
"""For the task, where it has no hard limit of its own."""
UNIT = stage_unit(Stage.ON_FAILURE)
_ONE: Units = FrozenBitMap([UNIT])


def reconcile_decided(seen: Observed, now: float) -> Plan:
    """The outcome is written: a failure runs its task, then the group ends."""
    verdict = decided(seen.status)
    is_failure = verdict is not None and not verdict.success
    if not is_failure or seen.work is None or not seen.work.stage(Stage.ON_FAILURE):
        return finish(seen, now)
    if seen.state is not None and seen.state.deleted:
        return finish(seen, now, failed_with(Reason.STATE_ERASED, "The broker remembers that this group was deleted."))
    ledger = _counted(seen, seen.work, now)
    status = _status(seen, ledger, seen.work, now)
    if has_ended(status):
        return finish(replace(seen, ledger=ledger), now, status)
    if seen.queue is not None and (seen.state is None or seen.state.nonce != ledger.nonce):
        return _going_on(seen, _anew(ledger, seen.fresh_nonce), status, now, Open(reason="The broker lost its state."))
    in_flight = followed(ledger, seen.work)
    ledger, again = recovery.mark_missing(ledger, recovery.missing(seen, in_flight), seen.work, now)
    return _going_on(seen, ledger, status, now, *again, *_sent(seen, ledger), *recovery.search(seen, in_flight, now))


def followed(ledger: Ledger, work: Work) -> Units:
    """Its unit, while it is on the queue or with a worker."""
    return ledger.in_flight(work.lanes) & _ONE


def _counted(seen: Observed, work: Work, now: float) -> Ledger:
    """Items have no end any more that would count: those that are left were cancelled."""
    ledger, ends = seen.ledger, seen.completions
    if ledger.unfinished:
        ledger = replace(ledger.cancelled_rest(), returned=ledger.returned & _ONE)
    failed = {unit: failure for unit, failure in ends.failed.items() if unit == UNIT}
    own = replace(ends, succeeded=ends.succeeded & _ONE, failed=MappingProxyType(failed))
    return recovery.give_up(with_ends(ledger, own, work, now), seen, now)


def _status(seen: Observed, ledger: Ledger, work: Work, now: float) -> StageStatus:
    status = stage_status(Stage.ON_FAILURE, ledger, work, seen.results.get(Stage.ON_FAILURE))
    if status is None or has_ended(status) or _left(seen, work, now) > 0:
        return status or StageStatus(state=StageState.CANCELLED)
    limit = _limit(work)
    return failed_with(Reason.DEADLINE_EXCEEDED, f"It had not ended {limit} s after the group's outcome was known.")


def _limit(work: Work) -> int:
    return START_SECONDS + (work.leaf(UNIT).options.time_limit_seconds or RUN_SECONDS)


def _left(seen: Observed, work: Work, now: float) -> float:
    """Seconds until nobody waits for it any more."""
    known = find(seen.status, ConditionType.FAILURE_TARGET)
    since = seconds(known.last_transition_time) if known else now
    return since + _limit(work) - now


def _anew(ledger: Ledger, nonce: str) -> Ledger:
    """Under a new task id, if it was sent: the broker lost its data."""
    attempts = dict(ledger.attempts)
    if UNIT in ledger.released:
        attempts[UNIT] = attempts.get(UNIT, 0) + 1
    return replace(ledger, nonce=nonce, released=NONE, returned=NONE, attempts=MappingProxyType(attempts))


def _sent(seen: Observed, ledger: Ledger) -> tuple[Action, ...]:
    """What is left of the items leaves the queue first, when the end came before theirs."""
    if seen.queue is None or seen.backend_trouble is not None or seen.view is None or not seen.view.slots:
        return ()
    sends = Redispatch(_ONE, reason="The group has failed.")
    if UNIT in ledger.released:
        return (sends,) if UNIT in ledger.returned else ()
    rest = withdraw_all(seen) if is_cut_off(seen.status, decided(seen.status)) else ()
    return (*rest, Release(_ONE, reason="The group has failed."), sends)


def _going_on(seen: Observed, ledger: Ledger, status: StageStatus, now: float, *actions: Action) -> Plan:
    shown = StatusInput(
        phase=Phase.DECIDED,
        ledger=ledger,
        verdict=decided(seen.status),
        needs_workers=True,
        stages={Stage.ON_FAILURE: status},
    )
    others = ledger.over | (STAGE_UNITS - _ONE)
    left = _left(seen, seen.work, now) if seen.work is not None else 0.0
    opens = any(isinstance(action, Open) for action in actions)
    return plan_for(
        seen,
        shown,
        now,
        actions=actions,
        save=ledger.cancelled != seen.ledger.cancelled or opens,
        demand=Demand(items=1, over=others, reason="spec.onFailure is left."),
        wake_after=FOLLOW_SECONDS if opens else max(0.0, min(seen.resync_seconds, recovery.SEARCH_SECONDS, left)),
    )
