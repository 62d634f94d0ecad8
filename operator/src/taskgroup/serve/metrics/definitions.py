"""What a metric is. Exposition, docs/metrics.md, dashboards and alerts take names and labels from the same values."""

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "taskgroup_"


class Kind(StrEnum):
    """Types of Prometheus' data model."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A counter's name ends in `_total`, a time's in `_seconds`, a size's in `_bytes`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, without the last one (+Inf)."""


def counter(name: str, text: str, *labels: str) -> Metric:
    """A number that only grows while the process lives."""
    return Metric(f"{PREFIX}{name}", Kind.COUNTER, text, labels)


def gauge(name: str, text: str, *labels: str) -> Metric:
    """A number that goes up and down."""
    return Metric(f"{PREFIX}{name}", Kind.GAUGE, text, labels)


def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Metric:
    """How often a value was at most each of `buckets`."""
    return Metric(f"{PREFIX}{name}", Kind.HISTOGRAM, text, labels, buckets)
