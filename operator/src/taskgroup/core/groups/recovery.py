"""What was lost on the way: items that are missing or that workers died with, and books that Redis knows better."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from pyroaring import FrozenBitMap

from taskgroup.api.names import Reason
from taskgroup.core.action import Action
from taskgroup.core.completions import Failure
from taskgroup.core.exchange import MAX_LOSSES
from taskgroup.core.groups.observed import BrokerBooks, GroupState, Observed
from taskgroup.core.groups.plan import MarkMissing, Search
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.ledger import Ledger

POISON = Failure(Reason.LOST, f"{MAX_LOSSES + 1} workers died while they ran it.")
MAX_MISSED = 3
"""How often a missing item is dispatched again."""
HOPELESS = Failure(
    Reason.LOST,
    f"Dispatched {MAX_MISSED + 1} times and never came back: no result, no message, no worker that holds it."
    " A task that raises Ignore stores no result: return a value instead.",
)
SEARCH_SECONDS = 10.0
"""Between two searches; far longer than a worker needs from the list to its unacked entry."""


def needs_books(ledger: Ledger, state: GroupState | None, *, is_adopted: bool) -> bool:
    """Whether what the broker knows of single items must be read: after a restart, or when an answer was lost."""
    if state is None or ledger.nonce not in ("", state.nonce):
        return False
    return not is_adopted or dict(state.cursors) != dict(ledger.cursors)


def adopt(ledger: Ledger, state: GroupState | None, books: BrokerBooks | None, now: float) -> Ledger:
    """The ledger with what the broker knows best: what was dispatched, what came back, and what is given up.

    An item is given up by the broker's script; an operator that died right after it had not saved that. What is known
    under another nonce is of another state.
    """
    if state is None or books is None or ledger.nonce not in ("", state.nonce):
        return ledger
    lost = (index for index, losses in books.losses.items() if losses > MAX_LOSSES)
    return replace(
        ledger,
        cursors=MappingProxyType(dict(state.cursors)),
        returned=books.returned - ledger.ended,
        attempts=MappingProxyType(dict(books.attempts)),
        losses=MappingProxyType(dict(books.losses)),
    ).failed_with(POISON, _items(lost, ledger), now)


def give_up(ledger: Ledger, seen: Observed, now: float) -> Ledger:
    """Items whose newest attempt the pool has given up: too many workers died with it."""
    given_up = seen.view.given_up if seen.view else ()
    poison = (item.index for item in given_up if ledger.attempts.get(item.index, 0) == item.attempt)
    return ledger.failed_with(POISON, _items(poison, ledger), now)


def _items(numbers: Iterable[int], ledger: Ledger) -> Indexes:
    """Numbers come from the broker, where tenants can write: not all fit into a bitmap."""
    return FrozenBitMap(number for number in numbers if number < ledger.total)


def missing(seen: Observed, in_flight: Indexes) -> Indexes:
    """Items absent in two searches far enough apart. None while the broker is away: it has to be told of them.

    A worker that says nothing hides none: the message of a task stays in the broker until the task has ended.
    """
    if len(seen.suspicions) < 2 or seen.queue is None:
        return NONE
    first, second = seen.suspicions
    if second.at - first.at < SEARCH_SECONDS:
        return NONE
    return first.absent & second.absent & in_flight


def search(seen: Observed, in_flight: Indexes, now: float) -> tuple[Action, ...]:
    """Look for items when the queue and the workers hold fewer than are in flight; the first time not at the start.

    A pod that the pool does not know of may hold some: without a current view nobody can say what is missing.
    """
    if seen.queue is None or seen.view is None or not seen.view.current or seen.completions or not in_flight:
        return ()
    if seen.queue.messages >= len(in_flight):
        return ()
    last = seen.suspicions[-1].at if seen.suspicions else seen.ledger.running_since or 0.0
    reason = f"{len(in_flight)} items are in flight, queue and workers hold {seen.queue.messages}."
    return (Search(reason=reason),) if now - last >= SEARCH_SECONDS else ()


def mark_missing(ledger: Ledger, absent: Indexes, now: float) -> tuple[Ledger, tuple[Action, ...]]:
    """Dispatch missing items again, or give them up."""
    if not absent:
        return ledger, ()
    hopeless = FrozenBitMap(index for index in absent if ledger.missed.get(index, 0) >= MAX_MISSED)
    again = absent - hopeless
    action = MarkMissing(again, reason="Two searches found no message, no worker and no result.")
    return ledger.failed_with(HOPELESS, hopeless, now), (action,) if again else ()


def after_data_loss(ledger: Ledger, dispatched: Indexes, nonce: str) -> Ledger:
    """The broker lost the group's state: whatever has not ended gets a new task id and waits for a dispatch."""
    again = dispatched - ledger.ended
    renewed = ledger.renewed({index: ledger.attempts.get(index, 0) + 1 for index in again})
    return replace(renewed, nonce=nonce)
