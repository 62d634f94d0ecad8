"""A running group: count what ended, bring back what was lost, and keep the queue filled."""

from dataclasses import replace

from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.spec import OnUnknownTask, TaskGroupSpec
from taskgroup.api.status import StageStatus
from taskgroup.core.action import Action
from taskgroup.core.completions import Completions
from taskgroup.core.groups import (
    again,
    before,
    countdown,
    demand,
    item_hooks,
    rate_limit,
    recovery,
    retrying,
    unknown_task,
)
from taskgroup.core.groups.accounting import account, with_total
from taskgroup.core.groups.callback import has_begun, is_open
from taskgroup.core.groups.configuration import too_late
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.dispatching import batches
from taskgroup.core.groups.finishing import decide
from taskgroup.core.groups.forgetting import forgotten, kept_for_hooks
from taskgroup.core.groups.observed import GroupState, Observed
from taskgroup.core.groups.outcome import cut_short, deadline_in, judge
from taskgroup.core.groups.pace import Pace, later
from taskgroup.core.groups.plan import Event, Open, Plan, Renew, Retry
from taskgroup.core.groups.planning import FOLLOW_SECONDS, TROUBLE_SECONDS, plan_for
from taskgroup.core.groups.resting import can_rest
from taskgroup.core.groups.sending import sending
from taskgroup.core.groups.stage_progress import stage_status
from taskgroup.core.groups.success import without_rest
from taskgroup.core.groups.warnings import warnings_of_items
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage
from taskgroup.core.status.conditions import find, seconds
from taskgroup.core.status.phase import Phase, is_suspended
from taskgroup.core.status.status_input import StatusInput
from taskgroup.core.trouble import Trouble
from taskgroup.core.units import ITEM_UNITS, without_items

NEAR_END_SECONDS = 0.8
"""A status within this time of the end would put off the one that tells the end: there is one a second."""


def reconcile_running(seen: Observed, spec: TaskGroupSpec, work: Work, now: float) -> Plan:
    """One step of a group that has started and not ended."""
    late = None
    if work.total > seen.ledger.total and has_begun(seen.ledger, seen.status):
        # The callback gets the results of those items that there were when it began.
        late = too_late(work.total - seen.ledger.total, "after the callback had begun")
        work = work.first(seen.ledger.total)
        seen = replace(seen, work=work)
    if work.awaits_items:
        seen = before.only_stages(seen)
    fails_unknown = spec.on_unknown_task is OnUnknownTask.FAIL_ITEM
    books = with_total(seen.ledger, work)
    rules = retrying.rules_of(spec, seen.meta.uid)
    account_now = account(books, seen.completions, work, now, seen.servers, fails_unknown=fails_unknown, rules=rules)
    ledger = _clocked(unknown_task.noted(account_now, seen.completions, work, spec), seen, spec, now)
    ledger = recovery.give_up(ledger, seen, now)
    in_flight = ledger.in_flight(work.lanes) - account_now.unknown - account_now.interrupted
    back = (account_now.unknown, account_now.interrupted)
    context = Context(seen, spec, work, now, ledger, in_flight, *back, late=late)
    if seen.state is not None and seen.state.deleted:
        return _erased(context)
    if seen.queue is not None and (seen.state is None or seen.state.nonce != ledger.nonce):
        return _state_differs(context, seen.state)
    if again.is_asked(seen):
        return replace(again.begin(seen, _shown(context), work, now), counted=_counted(context))
    if again.is_due(seen, ledger):
        return replace(again.carry_out(context, _shown(context)), counted=_counted(context))
    ledger, missing = recovery.mark_missing(ledger, recovery.missing(seen, in_flight), work, now)
    ledger = before.without_flawed_hooks(seen, ledger, work, in_flight, now)
    context = replace(context, ledger=ledger, in_flight=without_items(in_flight, ledger.ended))
    verdict = judge(ledger, spec, now, stages_shown(seen, ledger, work))
    if verdict is not None and not item_hooks.are_awaited(ledger, work, spec, now):
        plan = decide(seen, _shown(context), verdict, now, forget=forgotten(context) | kept_for_hooks(context))
        return replace(plan, extra_events=(*plan.extra_events, *item_hooks.told(context)))
    context = replace(context, is_ending=verdict is not None)
    ledger = without_rest(ledger, spec)
    return _work(replace(context, ledger=ledger, in_flight=without_items(context.in_flight, ledger.ended)), missing)


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


