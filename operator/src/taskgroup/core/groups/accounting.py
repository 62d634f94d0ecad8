"""Completions become entries in the ledger. Counts are per index: what comes twice or late changes nothing."""

from dataclasses import dataclass, replace
from types import MappingProxyType

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.completions import Completions, Failure
from taskgroup.core.groups.interruption import is_interruption, may_repeat
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
    interrupted: Indexes = NONE
    """Items whose attempt the broker's absence has ended."""


def account(
    ledger: Ledger,
    completions: Completions,
    work: Work,
    now: float,
    servers: frozenset[str] = frozenset(),
    *,
    fails_unknown: bool = False,
) -> Account:
    """Count what ended; with `fails_unknown` an unknown task is a failure like any other.

    `servers` are the group's own, as host:port.
    """
    unknown, interrupted, failed = set[int](), set[int](), dict[int, Failure]()
    for index, failure in completions.failed.items():
        if _is_unknown(failure, work.leaf(index).task):
            unknown.add(index)
        elif is_interruption(failure, servers) and may_repeat(ledger.interruptions, index):
            interrupted.add(index)
        else:
            failed[index] = failure
    if fails_unknown:
        failed |= {index: _not_registered(work.leaf(index).task) for index in unknown}
        unknown = set()
    ledger = with_ends(ledger, Completions(completions.succeeded, failed), now)
    return Account(ledger, FrozenBitMap(unknown) - ledger.ended, FrozenBitMap(interrupted) - ledger.ended)


def _not_registered(task: str) -> Failure:
    return Failure(NOT_REGISTERED, f"No worker knows the task {task!r}.")


def with_ends(ledger: Ledger, ends: Completions, now: float) -> Ledger:
    """The ledger after these ends."""
    ledger = ledger if not ends.succeeded else ledger.succeeded_with(ends.succeeded)
    by_failure: dict[Failure, BitMap] = {}
    for index, failure in ends.failed.items():
        by_failure.setdefault(failure, BitMap()).add(index)
    for failure, indexes in by_failure.items():
        ledger = ledger.failed_with(failure, FrozenBitMap(indexes), now)
    return ledger


def certain(completions: Completions, servers: frozenset[str]) -> Completions:
    """What is an end whatever the items are: no worker may have known the task of the others, or reached the broker."""
    failed = {
        index: failure
        for index, failure in completions.failed.items()
        if failure.reason != NOT_REGISTERED and not is_interruption(failure, servers)
    }
    return Completions(completions.succeeded, MappingProxyType(failed))


def _is_unknown(failure: Failure, task: str) -> bool:
    """Not so when a task that runs looked another one up in vain: that is a failure like any other."""
    return failure.reason == NOT_REGISTERED and failure.message.strip("'\"") == task


def with_total(ledger: Ledger, total: int) -> Ledger:
    """Appended items join the books; a spec that shrank is refused elsewhere."""
    return replace(ledger, total=total) if total > ledger.total else ledger
