"""Expressions of PromQL, made from the metrics' own values: a metric that is renamed is renamed in every dashboard."""

from taskgroup.serve.metrics.definitions import Metric

_STEP = "$__interval"
_UP = "up"
_BRIDGED = "2m"
"""A gap in a series that is shorter is made by failed scrapes, and by nothing that the counter stands for."""
_WATCHED = "1h"
"""A Prometheus that read a target in this time before is not new: its first look at another series is not late."""


def select(metric: Metric, *matchers: str) -> str:
    """The series of a metric that satisfy all matchers."""
    return metric.name + _braces(matchers)


def rate(metric: Metric, *matchers: str) -> str:
    """How fast a counter grows, per second."""
    return f"rate({select(metric, *matchers)}[$__rate_interval])"


def happened(metric: Metric, *matchers: str, by: tuple[str, ...]) -> str:
    """How often an event was counted in one step of a graph, apart by these labels: whole numbers, no event twice.

    `increase()` does not see the events with which a series begins, and most series of groups begin with some. A series
    that is new to a Prometheus that has read any target before began at zero. A counter that falls has counted nothing,
    and one that a failed scrape left out for a moment goes on where it was.
    """
    now = highest(select(metric, *matchers), *by)
    before = _before(_STEP, metric, *matchers, by=by)
    target = _UP + _braces(tuple(matcher for matcher in matchers if matcher.startswith("job")))
    was_read = f"max_over_time({target}[{_WATCHED}] offset {_STEP}) == 1"
    return f"clamp_min({now} - ({before} or 0 * {now} and on () {was_read} or {now}), 0)"


def happened_in_range(metric: Metric, *matchers: str, by: tuple[str, ...]) -> str:
    """The same for the whole time that the dashboard shows. What Prometheus did not see before it is counted."""
    now = highest(newest(metric, *matchers), *by)
    return f"clamp_min({now} - ({_before('$__range', metric, *matchers, by=by)} or 0 * {now}), 0)"


def _before(offset: str, metric: Metric, *matchers: str, by: tuple[str, ...]) -> str:
    """What the counter was then, or a moment before when the scrape at that time failed."""
    return highest(f"last_over_time({select(metric, *matchers)}[{_BRIDGED}] offset {offset})", *by)


def growth_in_range(metric: Metric, *matchers: str) -> str:
    """By how much a counter grew in the whole time that the dashboard shows."""
    return f"increase({select(metric, *matchers)}[$__range])"


def newest(metric: Metric, *matchers: str) -> str:
    """The last values in the time shown, also of series that are gone, as those of groups that ended."""
    return f"last_over_time({select(metric, *matchers)}[$__range])"


def total(expression: str, *labels: str) -> str:
    """The sum, apart by these labels."""
    return _over("sum", expression, labels)


def highest(expression: str, *labels: str) -> str:
    """The largest value, apart by these labels. Of a group's figures it is the same one, from whichever operator."""
    return _over("max", expression, labels)


def top(count: int, expression: str) -> str:
    """The largest ones."""
    return f"topk({count}, {expression})"


def or_zero(expression: str) -> str:
    """0 where nothing is there to be counted."""
    return f"{expression} or vector(0)"


def quantile(share: float, metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """The value that this share of a histogram's observations stayed below."""
    buckets = f"rate({metric.name}_bucket{_braces(matchers)}[$__rate_interval])"
    return f"histogram_quantile({share}, {total(buckets, *by, 'le')})"


def mean(metric: Metric, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """The mean of a histogram's observations."""
    parts = (f"rate({metric.name}_{part}{_braces(matchers)}[$__rate_interval])" for part in ("sum", "count"))
    return " / ".join(total(part, *by) for part in parts)


def _over(operation: str, expression: str, labels: tuple[str, ...]) -> str:
    by = f" by ({', '.join(labels)}) " if labels else ""
    return f"{operation}{by}({expression})"


def _braces(matchers: tuple[str, ...]) -> str:
    given = ", ".join(matcher for matcher in matchers if matcher)
    return f"{{{given}}}" if given else ""
