"""Completions become entries in the ledger. Counts are per index: what comes twice or late changes nothing."""

from dataclasses import dataclass, replace

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.completions import Completions, Failure
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger

NOT_REGISTERED = "NotRegistered"
"""Celery's exception for a message whose task the worker does not know."""


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger after the completions, and those that are no end although they look like one."""

    ledger: Ledger
    unknown: Indexes = NONE
    """Items whose task no worker knows: no attempt was made."""


def account(ledger: Ledger, completions: Completions, work: Work, now: float) -> Account:
    """Count what ended."""
    ledger = ledger if not completions.succeeded else ledger.succeeded_with(completions.succeeded)
    by_failure: dict[Failure, BitMap] = {}
    unknown = BitMap()
    for index, failure in completions.failed.items():
        if _is_unknown(failure, work.leaf(index).task):
            unknown.add(index)
        else:
            by_failure.setdefault(failure, BitMap()).add(index)
    for failure, indexes in by_failure.items():
        ledger = ledger.failed_with(failure, FrozenBitMap(indexes), now)
    return Account(ledger, FrozenBitMap(unknown) - ledger.ended)


def _is_unknown(failure: Failure, task: str) -> bool:
    """Not so when a task that runs looked another one up in vain: that is a failure like any other."""
    return failure.reason == NOT_REGISTERED and failure.message.strip("'\"") == task


def with_total(ledger: Ledger, total: int) -> Ledger:
    """Appended items join the books; a spec that shrank is refused elsewhere."""
    return replace(ledger, total=total) if total > ledger.total else ledger
