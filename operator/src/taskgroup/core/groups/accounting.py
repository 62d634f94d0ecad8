"""Completions become entries in the ledger. Counts are per item: what comes twice or late changes nothing."""

from dataclasses import dataclass, replace
from types import MappingProxyType

from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.completions import Completions, Failure
from taskgroup.core.groups.interruption import is_interruption, may_repeat
from taskgroup.core.groups.retrying import NO_RULES, RetryRules
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.units import Units, without_items

NOT_REGISTERED = "NotRegistered"
"""Celery's exception for a message whose task the worker does not know."""


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger after the completions, and those that are no end although they look like one."""

    ledger: Ledger
    unknown: Units = NONE
    """Units whose task no worker knows: no attempt was made."""
    interrupted: Units = NONE
    """Units whose attempt the broker's absence has ended."""


def account(
    ledger: Ledger,
    completions: Completions,
    work: Work,
    now: float,
    servers: frozenset[str] = frozenset(),
    *,
    fails_unknown: bool = False,
    rules: RetryRules = NO_RULES,
) -> Account:
    """Count what ended, or let it wait for a retry; with `fails_unknown` an unknown task is a failure like any other.

    `servers` are the group's own, as host:port.
    """
    unknown, interrupted, failed = set[int](), set[int](), dict[int, Failure]()
    for unit, failure in completions.failed.items():
        if _is_unknown(failure, work.leaf(unit).task):
            unknown.add(unit)
        elif is_interruption(failure, servers) and may_repeat(ledger.interruptions, unit):
            interrupted.add(unit)
        else:
            failed[unit] = failure
    if fails_unknown:
        failed |= {unit: _not_registered(work.leaf(unit).task) for unit in unknown}
        unknown = set()
    ledger, final = rules.apply(ledger, failed, now)
    ledger = with_ends(ledger, Completions(completions.succeeded, final), work, now)
    return Account(ledger, _open(unknown, ledger), _open(interrupted, ledger))


def _open(units: set[int], ledger: Ledger) -> Units:
    """Those whose items go on."""
    return without_items(FrozenBitMap(units), ledger.ended)


def in_words(failure: Failure, task: str) -> Failure:
    """A failure as it is told: Celery gives no more than the name of a task that no worker knows."""
    return _not_registered(task) if _is_unknown(failure, task) else failure


def _not_registered(task: str) -> Failure:
    return Failure(NOT_REGISTERED, f"No worker knows the task {task!r}.")


def with_ends(ledger: Ledger, ends: Completions, work: Work, now: float) -> Ledger:
    """The ledger after these ends: the last step that succeeds is the item's success, a step that fails its failure."""
    if ends.succeeded:
        last = ends.succeeded & work.last
        ledger = ledger.passed_with(ends.succeeded - last).succeeded_with(ledger.items_of(last))
    by_failure: dict[Failure, BitMap] = {}
    for unit, failure in ends.failed.items():
        if unit not in ledger.passed:
            by_failure.setdefault(of_step(failure, unit, work), BitMap()).add(unit)
    for failure, units in by_failure.items():
        ledger = ledger.units_failed_with(failure, FrozenBitMap(units), now)
    return ledger


def of_step(failure: Failure, unit: int, work: Work) -> Failure:
    """The failure of a chain says which of its tasks it was."""
    step, steps = work.place(unit)
    if steps == 1:
        return failure
    where = f"Step {step + 1} of {steps}, {work.leaf(unit).task}"
    return replace(failure, message=f"{where}: {failure.message}" if failure.message else f"{where}.")


def certain(completions: Completions, servers: frozenset[str]) -> Completions:
    """What is an end whatever the items are: no worker may have known the task of the others, or reached the broker."""
    failed = {
        unit: failure
        for unit, failure in completions.failed.items()
        if failure.reason != NOT_REGISTERED and not is_interruption(failure, servers)
    }
    return Completions(completions.succeeded, MappingProxyType(failed))


def _is_unknown(failure: Failure, task: str) -> bool:
    """Not so when a task that runs looked another one up in vain: that is a failure like any other."""
    return failure.reason == NOT_REGISTERED and failure.message.strip("'\"") == task


def with_total(ledger: Ledger, work: Work) -> Ledger:
    """Appended items join the books; a spec that shrank is refused elsewhere."""
    total, steps = max(ledger.total, work.total), max(ledger.steps, work.steps)
    return ledger if (total, steps) == (ledger.total, ledger.steps) else replace(ledger, total=total, steps=steps)
