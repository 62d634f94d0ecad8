"""What a running group puts on the queue, or takes from it, in one step."""

from dataclasses import replace

from taskgroup.core.action import Action
from taskgroup.core.groups import unknown_task
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.dispatching import dispatch, waiting
from taskgroup.core.groups.observed import Carried, QueueState
from taskgroup.core.groups.plan import Withdraw
from taskgroup.core.groups.suspension import withdraw_suspended
from taskgroup.core.groups.window import adapt, room


def sending(context: Context) -> tuple[Carried, tuple[Action, ...]]:
    """Nothing is dispatched before the pool has said how much its workers run at once."""
    seen, queue, carried = context.seen, context.seen.queue, context.seen.carried
    if queue is None or seen.backend_trouble is not None:
        return carried, ()
    if context.spec.suspend:
        return carried, withdraw_suspended(seen)
    slots = seen.view.slots if seen.view else 0
    if context.ledger.unknown_task:
        return _canary(context, carried, slots)
    if _is_over(context, queue):
        withdraw = Withdraw(running=False, reason="spec.parallelism was lowered.")
        return replace(carried, cut_to=context.spec.parallelism), (withdraw,)
    return _filled(context, carried, queue, slots) if slots else (carried, ())


def _filled(context: Context, carried: Carried, queue: QueueState, slots: int) -> tuple[Carried, tuple[Action, ...]]:
    window = adapt(
        carried.window,
        slots=slots,
        queued=queue.queued,
        arrived=context.seen.completions.count,
        waiting=waiting(context.ledger, context.in_flight),
        message_bytes=context.work.message_bytes,
        now=context.now,
    )
    free = room(window, in_flight=len(context.in_flight), parallelism=context.spec.parallelism)
    return replace(carried, window=window), tuple(dispatch(context.ledger, context.work.lanes, free))


def _is_over(context: Context, queue: QueueState) -> bool:
    """Parallelism was lowered: what waits on the queue comes back, once, and only what is allowed is sent again."""
    bound = context.spec.parallelism
    is_new = bound != context.seen.carried.cut_to
    return bound is not None and bool(queue.queued) and len(context.in_flight) > bound and is_new


def _canary(context: Context, carried: Carried, slots: int) -> tuple[Carried, tuple[Action, ...]]:
    if context.unknown:
        return replace(carried, canary_at=context.now), ()
    if not slots:
        return carried, ()
    return unknown_task.canary(context.work, context.ledger, context.in_flight, carried, context.now)
