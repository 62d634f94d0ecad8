"""What was lost on the way: items that are missing or that workers died with, and books that Redis knows better."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from pyroaring import FrozenBitMap

from taskgroup.api.names import Reason
from taskgroup.core.action import Action
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.exchange import MAX_LOSSES
from taskgroup.core.groups.accounting import with_ends
from taskgroup.core.groups.observed import BrokerBooks, GroupState, Observed
from taskgroup.core.groups.plan import MarkMissing, Search
from taskgroup.core.hooks import HOOK_UNITS
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.pools.pool_spec import loss_limit
from taskgroup.core.stages import FIRST_UNITS, STAGE_UNITS, Stage, stage_units
from taskgroup.core.units import Units, after, before, units_from, units_of, without_items

_BEFORE = stage_units(Stage.BEFORE)
MAX_MISSED = 3
"""How often a missing item is dispatched again."""
HOPELESS = Failure(
    Reason.LOST,
    f"Dispatched {MAX_MISSED + 1} times and never came back: no result, no message, no worker that holds it."
    " A task that raises Ignore stores no result: return a value instead.",
)


def poison(limit: int) -> Failure:
    """Of an item that more workers died with."""
    return Failure(Reason.LOST, f"{limit + 1} workers died while they ran it.")


SEARCH_SECONDS = 10.0
"""Between two searches; far longer than a worker needs from the list to its unacked entry."""


def needs_books(ledger: Ledger, state: GroupState | None, *, is_adopted: bool) -> bool:
    """Whether what the broker knows of single items must be read: after a restart, or when an answer was lost."""
    if state is None or ledger.nonce not in ("", state.nonce):
        return False
    return not is_adopted or dict(state.cursors) != dict(ledger.cursors)


def adopt(
    ledger: Ledger,
    state: GroupState | None,
    books: BrokerBooks | None,
    now: float,
    limit: int = MAX_LOSSES,
    work: Work | None = None,
) -> Ledger:
    """The ledger with what the broker knows best: what was dispatched, what came back, and what is given up.

    An item is given up by the broker's script; an operator that died right after it had not saved that. What is known
    under another nonce is of another state.
    """
    if state is None or books is None or ledger.nonce not in ("", state.nonce):
        return ledger
    lost = (unit for unit, losses in books.losses.items() if losses > limit)
    passed = ledger.passed | before(books.released - FIRST_UNITS - HOOK_UNITS)
    retries = ledger.retries.without(_renewed(ledger, books))
    adopted = replace(
        ledger,
        cursors=MappingProxyType(dict(state.cursors)),
        returned=without_items(books.returned - passed - retries.waiting, ledger.ended),
        retries=retries,
        released=books.released,
        passed=passed,
        attempts=MappingProxyType(dict(books.attempts)),
        losses=MappingProxyType(dict(books.losses)),
    )
    return _given_up(adopted, poison(limit), _units(lost, ledger), work, now)


def _renewed(ledger: Ledger, books: BrokerBooks) -> Units:
    """Units that got their next attempt, which the ledger was not told."""
    return FrozenBitMap(
        unit for unit in ledger.retries.due if books.attempts.get(unit, 0) != ledger.attempts.get(unit, 0)
    )


def give_up(ledger: Ledger, seen: Observed, now: float) -> Ledger:
    """Items whose newest attempt the pool has given up: too many workers died with it."""
    given_up = seen.view.given_up if seen.view else ()
    lost = (one.unit for one in given_up if ledger.attempts.get(one.unit, 0) == one.attempt)
    return _given_up(ledger, poison(loss_limit(seen.spec)), _units(lost, ledger), seen.work, now)


def _given_up(ledger: Ledger, failure: Failure, units: Units, work: Work | None, now: float) -> Ledger:
    """The failure names the step, as an end does; nobody knows the steps of a spec that cannot be compiled."""
    if work is None:
        return ledger.units_failed_with(failure, units, now)
    known = units & work.units
    ledger = ledger.units_failed_with(failure, units - known, now)
    return with_ends(ledger, Completions(failed=dict.fromkeys(known, failure)), work, now)


def _units(numbers: Iterable[int], ledger: Ledger) -> Units:
    """Those that can be given up."""
    return (units_from(numbers) & ledger.units) - ledger.over


def missing(seen: Observed, in_flight: Units) -> Units:
    """Units absent in two searches far enough apart. None while the broker is away: it has to be told of them.

    A worker that says nothing hides none: the message of a task stays in the broker until the task has ended.
    """
    if len(seen.suspicions) < 2 or seen.queue is None:
        return NONE
    first, second = seen.suspicions
    if second.at - first.at < SEARCH_SECONDS:
        return NONE
    return first.absent & second.absent & in_flight


def search(seen: Observed, in_flight: Units, now: float) -> tuple[Action, ...]:
    """Look for units when the queue and the workers hold fewer than are in flight; the first time not at the start.

    A pod that the pool does not know of may hold some: without a current view nobody can say what is missing.
    """
    if seen.queue is None or seen.view is None or not seen.view.current or seen.completions or not in_flight:
        return ()
    if seen.queue.messages >= len(in_flight):
        return ()
    last = seen.suspicions[-1].at if seen.suspicions else seen.ledger.running_since or 0.0
    reason = f"{len(in_flight)} items are in flight, queue and workers hold {seen.queue.messages}."
    return (Search(reason=reason),) if now - last >= SEARCH_SECONDS else ()


def mark_missing(ledger: Ledger, absent: Units, work: Work, now: float) -> tuple[Ledger, tuple[Action, ...]]:
    """Dispatch missing units again, or give their items up."""
    if not absent:
        return ledger, ()
    hopeless = FrozenBitMap(unit for unit in absent if ledger.missed.get(unit, 0) >= MAX_MISSED)
    again = absent - hopeless
    action = MarkMissing(again, reason="Two searches found no message, no worker and no result.")
    return _given_up(ledger, HOPELESS, hopeless, work, now), (action,) if again else ()


def after_data_loss(ledger: Ledger, dispatched: Indexes, nonce: str) -> Ledger:
    """The broker lost the group's state: whatever has not ended gets a new task id and waits for a dispatch.

    A chain begins anew, because the results of its steps may be lost, too; so does what comes before the items, while
    some of them need its result. A hook is let go anew.
    """
    again = dispatched - ledger.ended
    used = ledger.released | after(ledger.passed - HOOK_UNITS)
    kept = HOOK_UNITS | (STAGE_UNITS - _BEFORE if ledger.unfinished or not ledger.total else STAGE_UNITS)
    later = without_items(used - (ledger.passed & kept) - ledger.failed_hooks, ledger.ended)
    attempts = {unit: ledger.attempts.get(unit, 0) + 1 for unit in again | later}
    retries = ledger.retries.without(ledger.retries.waiting)
    anew = replace(
        ledger,
        retries=retries,
        released=NONE,
        passed=ledger.passed & (units_of(ledger.ended, ledger.steps) | kept),
    )
    return replace(anew.renewed(attempts), returned=(ledger.returned - later) | again, nonce=nonce)
