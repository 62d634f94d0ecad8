"""A task that no worker knows: that was no attempt, its items are held back, and one of them is tried now and then.

Which tasks these are stands in the ledger (`Ledger.unknown_tasks`), so that a restart of the operator does not dispatch
everything again in vain. Items of other tasks go on.
"""

from collections.abc import Iterable
from dataclasses import replace

from pyroaring import BitMap, FrozenBitMap

from taskgroup.api.names import Reason
from taskgroup.api.spec import OnUnknownTask, TaskGroupSpec
from taskgroup.core.completions import Completions
from taskgroup.core.groups.accounting import Account
from taskgroup.core.indexes import NONE, full
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.trouble import Trouble
from taskgroup.core.units import Units

CANARY_SECONDS = 30.0
"""Between two tries of a task that no worker knew."""
_NAMES = 3
"""Tasks that a message names at most."""


def noted(account: Account, completions: Completions, work: Work, spec: TaskGroupSpec) -> Ledger:
    """The ledger with the tasks that no worker knows, without those of which an item has ended in another way."""
    ledger = account.ledger
    if not ledger.unknown_tasks and not account.unknown:
        return ledger
    if spec.on_unknown_task is OnUnknownTask.FAIL_ITEM:
        return replace(ledger, unknown_tasks=())
    ended = {*completions.succeeded, *completions.failed} - {*account.unknown}
    known = _tasks(ended, work) if ledger.unknown_tasks else set()
    unknown = (set(ledger.unknown_tasks) - known) | _tasks(account.unknown, work)
    return replace(ledger, unknown_tasks=tuple(sorted(unknown)))


def _tasks(units: Iterable[int], work: Work) -> set[str]:
    return {work.leaf(unit).task for unit in units}


def block(ledger: Ledger) -> Trouble | None:
    """Why some items are not dispatched, but for a canary."""
    if not ledger.unknown_tasks:
        return None
    one = len(ledger.unknown_tasks) == 1
    return Trouble(
        Reason.UNKNOWN_TASK,
        f"{sentence(ledger)}: use an image (spec.workers.image, spec.workers.app)"
        f" whose app registers {'it' if one else 'them'}; when the name is wrong, delete this TaskGroup and create it"
        " with the right one. Until then items of other tasks run. One item is tried again every"
        f" {CANARY_SECONDS:g} s.",
    )


def sentence(ledger: Ledger) -> str:
    """Which tasks no worker knows, without a full stop."""
    names = ledger.unknown_tasks
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"No worker knows the task{'' if len(names) == 1 else 's'} {', '.join(map(repr, names[:_NAMES]))}{more}"


def held_back(ledger: Ledger, work: Work) -> Units:
    """Units of tasks that no worker knows."""
    if not ledger.unknown_tasks:
        return NONE
    return FrozenBitMap.union(*(work.running(task) for task in ledger.unknown_tasks)) - ledger.over


def canaries(ledger: Ledger, work: Work, in_flight: Units, waits: Units = NONE) -> Units:
    """One unit of each task that has none in flight; those that came back first, none of those that wait."""
    found = BitMap()
    for task in ledger.unknown_tasks:
        members = work.running(task) - ledger.over - waits
        ready = (members & ledger.returned) or (members & full(work.total))
        if ready and not members.intersect(in_flight):
            found.add(ready.min())
    return FrozenBitMap(found)
