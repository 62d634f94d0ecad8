"""A task that no worker knows: that was no attempt, dispatch stands, and one item is tried now and then."""

from collections.abc import Iterable
from dataclasses import replace

from pyroaring import FrozenBitMap

from taskgroup.api.names import ConditionType, Reason
from taskgroup.core.groups.accounting import Books
from taskgroup.core.groups.dispatching import first_waiting
from taskgroup.core.groups.observed import Observed, Pace, Trouble
from taskgroup.core.groups.plan import Action, Redispatch
from taskgroup.core.indexes import Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.condition_texts import was_blocked
from taskgroup.core.status.conditions import find

CANARY_SECONDS = 30.0
"""Between two tries of a task that no worker knew."""


def hold(seen: Observed, books: Books, work: Work) -> Trouble | None:
    """Why nothing but a canary is dispatched; lifted when an item of the very task ends in another way."""
    if books.unknown_task:
        return Trouble(
            Reason.UNKNOWN_TASK,
            f"No worker knows the task {books.unknown_task!r}: use an image (spec.workers.image, spec.workers.app)"
            " whose app registers it; when the name is wrong, delete this TaskGroup and create it with the right one."
            " It is tried again every 30 s.",
        )
    condition = find(seen.status, ConditionType.CONFIGURATION_VALID)
    if condition is None or not was_blocked(seen):
        return None
    held = Trouble(condition.reason, condition.message)
    ended = (*seen.arrivals.succeeded, *(item.index for item in seen.arrivals.failed))
    return held if _first_of_task(held, work, ended) is None else None


def canary(
    held: Trouble, work: Work, ledger: Ledger, in_flight: Indexes, pace: Pace, now: float
) -> tuple[Pace, tuple[Action, ...]]:
    """One item of the task, when none is out and the last try was long enough ago."""
    if now - pace.canary_at < CANARY_SECONDS or _first_of_task(held, work, in_flight) is not None:
        return pace, ()
    suspect = _first_of_task(held, work, ledger.returned)
    if suspect is None:
        return replace(pace, canary_at=now), tuple(first_waiting(ledger, work.lanes))
    return replace(pace, canary_at=now), (Redispatch(FrozenBitMap([suspect])),)


def _first_of_task(held: Trouble, work: Work, indexes: Iterable[int]) -> int | None:
    """The first item whose task is the one that the trouble names."""
    return next((index for index in indexes if repr(work.leaf(index).task) in held.message), None)
