"""Label values and colours that several dashboards share: the same thing looks the same everywhere."""

from dashboards.panels import Query
from dashboards.promql import highest, newest, quantile, select
from dashboards.variables import OF_GROUP

from taskgroup.api.names import State
from taskgroup.serve.metrics.definitions import Metric
from taskgroup.serve.metrics.group_metrics import STATE

STATE_COLORS: dict[str, str] = {
    State.PENDING: "yellow",
    State.RUNNING: "blue",
    State.SUSPENDED: "purple",
    State.COMPLETE: "green",
    State.FAILED: "red",
}
ITEM_COLORS = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "orange",
    "active": "blue",
    "retrying": "yellow",
    "pending": "gray",
}
"""In the order in which areas lie upon each other: what has ended below, what is left above."""
LEFT = "active|retrying|pending"
"""States of items that have not ended."""
NOT_ENDED = "|".join((State.PENDING, State.RUNNING, State.SUSPENDED))
WORKER_COLORS = {"wanted": "gray", "present": "yellow", "ready": "green", "busy": "blue"}
_QUANTILES = {0.5: "half are below", 0.9: "90 % are below", 0.99: "99 % are below"}
QUANTILE_COLORS = {"half are below": "green", "90 % are below": "yellow", "99 % are below": "orange"}


def of_state(state: str) -> str:
    """The matcher of series with one state."""
    return f'state="{state}"'


def of_states(states: str) -> str:
    """The matcher of series with one of these states, which are apart by a vertical bar."""
    return f'state=~"{states}"'


def quantiles(metric: Metric, *matchers: str) -> tuple[Query, ...]:
    """How long most, and nearly all, observations of a histogram took."""
    return tuple(Query(quantile(share, metric, *matchers), name) for share, name in _QUANTILES.items())


def of_group(metric: Metric, *matchers: str) -> str:
    """A figure of the chosen group."""
    return highest(select(metric, *OF_GROUP, *matchers))


def of_group_at_last(metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """A figure of the chosen group, also when its series are gone; never one of an earlier group of the same name."""
    now, then = highest(select(metric, *OF_GROUP, *matchers), *by), highest(newest(metric, *OF_GROUP, *matchers), *by)
    return f"({now} or ({then} unless on () {of_group(STATE)}))"
