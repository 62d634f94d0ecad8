"""Expressions of PromQL, made from the metrics' own values: a metric that is renamed is renamed in every dashboard."""

from taskgroup.serve.metrics.definitions import Metric


def select(metric: Metric, *matchers: str) -> str:
    """The series of a metric that satisfy all matchers."""
    return metric.name + _braces(matchers)


def rate(metric: Metric, *matchers: str) -> str:
    """How fast a counter grows, per second."""
    return f"rate({select(metric, *matchers)}[$__rate_interval])"


def growth(metric: Metric, *matchers: str) -> str:
    """By how much a counter grew in the time that one point of a graph stands for."""
    return f"increase({select(metric, *matchers)}[$__rate_interval])"


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
