"""spec.retry: items that failed, or were cancelled, run again on their owner's word, once for each id.

First the status takes the id over and shows them as pending, also when the group has ended. Then the broker gives
their units new attempts, and last the ledger says of which retry it knows. Whoever dies in between has dispatched
nothing, and who comes after finds the id in the status and not in the ledger, and goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.status import StageState, StageStatus
from taskgroup.core.groups import changed_source, demand
from taskgroup.core.groups.context import Context
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import judge
from taskgroup.core.groups.plan import Again, Event, Plan
from taskgroup.core.groups.planning import TROUBLE_SECONDS, plan_for
from taskgroup.core.groups.stage_progress import stage_status, written_stages
from taskgroup.core.indexes import NONE, Indexes, format_indexes, parse_indexes
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.retries import Retries
from taskgroup.core.stages import STAGE_UNITS, Stage
from taskgroup.core.status.conditions import find
from taskgroup.core.status.phase import Phase
from taskgroup.core.status.status_input import StatusInput
from taskgroup.core.units import index_of

ALL = "failed"
_SHOWN = 200
"""Most characters of a list of indexes in an event."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is run again, and what was asked for in vain."""

    items: Indexes = NONE
    stages: bool = False
    """What runs once for the group and has failed."""
    ignored: Indexes = NONE

    def __bool__(self) -> bool:
        return bool(self.items) or self.stages


def is_asked(seen: Observed) -> bool:
    """Whether the spec has a retry that the status does not know."""
    return bool(seen.spec and seen.spec.retry and seen.spec.retry.id != seen.status.last_retry_id)


def is_due(seen: Observed, ledger: Ledger) -> bool:
    """Whether the status knows of one that the ledger does not."""
    known = seen.status.last_retry_id
    return bool(seen.spec and seen.spec.retry and seen.spec.retry.id == known) and ledger.again_id != known


def chosen(ledger: Ledger, indexes: str) -> Choice:
    """Of a chunk all items are run again: it is one message."""
    ended = ledger.failed | ledger.cancelled
    if indexes == ALL:
        return Choice(ended, stages=bool(ledger.stage_failures))
    try:
        asked = parse_indexes(indexes)
    except (ValueError, OverflowError):
        return Choice()
    return Choice(ledger.chunks.members(asked & ended, ledger.total) & ended, ignored=asked - ended)


def reopened(ledger: Ledger, choice: Choice) -> Ledger:
    """The books in which these have not ended; how often they were lost before is forgiven."""
    missed, interruptions, losses = (
        _without(counts, choice) for counts in (ledger.missed, ledger.interruptions, ledger.losses)
    )
    return replace(
        ledger.reopened(choice.items),
        missed=missed,
        interruptions=interruptions,
        losses=losses,
        retries=_fresh(ledger.retries, choice),
        stage_failures=MappingProxyType({}) if choice.stages else ledger.stage_failures,
    )


def _fresh(retries: Retries, choice: Choice) -> Retries:
    """The policy's own retries begin anew for them."""
    due, counted, ignored = (_without(counts, choice) for counts in (retries.due, retries.counted, retries.ignored))
    fatal = None if retries.fatal is not None and retries.fatal in choice.items else retries.fatal
    return Retries(due, counted, ignored, fatal)


def _without(counts: Mapping[int, int], choice: Choice) -> Mapping[int, int]:
    if not counts:
        return counts
    return MappingProxyType({unit: count for unit, count in counts.items() if not _is_of(unit, choice)})


def _is_of(unit: int, choice: Choice) -> bool:
    return choice.stages if unit in STAGE_UNITS else index_of(unit) in choice.items


