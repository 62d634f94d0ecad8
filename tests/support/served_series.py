"""Every series that rules, and whoever reads them, may name, with the labels that it has."""

from collections.abc import Iterator
from types import ModuleType

from dashboards import foreign

from support.promql import grouping_labels
from support.rules import RULES
from taskgroup.serve.metrics import group_metrics, operator_metrics
from taskgroup.serve.metrics.definitions import Kind, Metric

WANTED = "namespace:taskgroup_operators:wanted"
"""The chart records it from its values (templates/monitoring/prometheusrule.yaml)."""
TARGET_LABELS = {"job", "namespace", "pod", "instance"}
"""What Prometheus adds to each series of a scraped pod, unless the series has a label of that name itself."""


def _metrics(*modules: ModuleType) -> Iterator[Metric]:
    for module in modules:
        yield from (value for value in vars(module).values() if isinstance(value, Metric))


CATALOGUE = {metric.name: metric for metric in _metrics(group_metrics, operator_metrics)}


def _served() -> dict[str, set[str]]:
    known = {rule.name: grouping_labels(rule.expression) | set(rule.labels) for rule in RULES if not rule.is_alert}
    known[WANTED] = set()
    for metric in (*CATALOGUE.values(), *_metrics(foreign)):
        endings = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        known |= {f"{metric.name}{ending}": {*metric.labels, "le"} for ending in endings}
    return {name: labels | TARGET_LABELS for name, labels in known.items()}


SERVED = _served()
