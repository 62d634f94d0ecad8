"""Values that are read when Prometheus asks, from parts that keep them anyway.

The thread of a scrape asks, while the event loop goes on: whoever is read makes a copy of what may grow or shrink.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from taskgroup.serve.metrics.definitions import Kind, Metric

Family = CounterMetricFamily | GaugeMetricFamily
Values = Mapping[tuple[str, ...], float]
"""Label values, in the order of the metric's labels, to the value."""


def family_of(metric: Metric) -> Family:
    """An empty family; not for histograms."""
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)


class Readings(Collector):
    """What was registered; parts that this process does not run, as those of a leader, have no series."""

    def __init__(self) -> None:
        self._readers: dict[Metric, Callable[[], Values]] = {}

    def add(self, metric: Metric, read: Callable[[], float]) -> None:
        """A value without labels."""
        self._readers[metric] = lambda: {(): read()}

    def add_labelled(self, metric: Metric, read: Callable[[], Values]) -> None:
        """A value for each combination of labels."""
        self._readers[metric] = read

    def collect(self) -> Iterator[Family]:
        """See prometheus_client."""
        for metric, read in list(self._readers.items()):
            family = family_of(metric)
            for labels, value in read().items():
                family.add_metric(labels, value)
            yield family
