"""The common end of every decision: a status, the events that follow from it, and the Plan around both."""

from taskgroup.core.action import Action
from taskgroup.core.completions import Completions
from taskgroup.core.exchange import Demand
from taskgroup.core.groups.observed import Carried, Observed
from taskgroup.core.groups.plan import (
    Again,
    Dispatch,
    Event,
    MarkMissing,
    Plan,
    Redispatch,
    Release,
    Renew,
    Retry,
    Skip,
    Stop,
    Withdraw,
)
from taskgroup.core.groups.resting import FOREVER
from taskgroup.core.indexes import NONE
from taskgroup.core.status.events import events
from taskgroup.core.status.report import report
from taskgroup.core.status.status_input import StatusInput
from taskgroup.core.units import Units

FOLLOW_SECONDS = 1.0
"""After items were moved: the status made before says nothing of it yet."""
_MOVES = (Again, Dispatch, Skip, Release, Redispatch, Renew, Retry, MarkMissing, Stop, Withdraw)

TROUBLE_SECONDS = 5.0
"""Between two looks at a broker that does not answer."""


def plan_for(
    seen: Observed,
    shown: StatusInput,
    now: float,
    *,
    actions: tuple[Action, ...] = (),
    save: bool = False,
    transition: bool = False,
    near_end: bool = False,
    counted: Completions | None = None,
    forget: Units = NONE,
    demand: Demand | None = None,
    carried: Carried | None = None,
    extra_events: tuple[Event, ...] = (),
    rests: bool = False,
    wake_after: float | None = None,
) -> Plan:
    """The plan that leads to the status which `shown` describes.

    All completions that were seen count as counted, and the next look comes after the resync time, or at the next
    change where the group rests, unless said otherwise.
    """
    status = report(seen, shown, now)
    rests = rests and not actions
    if wake_after is None:
        wake_after = FOREVER if rests else seen.resync_seconds
    if any(isinstance(action, _MOVES) for action in actions):
        wake_after = min(wake_after, FOLLOW_SECONDS)
    return Plan(
        ledger=shown.ledger,
        save=save,
        transition=transition,
        near_end=near_end,
        counted=seen.completions if counted is None else counted,
        forget=forget,
        actions=actions,
        demand=demand,
        status=status,
        events=events(seen.status, status),
        extra_events=extra_events,
        carried=carried or seen.carried,
        rests=rests,
        wake_after=wake_after,
    )
