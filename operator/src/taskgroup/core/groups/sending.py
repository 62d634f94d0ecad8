"""What a running group puts on the queue, or takes from it, in one step."""

from dataclasses import replace

from taskgroup.core.action import Action
from taskgroup.core.groups import before, callback, countdown, item_hooks, lowered, rate_limit, unknown_task
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.dispatching import batches, dispatch, waiting
from taskgroup.core.groups.observed import Carried, QueueState
from taskgroup.core.groups.plan import Redispatch, Release, Withdraw
from taskgroup.core.groups.suspects import next_suspect, suspects
from taskgroup.core.groups.suspension import withdraw_suspended
from taskgroup.core.groups.window import adapt, occupied, room
from taskgroup.core.indexes import NONE
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage, stage_units
from taskgroup.core.units import Units

_SUSPECTED = "Workers died with it and others: it is sent as the only one of these."
_LATER = stage_units(Stage.ON_FAILURE)
"""Not while the group runs, though a retry may have given it a new attempt."""
_TRIED = "Is its task known by now?"


def sending(context: Context) -> tuple[Carried, tuple[Action, ...]]:
    """Nothing is dispatched before the pool has said how much its workers run at once."""
    seen, queue, carried = context.seen, context.seen.queue, context.seen.carried
    if queue is None or seen.backend_trouble is not None:
        return carried, ()
    if context.spec.suspend:
        return withdraw_suspended(seen, context.spec, context.now, is_active=bool(context.in_flight))
    slots = seen.view.slots if seen.view else 0
    if (first := rate_limit.begun(context, queue)) is not None:
        return replace(carried, paced_for=context.spec.rate_limit), first
    if (cut := lowered.withdrawn(context, queue)) is not None:
        carried, withdraw = cut
        return carried, (withdraw,)
    carried, cleared = item_hooks.cleared(context, carried, queue)
    if cleared:
        return carried, cleared
    return _filled(context, carried, queue, slots) if slots else (carried, ())


def _filled(context: Context, carried: Carried, queue: QueueState, slots: int) -> tuple[Carried, tuple[Action, ...]]:
    """First what is sent by itself, then what the window has room for."""
    work, in_flight = context.work, context.in_flight
    ledger, releases = _released(context, queue)
    window = adapt(
        carried.window,
        slots=slots,
        queued=queue.queued,
        arrived=context.seen.completions.count,
        waiting=waiting(ledger, in_flight),
        message_bytes=work.message_bytes,
        now=context.now,
    )
    taken = occupied(len(in_flight), held=queue.held, slots=slots)
    fits = lowered.narrowed(context, window)
    free = room(fits, in_flight=len(in_flight), occupied=taken, parallelism=context.spec.parallelism)
    free = rate_limit.allowed(context, queue, free)
    waits = before.held_back(ledger, work) | countdown.held_back(context) | item_hooks.held_back(context)
    carried, tried = _canaries(context, ledger, replace(carried, window=window), free, waits | _LATER)
    held, suspected = unknown_task.held_back(ledger, work) | waits, suspects(ledger, context.spec)
    suspect = next_suspect(ledger, suspected, in_flight, held) if free else NONE
    back = tried & ledger.returned
    single = (Redispatch(suspect, reason=_SUSPECTED), Redispatch(back, reason=_TRIED))
    rest = free - len(suspect) - len(back)
    others = dispatch(ledger, work.lanes, rest, (held - (tried - back)) | suspected.all | _LATER)
    return carried, (*releases, *(action for action in single if action.units), *others)


def _released(context: Context, queue: QueueState) -> tuple[Ledger, tuple[Action, ...]]:
    """The ledger as it is once the steps whose turn has come are released."""
    ledger, work = context.ledger, context.work
    begins, due = callback.to_begin(ledger, work, context.spec) | before.to_begin(ledger, work), NONE
    if ledger.passed:
        due = ledger.due & work.units
    actions: list[Action] = [Release(part, reason="The step before has succeeded.") for part in batches(due)]
    if begins:
        if ledger.cancelled and queue.messages:
            # A hook that runs goes on: taken from its worker, it would run twice.
            actions.append(Withdraw(running=not work.hooks, reason="Enough items have succeeded."))
        actions.append(Release(begins, reason="Its turn has come: it runs before the items, or enough have succeeded."))
        due |= begins
    hooks = item_hooks.to_begin(ledger, work)
    actions += [Release(part, reason="Their items have ended.") for part in batches(hooks)]
    due |= hooks
    return ledger.released_with(due) if due else ledger, tuple(actions)


def _canaries(context: Context, ledger: Ledger, carried: Carried, free: int, waits: Units) -> tuple[Carried, Units]:
    """Units that are not held back this time."""
    if context.unknown:
        return replace(carried, canary_at=context.now), NONE
    is_due = context.now - carried.canary_at >= unknown_task.CANARY_SECONDS
    if not free or not is_due or not ledger.unknown_tasks:
        return carried, NONE
    tried = unknown_task.canaries(ledger, context.work, context.in_flight, waits)[:free]
    return (replace(carried, canary_at=context.now) if tried else carried), tried
