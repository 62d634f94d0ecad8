"""A running group: count what ended, bring back what was lost, and keep the queue filled."""

from dataclasses import replace

from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.spec import OnUnknownTask, TaskGroupSpec
from taskgroup.core.action import Action
from taskgroup.core.exchange import Demand
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
from taskgroup.core.groups.broker_state import plan_for_another_state
from taskgroup.core.groups.callback import has_begun
from taskgroup.core.groups.configuration import too_late
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.dispatching import batches
from taskgroup.core.groups.finishing import decide
from taskgroup.core.groups.forgetting import forgotten, kept_for_hooks
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import deadline_in, judge
from taskgroup.core.groups.pace import Pace, later
from taskgroup.core.groups.plan import Event, Plan, Renew, Retry
from taskgroup.core.groups.planning import TROUBLE_SECONDS, plan_for
from taskgroup.core.groups.resting import can_rest
from taskgroup.core.groups.sending import sending
from taskgroup.core.groups.showing import counted, shown, stages_shown
from taskgroup.core.groups.success import without_rest
from taskgroup.core.groups.warnings import warnings_of_items
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.conditions import find, seconds
from taskgroup.core.status.phase import is_suspended
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
    context = _accounted(before.only_stages(seen) if work.awaits_items else seen, spec, work, now, late)
    return plan_for_another_state(context) or _plan_for_again(context) or _judged(context)


def _accounted(seen: Observed, spec: TaskGroupSpec, work: Work, now: float, late: Trouble | None) -> Context:
    """Everything that has ended since the last look is counted."""
    fails_unknown = spec.on_unknown_task is OnUnknownTask.FAIL_ITEM
    books, rules = with_total(seen.ledger, work), retrying.rules_of(spec, seen.meta.uid)
    found = account(books, seen.completions, work, now, seen.servers, fails_unknown=fails_unknown, rules=rules)
    ledger = _clocked(unknown_task.noted(found, seen.completions, work, spec), seen, spec, now)
    ledger = recovery.give_up(ledger, seen, now)
    in_flight = ledger.in_flight(work.lanes) - found.unknown - found.interrupted
    return Context(seen, spec, work, now, ledger, in_flight, found.unknown, found.interrupted, late=late)


def _plan_for_again(context: Context) -> Plan | None:
    """Ended items are to run again: nothing else happens in that look."""
    seen = context.seen
    if again.is_asked(seen):
        return replace(again.begin(seen, shown(context), context.work, context.now), counted=counted(context))
    if again.is_due(seen, context.ledger):
        return replace(again.carry_out(context, shown(context)), counted=counted(context))
    return None


def _judged(context: Context) -> Plan:
    """The end, where the outcome is known and nothing is awaited; the work that is left otherwise."""
    seen, spec, work, now = context.seen, context.spec, context.work, context.now
    ledger, missing = recovery.mark_missing(context.ledger, recovery.missing(seen, context.in_flight), work, now)
    ledger = before.without_flawed_hooks(seen, ledger, work, context.in_flight, now)
    context = _with_ledger(context, ledger)
    verdict = judge(ledger, spec, now, stages_shown(seen, ledger, work))
    if verdict is not None and not item_hooks.are_awaited(ledger, work, spec, now):
        plan = decide(seen, shown(context), verdict, now, forget=forgotten(context) | kept_for_hooks(context))
        return replace(plan, extra_events=(*plan.extra_events, *item_hooks.told(context)))
    context = replace(context, is_ending=verdict is not None)
    return _work(_with_ledger(context, without_rest(ledger, spec)), missing)


def _with_ledger(context: Context, ledger: Ledger) -> Context:
    return replace(context, ledger=ledger, in_flight=without_items(context.in_flight, ledger.ended))


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


def _work(context: Context, missing: tuple[Action, ...]) -> Plan:
    """What runs is followed, what was lost is brought back, and what the window has room for is dispatched."""
    told = item_hooks.told(context)
    context, interruptions = _interrupted(countdown.noted(rate_limit.looked(context)))
    carried, dispatches = sending(context)
    context, is_dear = rate_limit.spent(context, dispatches)
    seen, retries = context.seen, _retries(context)
    carried = replace(carried, pace=_pace(context, carried.pace), unsaved=False)
    search = recovery.search(seen, context.in_flight, context.now)
    asked, rests = _demand(context), _rests(context)
    return plan_for(
        seen,
        _shown_at_work(context, carried.pace, asked),
        context.now,
        actions=(*_renewals(context), *retries, *missing, *dispatches, *search),
        # A retry that is not written down when its attempt is made would not count for the next operator.
        save=is_dear or seen.carried.unsaved or bool(retries) or _has_turned(seen.ledger, context.ledger),
        transition=_is_transition(context),
        counted=counted(context),
        near_end=context.ledger.unfinished <= carried.window.rate * NEAR_END_SECONDS,
        forget=forgotten(context),
        demand=asked,
        carried=carried,
        extra_events=(*interruptions, *_warnings(context), *told),
        rests=rests,
        wake_after=None if rests else _wake_after(context, carried.canary_at),
    )


def _pace(context: Context, pace: Pace) -> Pace:
    """What ended since the last look; a suspended group has none."""
    arrived = len(context.ledger.ended) - len(context.seen.ledger.ended)
    return Pace() if context.spec.suspend else later(pace, context.ledger, arrived, context.now)


def _demand(context: Context) -> Demand:
    return demand.while_running(
        context.ledger,
        context.work,
        context.spec,
        context.now,
        put_off=countdown.far(context),
        still_running=_still(context),
    )


def _shown_at_work(context: Context, pace: Pace, asked: Demand) -> StatusInput:
    told = shown(context)
    pace_told = None if context.spec.suspend else pace
    return replace(told, pace=pace_told, needs_workers=told.needs_workers and asked.items > 0)


def _rests(context: Context) -> bool:
    """Suspended, and nothing is on its way: the next look comes with a change."""
    is_awaited = context.in_flight or context.unknown or context.interrupted
    return context.spec.suspend and not is_awaited and can_rest(context.seen)


def _is_transition(context: Context) -> bool:
    """Whether the status is written before anything is dispatched.

    Where chunks begin is written before they are dispatched, and so are items that were found: a list that differs from
    theirs is refused from then on. The end of a suspension is a transition, too: what is dispatched before the status
    says so would stay on the queue if the group were suspended again.
    """
    is_resumed = not context.spec.suspend and is_suspended(context.seen.status)
    return is_resumed or _has_new_chunks(context) or before.is_result_new(context.seen, context.work)


def _warnings(context: Context) -> tuple[Event, ...]:
    """Of items that were found in this look."""
    is_found = before.is_result_new(context.seen, context.work)
    return warnings_of_items(context.spec, context.work) if is_found else ()


def _still(context: Context) -> int | None:
    """Messages of items that still run, once the outcome is known and no other one will."""
    return context.in_flight.intersection_cardinality(ITEM_UNITS) if context.is_ending else None


def _has_turned(before: Ledger, ledger: Ledger) -> bool:
    """What has to be known before anything is dispatched on the ground of it.

    A task that is newly unknown is one such thing, or the next operator would dispatch everything again.
    """
    return (before.unknown_tasks, before.cancelled, before.running_since) != (
        ledger.unknown_tasks,
        ledger.cancelled,
        ledger.running_since,
    )


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
