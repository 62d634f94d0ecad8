"""The end of a group: the outcome is frozen, what still runs is stopped, and the object may expire."""

from collections.abc import Mapping
from dataclasses import replace

from taskgroup.api.status import HooksStatus, StageStatus
from taskgroup.core.action import Action
from taskgroup.core.groups import again, configuration, demand, item_hooks, unknown_task
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import CUT_SHORT, Verdict, decided, is_cut_off
from taskgroup.core.groups.plan import DeleteObject, Plan, Withdraw
from taskgroup.core.groups.planning import plan_for
from taskgroup.core.groups.resting import FOREVER, can_rest
from taskgroup.core.groups.stage_progress import at_end, written_stages
from taskgroup.core.hooks import Hook
from taskgroup.core.indexes import NONE
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage
from taskgroup.core.status.conditions import seconds, timestamp
from taskgroup.core.status.phase import Phase
from taskgroup.core.status.status_input import NO_HOOKS, StatusInput
from taskgroup.core.units import Units


def decide(seen: Observed, shown: StatusInput, verdict: Verdict, now: float, *, forget: Units = NONE) -> Plan:
    """First transition of the end: the ledger is saved, then the outcome is written; late results change nothing then.

    The rest counts as cancelled in the status only: a ledger in which everything has ended would look like a success if
    the operator died between the two. Where there is no rest, and nothing runs on failure, one transition does both.
    """
    goes_on = not verdict.success and seen.work is not None and bool(seen.work.stage(Stage.ON_FAILURE))
    if not shown.ledger.unfinished and not goes_on:
        finished = _finished(seen, shown.ledger, verdict, now, shown.stages, shown.hooks)
        return replace(finished, save=True, forget=forget)
    ledger = shown.ledger.cancelled_rest()
    stages, hooks = at_end(shown.stages), item_hooks.at_end(shown.hooks)
    shown = replace(shown, active=0, self_retried=0, stages=stages, hooks=hooks)
    ended = replace(shown, phase=Phase.DECIDED, verdict=verdict, ledger=ledger)
    # At once, and not with the second transition: until then workers would go on taking items that count as cancelled.
    is_cut = ledger.cancelled or verdict.reason in CUT_SHORT or any(hook.cancelled for hook in hooks.values())
    actions = withdraw_all(seen) if is_cut else ()
    plan = plan_for(seen, ended, now, actions=actions, save=True, transition=True, forget=forget, wake_after=0.0)
    return replace(plan, ledger=shown.ledger)


def finish(seen: Observed, now: float, on_failure: StageStatus | None = None) -> Plan:
    """Second transition of the end, where there was a rest: Complete or Failed, with the time."""
    stages = {Stage.ON_FAILURE: on_failure} if on_failure else None
    return _finished(seen, seen.ledger.cancelled_rest(), decided(seen.status), now, stages)


def _finished(
    seen: Observed,
    ledger: Ledger,
    verdict: Verdict | None,
    now: float,
    stages: Mapping[Stage, StageStatus] | None = None,
    hooks: Mapping[Hook, HooksStatus] = NO_HOOKS,
) -> Plan:
    is_cut = any(hook.pending for hook in hooks.values())
    shown = StatusInput(
        hooks=item_hooks.at_end(hooks),
        stages=at_end({**written_stages(seen.status), **(stages or {})}),
        phase=Phase.FINISHED,
        ledger=ledger,
        verdict=verdict,
        configuration=unknown_task.block(ledger),
        completion_time=timestamp(now),
    )
    return plan_for(
        seen,
        shown,
        now,
        save=ledger != seen.ledger,
        transition=True,
        demand=demand.after_end(seen.status, verdict, ledger, is_cut=is_cut),
        wake_after=0.0,
    )


def reconcile_finished(seen: Observed, now: float) -> Plan:
    """After the end: no workers, nothing on the queue, and removal when the time to live is over."""
    verdict, ledger = decided(seen.status), seen.ledger.cancelled_rest()
    asked = demand.after_end(seen.status, verdict, ledger)
    shown = StatusInput(
        phase=Phase.FINISHED,
        ledger=ledger,
        # Not what the view says: it is from before the end until the pool has looked again.
        needs_workers=asked.leftovers and seen.queue is not None and bool(seen.queue.messages),
        verdict=verdict,
        configuration=configuration.appended_after_end(seen) or unknown_task.block(ledger),
    )
    if again.is_asked(seen) and seen.work is not None:
        return again.begin(seen, shown, seen.work, now)
    left = _time_to_live(seen, now)
    if left is not None and left <= 0:
        return plan_for(seen, shown, now, actions=(DeleteObject(reason="ttlSecondsAfterFinished is over."),))
    rests = can_rest(seen)
    return plan_for(
        seen,
        shown,
        now,
        actions=withdraw_all(seen) if is_cut_off(seen.status, verdict) else (),
        save=ledger != seen.ledger,
        demand=asked,
        rests=rests,
        wake_after=min(FOREVER if rests else seen.resync_seconds, FOREVER if left is None else left),
    )


def withdraw_all(seen: Observed) -> tuple[Action, ...]:
    """Nothing is left on the queue, or in the hands of workers."""
    if seen.queue is None or seen.state is None or seen.state.deleted or not seen.queue.messages:
        return ()
    return (Withdraw(running=True, reason="The group has ended."),)


def _time_to_live(seen: Observed, now: float) -> float | None:
    """Seconds until the object is removed; None when it stays."""
    ended, limit = seen.status.completion_time, seen.spec.ttl_seconds_after_finished if seen.spec else None
    if ended is None or limit is None:
        return None
    return seconds(ended) + limit - now