def _erased(context: Context) -> Plan:
    """An operator has cleaned up after this group as after a deleted one: it can end, but not go on."""
    verdict = cut_short(context.ledger, context.spec, context.now)
    if verdict is not None:
        return decide(context.seen, _shown(context), verdict, context.now)
    trouble = Trouble(
        Reason.STATE_ERASED,
        "The broker remembers that this TaskGroup was deleted, and runs nothing of it for a day:"
        " create a new TaskGroup under another name, and end this one with spec.cancel.",
    )
    shown = replace(_shown(context), configuration=trouble, needs_workers=False)
    return plan_for(context.seen, shown, context.now, counted=_counted(context))


def _state_differs(context: Context, state: GroupState | None) -> Plan:
    """The state in the broker is not the one in the ledger: not made yet, to be adopted, or lost."""
    ledger, nonce = context.ledger, context.seen.fresh_nonce
    if not ledger.nonce and state is not None:
        return _opened(context, replace(ledger, nonce=state.nonce), "The state in the broker is taken over.")
    if not ledger.is_dispatched():
        return _opened(context, replace(ledger, nonce=ledger.nonce or nonce), "The group has no state there yet.")
    ledger = recovery.after_data_loss(ledger, ledger.ever_dispatched(context.work.lanes), nonce)
    text = (
        f"Redis lost this group's data: {ledger.count_items(ledger.returned)} items that had not ended are dispatched"
        " again. Give Redis a persistent volume and no eviction."
    )
    return _opened(context, ledger, "The broker lost the group's state.", Event(EventReason.DATA_LOST, text, True))


def _opened(context: Context, ledger: Ledger, reason: str, *extra_events: Event) -> Plan:
    context = replace(context, ledger=ledger, in_flight=NONE)
    # Foreign state that cannot be replaced (a tombstone) is there at the next look, too.
    wake_after = 0.0 if context.seen.state is None else FOLLOW_SECONDS
    return plan_for(
        context.seen,
        _shown(context),
        context.now,
        save=True,
        actions=(Open(reason=reason),),
        demand=demand.while_running(ledger, context.work, context.spec, context.now, put_off=countdown.far(context)),
        extra_events=extra_events,
        wake_after=wake_after,
    )


def _work(context: Context, missing: tuple[Action, ...]) -> Plan:
    """A task that is newly unknown is saved before anything else, or the next operator would dispatch everything again.

    Where chunks begin is written before they are dispatched, and so are items that were found: a list that differs from
    theirs is refused from then on. The end of a suspension is a transition, too: what is dispatched before the status
    says so would stay on the queue if the group were suspended again.
    """
    told = item_hooks.told(context)
    context, extra_events = _interrupted(countdown.noted(rate_limit.looked(context)))
    seen, ledger, now = context.seen, context.ledger, context.now
    carried, dispatches = sending(context)
    context, is_dear = rate_limit.spent(context, dispatches)
    ledger = context.ledger
    arrived = len(ledger.ended) - len(seen.ledger.ended)
    pace = Pace() if context.spec.suspend else later(carried.pace, ledger, arrived, now)
    carried = replace(carried, pace=pace, unsaved=False)
    retries = _retries(context)
    search = recovery.search(seen, context.in_flight, now)
    is_found = before.is_result_new(seen, context.work)
    if is_found:
        extra_events = (*extra_events, *warnings_of_items(context.spec, context.work))
    actions = (*_renewals(context), *retries, *missing, *dispatches, *search)
    returns = context.unknown | context.interrupted
    rests = context.spec.suspend and not context.in_flight and not returns and can_rest(seen)
    is_resumed = not context.spec.suspend and is_suspended(seen.status)
    clock_changed = ledger.running_since != seen.ledger.running_since
    put_off, still = countdown.far(context), _still(context)
    asked = demand.while_running(ledger, context.work, context.spec, now, put_off=put_off, still_running=still)
    shown = _shown(context)
    is_staffed = shown.needs_workers and asked.items > 0
    return plan_for(
        seen,
        replace(shown, pace=None if context.spec.suspend else pace, needs_workers=is_staffed),
        now,
        actions=actions,
        # A retry that is not written down when its attempt is made would not count for the next operator.
        save=clock_changed or is_dear or seen.carried.unsaved or bool(retries) or _has_turned(seen.ledger, ledger),
        transition=is_resumed or _has_new_chunks(context) or is_found,
        counted=_counted(context),
        near_end=ledger.unfinished <= carried.window.rate * NEAR_END_SECONDS,
        forget=forgotten(context),
        demand=asked,
        carried=carried,
        extra_events=(*extra_events, *told),
        rests=rests,
        wake_after=None if rests else _wake_after(context, carried.canary_at),
    )


