"""A bound that was lowered under a running group: what waits on the queue comes back, once, and less is sent.

Busy pods are spared. So with a lower maxReplicas there are pods too many until some are idle, and none would ever be
idle while all of them find something on the queue.
"""

from dataclasses import replace

from taskgroup.core.groups.context import Context
from taskgroup.core.groups.observed import Carried, QueueState, Window
from taskgroup.core.groups.plan import Withdraw


def withdrawn(context: Context, queue: QueueState) -> tuple[Carried, Withdraw] | None:
    """What takes the queue back for a bound for which that was not done yet."""
    carried, bound, name = context.seen.carried, context.spec.parallelism, "parallelism"
    left = _left(context)
    if left is not None and (bound is None or left < bound):
        bound, name = left, "workers.maxReplicas"
    if bound is None or bound == carried.cut_to or not queue.queued or len(context.in_flight) <= bound:
        return None
    return replace(carried, cut_to=bound), Withdraw(running=False, reason=f"spec.{name} was lowered.")


def narrowed(context: Context, window: Window) -> Window:
    """No more than what the pods that may stay run at once, while there are others."""
    left = _left(context)
    return window if left is None else replace(window, size=min(window.size, left))


def _left(context: Context) -> int | None:
    """Slots of the pods that may stay; none while there are no others.

    Asked twice in a look: a comparison and a product, which cost less than a value that is handed on between the two.
    """
    workers, view = context.spec.workers, context.seen.view
    if view is None or view.ready <= workers.max_replicas:
        return None
    return workers.max_replicas * workers.concurrency
