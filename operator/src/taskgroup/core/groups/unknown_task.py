"""A task that no worker knows: that was no attempt, dispatch stands, and one item is tried now and then.

Which task it is stands in the ledger (`Ledger.unknown_task`), so that a restart of the operator does not dispatch
everything again in vain.
"""

from collections.abc import Iterable
from dataclasses import replace

from pyroaring import FrozenBitMap

from taskgroup.api.names import Reason
from taskgroup.core.action import Action
from taskgroup.core.completions import Completions
from taskgroup.core.groups.accounting import Account
from taskgroup.core.groups.dispatching import first_waiting
from taskgroup.core.groups.observed import Carried
from taskgroup.core.groups.plan import Redispatch
from taskgroup.core.indexes import Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.trouble import Trouble

CANARY_SECONDS = 30.0
"""Between two tries of a task that no worker knew."""


def noted(account: Account, completions: Completions, work: Work) -> Ledger:
    """The ledger with the task that no worker knows; cleared when an item of that task ends in another way."""
    ledger = account.ledger
    if account.unknown:
        return replace(ledger, unknown_task=work.leaf(account.unknown.min()).task)
    ended = (*completions.succeeded, *completions.failed) if ledger.unknown_task else ()
    is_known = _first_of_task(ledger.unknown_task, work, ended) is not None
    return replace(ledger, unknown_task="") if is_known else ledger


def block(ledger: Ledger) -> Trouble | None:
    """Why nothing but a canary is dispatched."""
    if not ledger.unknown_task:
        return None
    return Trouble(
        Reason.UNKNOWN_TASK,
        f"No worker knows the task {ledger.unknown_task!r}: use an image (spec.workers.image, spec.workers.app)"
        " whose app registers it; when the name is wrong, delete this TaskGroup and create it with the right one."
        " It is tried again every 30 s.",
    )


def canary(
    work: Work, ledger: Ledger, in_flight: Indexes, carried: Carried, now: float
) -> tuple[Carried, tuple[Action, ...]]:
    """One item of the task, when none is out and the last try was long enough ago."""
    task = ledger.unknown_task
    if now - carried.canary_at < CANARY_SECONDS or _first_of_task(task, work, in_flight) is not None:
        return carried, ()
    carried, suspect = replace(carried, canary_at=now), _first_of_task(task, work, ledger.returned)
    if suspect is None:
        return carried, tuple(first_waiting(ledger, work.lanes))
    return carried, (Redispatch(FrozenBitMap([suspect]), reason=f"Is the task {task!r} known by now?"),)


def _first_of_task(task: str, work: Work, indexes: Iterable[int]) -> int | None:
    """The first of these items that runs the task."""
    return next((index for index in indexes if work.leaf(index).task == task), None)