def begin(seen: Observed, shown: StatusInput, work: Work, now: float) -> Plan:
    """Take the id over: with the items that are run again, or with the reason why there are none."""
    spec = seen.spec
    if spec is None or spec.retry is None:
        return plan_for(seen, shown, now)
    ledger, retry = shown.ledger, spec.retry
    choice, is_over = chosen(ledger, retry.indexes), shown.phase is Phase.FINISHED
    books = _opened(ledger, choice, now, anew=is_over)
    flaw = _flaw(seen, books, choice, work, now)
    if flaw is not None:
        text = f"Nothing is run again by retry {retry.id}: {flaw}"
        refused = replace(shown, ledger=replace(ledger, again_id=retry.id), retry_id=retry.id)
        event = Event(EventReason.RETRY_REFUSED, text, warning=True)
        return plan_for(seen, refused, now, save=True, transition=True, extra_events=(event,), wake_after=0.0)
    stages = {**shown.stages, **_waiting_stages(seen)} if is_over else shown.stages
    accepted = replace(
        shown,
        phase=Phase.RUNNING,
        ledger=books,
        retry_id=retry.id,
        verdict=None,
        stages=stages,
        needs_workers=True,
        configuration=None,
    )
    plan = plan_for(seen, accepted, now, save=True, transition=True, extra_events=(_told(choice, retry.id),))
    return replace(plan, ledger=ledger, wake_after=0.0)


def _flaw(seen: Observed, books: Ledger, choice: Choice, work: Work, now: float) -> str | None:
    """Why it cannot work."""
    if seen.spec is None or (seen.state is not None and seen.state.deleted):
        return "the broker remembers that this TaskGroup was deleted."
    if (seen.status.total or 0) > books.total:
        return "the record of its items is gone."
    if other := changed_source.difference(seen):
        return other
    if not choice:
        return "none of these items has failed or was cancelled."
    stages = {stage: one for stage in Stage if (one := stage_status(stage, books, work)) is not None}
    verdict = judge(books, seen.spec, now, stages)
    return f"the group would end at once. {verdict.message}" if verdict else None


def carried_out(ledger: Ledger, action: Again, now: float) -> Ledger:
    """The books that know of the retry."""
    choice = Choice(action.items, action.stages)
    return replace(_opened(ledger, choice, now, anew=action.anew), again_id=action.id)


def _opened(ledger: Ledger, choice: Choice, now: float, *, anew: bool) -> Ledger:
    """The running time of a group that had ended begins `anew`."""
    books = reopened(ledger, choice)
    return replace(books, ran_seconds=0.0, running_since=now) if anew else books


def _waiting_stages(seen: Observed) -> dict[Stage, StageStatus]:
    written = written_stages(seen.status)
    pending = StageStatus(state=StageState.PENDING)
    return {stage: pending for stage, one in written.items() if one.state is not StageState.SUCCEEDED}


def _told(choice: Choice, name: str) -> Event:
    text = f"{len(choice.items)} items are run again ({_list(choice.items)})" if choice.items else "It is run again"
    ignored = f"; not failed or cancelled: {_list(choice.ignored)}" if choice.ignored else ""
    return Event(EventReason.RETRYING, f"{text}, retry {name}{ignored}.", warning=bool(choice.ignored))


def _list(indexes: Indexes) -> str:
    text, whole = format_indexes(indexes, _SHOWN)
    return text if whole else f"{text},…"


def carry_out(context: Context, shown: StatusInput) -> Plan:
    """Give the units new attempts. Of a group that had ended nothing is on its way, whatever looks as if it were."""
    seen, spec, ledger, now = context.seen, context.spec, context.ledger, context.now
    if spec.retry is None:
        return plan_for(seen, shown, now)
    choice = chosen(ledger, spec.retry.indexes)
    is_over = was_over(seen, ledger)
    books = _opened(ledger, choice, now, anew=is_over)
    lanes = context.work.lanes
    units = books.in_flight(lanes) if is_over else books.in_flight(lanes) - ledger.in_flight(lanes)
    again = Again(spec.retry.id, units, choice.items, choice.stages, is_over, reason="spec.retry asks for it.")
    can_act = seen.queue is not None and seen.backend_trouble is None
    plan = plan_for(
        seen,
        replace(shown, ledger=books, needs_workers=True),
        now,
        actions=(again,) if can_act else (),
        demand=demand.while_running(books, context.work, spec, now),
        carried=replace(seen.carried, unsaved=can_act),
        wake_after=0.0 if can_act else TROUBLE_SECONDS,
    )
    return replace(plan, ledger=ledger)


def was_over(seen: Observed, ledger: Ledger) -> bool:
    """Whether the group had ended, and the retry that goes on now has opened it again."""
    finished = find(seen.status, ConditionType.FINISHED)
    return finished is not None and finished.reason == Reason.RETRYING and not ledger.unfinished
