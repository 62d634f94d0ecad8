"""Arrivals become entries in the books. Counts are per index: what comes twice or late changes nothing."""

from dataclasses import dataclass, replace

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.groups.observed import Arrivals, FailedItem
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger

NOT_REGISTERED = "NotRegistered"
"""Celery's exception for a message whose task the worker does not know."""


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger after the arrivals, and what is not an end although it looks like one."""

    ledger: Ledger
    unknown: Indexes = NONE
    """Items whose task no worker knows: no attempt was made."""
    unknown_task: str = ""


def account(ledger: Ledger, arrivals: Arrivals, work: Work, now: float) -> Books:
    """Count what ended."""
    ledger = ledger if not arrivals.succeeded else ledger.succeeded_with(arrivals.succeeded)
    kinds: dict[tuple[str, str], BitMap] = {}
    unknown = BitMap()
    for item in arrivals.failed:
        if _is_unknown(item, work.leaf(item.index).task):
            unknown.add(item.index)
        else:
            kinds.setdefault((item.reason, item.message), BitMap()).add(item.index)
    for (reason, message), indexes in kinds.items():
        ledger = ledger.failed_with(reason, message, FrozenBitMap(indexes), now)
    fresh = FrozenBitMap(unknown) - ledger.ended
    return Books(ledger, fresh, work.leaf(fresh.min()).task if fresh else "")


def _is_unknown(item: FailedItem, task: str) -> bool:
    """Not so when a task that runs looked another one up in vain: that is a failure like any other."""
    return item.reason == NOT_REGISTERED and item.message.strip("'\"") == task


def with_total(ledger: Ledger, total: int) -> Ledger:
    """Appended items join the books; a spec that shrank is refused elsewhere."""
    return replace(ledger, total=total) if total > ledger.total else ledger
