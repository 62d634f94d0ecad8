"""Two ledgers of one group: what either knows to have ended has ended, so no count falls and nothing runs twice.

The operator has its own in memory, and meets another one when the stored one was deleted, replaced or written by a
successor.
"""

from dataclasses import replace
from types import MappingProxyType

from taskgroup.core.ledger import Attempts, Ledger
from taskgroup.core.retries import Retries, joined, larger
from taskgroup.core.units import Units


def newest(memory: Ledger, stored: Ledger) -> Ledger:
    """The ledger to go on with, when the stored one is not what was saved last.

    Under the same nonce both are right. Under another one the stored ledger is of another state in the broker: it is
    taken when it knows all ends and attempts that the memory knows, and is foreign or old otherwise. One that knows of
    no dispatch is foreign, too, where there was one: all would be sent again under the same ids.
    """
    if stored.nonce == memory.nonce and stored.again_id != memory.again_id:
        # Only one of them knows that items were opened again.
        return _later(memory, stored)
    if stored.nonce == memory.nonce:
        both = with_ends_of(memory, stored)
        return replace(
            both,
            cancelled=(both.cancelled | stored.cancelled) - both.succeeded - both.failed,
            passed=memory.passed | stored.passed,
            stage_failures=MappingProxyType({**stored.stage_failures, **memory.stage_failures}),
            failed_hooks=(memory.failed_hooks | stored.failed_hooks) - memory.passed - stored.passed,
            retries=_retries(memory, stored),
            attempts=larger(memory.attempts, stored.attempts),
            missed=larger(memory.missed, stored.missed),
        )
    is_later = memory.ended <= stored.ended and (stored.is_dispatched() or not memory.is_dispatched())
    is_old = any(stored.attempts.get(unit, 0) < number for unit, number in memory.attempts.items())
    return stored if stored.nonce and is_later and not is_old else memory


def with_ends_of(ledger: Ledger, other: Ledger) -> Ledger:
    """The ledger, with the ends that only the other one knows."""
    total, steps = max(ledger.total, other.total), max(ledger.steps, other.steps)
    ledger = replace(ledger, total=total, steps=steps)
    for group in other.failures if other.again_id == ledger.again_id else ():
        ledger = ledger.failed_with(group.failure, group.indexes, group.last_time)
    return ledger if other.succeeded <= ledger.succeeded else ledger.succeeded_with(other.succeeded)


def _retries(memory: Ledger, stored: Ledger) -> Retries:
    """An attempt that the other ledger has replaced by a newer one waits no more."""
    return joined(
        memory.retries, stored.retries.without(_older(stored, memory.attempts)), _older(memory, stored.attempts)
    )


def _older(ledger: Ledger, attempts: Attempts) -> Units:
    return Units(unit for unit in ledger.retries.due if attempts.get(unit, 0) > ledger.attempts.get(unit, 0))


def _later(memory: Ledger, stored: Ledger) -> Ledger:
    """The one that knows of a retry, with the successes of both."""
    later, other = (memory, stored) if memory.again_id else (stored, memory)
    return with_ends_of(replace(later, attempts=larger(later.attempts, other.attempts)), other)
