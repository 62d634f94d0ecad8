"""What is told when a group starts: it runs, but perhaps not as its owner expects. `plan` tells the same before."""

from taskgroup.api.names import EventReason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.groups.advice import Advice, AdviceReason, advise
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Event
from taskgroup.core.items.work import Work

LEFT_TO_PLAN = frozenset({AdviceReason.NO_DEADLINE, AdviceReason.NO_TIME_LIMIT})
"""True of most groups, and no harm until something else goes wrong: an event for each would hide the others."""
OF_ITEMS = frozenset({AdviceReason.SLOTS_IDLE, AdviceReason.ITEMS_ALIKE, AdviceReason.MANY_MESSAGES})
"""What depends on how many items there are."""


def warnings(seen: Observed, spec: TaskGroupSpec, work: Work) -> tuple[Event, ...]:
    """One event for each, with its remedy."""
    return (*_nulls(seen), *(_event(one) for one in advise(spec, work) if one.reason not in LEFT_TO_PLAN))


def warnings_of_items(spec: TaskGroupSpec, work: Work) -> tuple[Event, ...]:
    """The same for what nobody could know at the start, because the items are a result of spec.before."""
    return tuple(_event(one) for one in advise(spec, work) if one.reason in OF_ITEMS)


def _event(advice: Advice) -> Event:
    return Event(EventReason.ADVICE, f"{advice.reason}: {advice.message}", warning=True)


def _nulls(seen: Observed) -> tuple[Event, ...]:
    if not seen.dropped_nulls:
        return ()
    text = (
        f"kubectl apply left out {seen.dropped_nulls} nulls inside of objects, and the items run without them: delete"
        " this TaskGroup, and use kubectl create or kubectl apply --server-side."
    )
    return (Event(EventReason.NULLS_DROPPED, text, warning=True),)
