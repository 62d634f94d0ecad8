"""Hooks of items: each is let go once, when its item has ended, and the group ends when they have, too.

They change no outcome. Once that is known nothing but hooks is sent any more, and only the group's deadline or its
cancellation ends it before them.
"""

from collections.abc import Mapping
from dataclasses import replace

from taskgroup.api.names import EventReason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import HooksStatus, TaskGroupStatus
from taskgroup.core.groups.accounting import in_words
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.observed import Carried, QueueState
from taskgroup.core.groups.outcome import cut_short
from taskgroup.core.groups.plan import Event, Withdraw
from taskgroup.core.hooks import HOOK_UNITS, Hook, hook_units
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.text import one_line
from taskgroup.core.units import Units, index_of

STATUS_FIELDS = {Hook.ON_ITEM_SUCCESS: "on_item_success", Hook.ON_ITEM_FAILURE: "on_item_failure"}
"""Where the status tells of each."""
_MESSAGE_LENGTH = 256


def pending(ledger: Ledger, work: Work) -> Units:
    """Those whose item has ended, and that have not; of an item that runs again only one that is on its way."""
    if not work.hooks:
        return NONE
    let_go = (ledger.released & HOOK_UNITS) - ledger.returned
    return (_wanted(ledger, work) | let_go) - ledger.passed - ledger.failed_hooks


def to_begin(ledger: Ledger, work: Work) -> Units:
    """Those that were not let go."""
    return pending(ledger, work) - ledger.released


def _wanted(ledger: Ledger, work: Work) -> Units:
    return Units.union(NONE, *(hook_units(hook, _ended(hook, ledger) & work.entries) for hook in work.hooks))


def _ended(hook: Hook, ledger: Ledger) -> Indexes:
    return ledger.succeeded if hook is Hook.ON_ITEM_SUCCESS else ledger.failed


def are_awaited(ledger: Ledger, work: Work, spec: TaskGroupSpec, now: float) -> bool:
    """Whether a group whose outcome is known goes on for them."""
    return bool(pending(ledger, work)) and cut_short(ledger, spec, now) is None


def cleared(context: Context, carried: Carried, queue: QueueState) -> tuple[Carried, tuple[Withdraw, ...]]:
    """Items that wait on the queue leave it once, when the outcome is known and some of them have not ended."""
    is_early = context.is_ending and bool(context.ledger.unfinished or context.ledger.cancelled)
    if is_early == carried.cleared:
        return carried, ()
    carried = replace(carried, cleared=is_early)
    if not is_early or not queue.queued:
        return carried, ()
    return carried, (Withdraw(running=False, reason="The outcome is known: nothing but hooks is left."),)


def held_back(context: Context) -> Units:
    """All but hooks, once the outcome is known; and hooks of items that run again."""
    ledger, work = context.ledger, context.work
    early = (ledger.returned & HOOK_UNITS) - _wanted(ledger, work) if work.hooks else NONE
    return early | (work.units - HOOK_UNITS) if context.is_ending else early


def ended(ledger: Ledger) -> Units:
    """Hooks that will not run again."""
    return (ledger.passed & HOOK_UNITS) | ledger.failed_hooks


def statuses(ledger: Ledger, work: Work) -> dict[Hook, HooksStatus]:
    """How many of each there are."""
    left = pending(ledger, work)
    return {hook: _status(hook_units(hook, work.entries), left, ledger) for hook in work.hooks}


def _status(own: Units, left: Units, ledger: Ledger) -> HooksStatus:
    return HooksStatus(
        pending=left.intersection_cardinality(own),
        succeeded=ledger.passed.intersection_cardinality(own),
        failed=ledger.failed_hooks.intersection_cardinality(own),
    )


def at_end(shown: Mapping[Hook, HooksStatus]) -> dict[Hook, HooksStatus]:
    """The same when the group ends: what is left never runs."""
    return {hook: one.model_copy(update={"pending": 0, "cancelled": one.pending}) for hook, one in shown.items()}


def written(status: TaskGroupStatus) -> dict[Hook, HooksStatus]:
    """As the status shows them."""
    shown = {hook: getattr(status, field) for hook, field in STATUS_FIELDS.items()}
    return {hook: one for hook, one in shown.items() if one is not None}


def told(context: Context) -> tuple[Event, ...]:
    """One event when the first ones of a kind have failed, and one whenever their number gets another digit."""
    before, now = context.seen.ledger.failed_hooks, context.ledger.failed_hooks
    own = {hook: hook_units(hook, context.work.entries) for hook in context.work.hooks} if before != now else {}
    return tuple(_told(hook, now & units, before, context) for hook, units in own.items() if _grows(before, now, units))


def _grows(before: Units, now: Units, own: Units) -> bool:
    known, count = before.intersection_cardinality(own), now.intersection_cardinality(own)
    return count > known and (not known or len(str(count)) > len(str(known)))


def _told(hook: Hook, units: Units, before: Units, context: Context) -> Event:
    first = (units - before).min()
    end = context.seen.completions.failed.get(first)
    failure = in_words(end, context.work.leaf(first).task) if end else None
    why = f": {failure.reason}: {one_line(failure.message, _MESSAGE_LENGTH)}" if failure else "."
    more = f" and of {len(units) - 1} others" if len(units) > 1 else ""
    return Event(EventReason.HOOK_FAILED, f"spec.{hook} of item {index_of(first)}{more} failed{why}", warning=True)
