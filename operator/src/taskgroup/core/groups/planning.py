"""The common end of every decision: a status, the events that follow from it, and the Plan around both."""

from taskgroup.core.groups.observed import Observed, Pace
from taskgroup.core.groups.plan import Action, Dispatch, Event, MarkMissing, Plan, Redispatch, Renew, Requeue, Withdraw
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.status.condition_texts import StatusInput
from taskgroup.core.status.events import events
from taskgroup.core.status.report import report

RESYNC_SECONDS = 30.0
"""Longest time between two looks: troubles outside the spec heal by it."""
FOLLOW_SECONDS = 1.0
"""After items were moved: the status made before says nothing of it yet."""
_MOVES = (Dispatch, Redispatch, Renew, Requeue, MarkMissing, Withdraw)

TROUBLE_SECONDS = 5.0
"""Between two looks at a broker that does not answer."""


def plan_for(
    seen: Observed,
    facts: StatusInput,
    now: float,
    *,
    actions: tuple[Action, ...] = (),
    save: bool = False,
    transition: bool = False,
    near_end: bool = False,
    consumed: bool = True,
    forget: Indexes = NONE,
    pace: Pace | None = None,
    extra_events: tuple[Event, ...] = (),
    wake_after: float = RESYNC_SECONDS,
) -> Plan:
    """The plan that leads to the status which `facts` describe."""
    status = report(seen, facts, now)
    if any(isinstance(action, _MOVES) for action in actions):
        wake_after = min(wake_after, FOLLOW_SECONDS)
    return Plan(
        ledger=facts.ledger,
        save=save,
        transition=transition,
        near_end=near_end,
        consumed=consumed,
        forget=forget,
        actions=actions,
        status=status,
        events=events(seen.status, status),
        extra_events=extra_events,
        pace=pace or seen.pace,
        wake_after=wake_after,
    )