def _still(context: Context) -> int | None:
    """Messages of items that still run, once the outcome is known and no other one will."""
    return context.in_flight.intersection_cardinality(ITEM_UNITS) if context.is_ending else None


def _has_turned(before: Ledger, ledger: Ledger) -> bool:
    """What has to be known before anything is dispatched on the ground of it."""
    return (before.unknown_tasks, before.cancelled) != (ledger.unknown_tasks, ledger.cancelled)


def _has_new_chunks(context: Context) -> bool:
    """Whether items were appended that the written status does not cut yet."""
    known = context.seen.status.items
    return context.work.chunks.size > 1 and known is not None and known.count < context.work.total


def _interrupted(context: Context) -> tuple[Context, tuple[Event, ...]]:
    """Each interruption is counted when its item gets a new attempt, and told."""
    if not context.interrupted or context.seen.queue is None:
        return context, ()
    count = context.ledger.count_items(context.interrupted)
    text = f"{count} items ended because their worker could not reach Redis; they are dispatched again."
    ledger = context.ledger.interrupted(context.interrupted)
    return replace(context, ledger=ledger), (Event(EventReason.INTERRUPTED, text, True),)


def _shown(context: Context) -> StatusInput:
    ledger, work = context.ledger, context.work
    is_left = bool(ledger.unfinished or item_hooks.pending(ledger, work))
    is_left = is_left or before.is_open(ledger, work) or is_open(ledger, work, context.spec)
    return StatusInput(
        phase=Phase.RUNNING,
        ledger=context.ledger,
        active=context.ledger.count_items(context.in_flight),
        self_retried=context.ledger.count_items(context.in_flight & context.seen.self_retried),
        stages=stages_shown(context.seen, ledger, work),
        hooks=item_hooks.statuses(ledger, work),
        needs_workers=not context.spec.suspend and is_left,
        configuration=context.late or unknown_task.block(context.ledger),
    )


def stages_shown(seen: Observed, ledger: Ledger, work: Work) -> dict[Stage, StageStatus]:
    """What runs once for the group, as far as it has come."""
    found = {
        Stage.BEFORE: before.before_status(seen, ledger, work),
        Stage.CALLBACK: stage_status(Stage.CALLBACK, ledger, work, seen.results.get(Stage.CALLBACK)),
    }
    return {stage: status for stage, status in found.items() if status is not None}


def _counted(context: Context) -> Completions:
    """Items whose renewal has to wait for the broker are shown again."""
    completions = context.seen.completions
    if context.seen.queue is not None:
        return completions
    back = context.unknown | context.interrupted
    waiting = {unit: failure for unit, failure in completions.failed.items() if unit in back}
    return completions.minus(Completions(failed=waiting))


def _renewals(context: Context) -> tuple[Action, ...]:
    if context.seen.queue is None:
        return ()
    unknown = Renew(context.unknown, reason=f"{unknown_task.sentence(context.ledger)}.")
    interrupted = Renew(context.interrupted, reason="Their worker could not reach Redis.")
    return tuple(action for action in (unknown, interrupted) if action.units)


def _retries(context: Context) -> tuple[Action, ...]:
    """What is due while the group is suspended waits until it is resumed."""
    if context.seen.queue is None or context.spec.suspend:
        return ()
    due = retrying.due(context.ledger, context.now)
    return tuple(Retry(part, reason="Their time to be retried has come.") for part in batches(due))


def _wake_after(context: Context, canary_at: float) -> float:
    times = [context.seen.resync_seconds if context.seen.backend_trouble is None else TROUBLE_SECONDS]
    deadline = deadline_in(context.ledger, context.spec, context.now)
    if deadline is not None:
        times.append(deadline)
    if context.in_flight:
        times.append(recovery.SEARCH_SECONDS)
    times += [left for left in (rate_limit.next_in(context), countdown.next_in(context)) if left is not None]
    due = None if context.spec.suspend else retrying.next_in(context.ledger, context.now)
    if due is not None:
        times.append(due)
    canary = canary_at + unknown_task.CANARY_SECONDS - context.now
    if context.ledger.unknown_tasks and canary > 0:
        times.append(canary)
    return min(times)
