"""What an operator process tells Prometheus, as a test asks for it."""

import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from support.operator_process import OperatorProcess

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def exposition(operator: OperatorProcess, accept: str = "") -> tuple[str, str]:
    """Content type and text."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{operator.metrics_port}/metrics", headers={"Accept": accept} if accept else {}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.headers["Content-Type"], response.read().decode()


def scrape(operator: OperatorProcess) -> Series:
    """Name and labels of each series to its value."""
    families = text_string_to_metric_families(exposition(operator)[1])
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def value(series: Mapping[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float | None:
    """Of the series with exactly these labels; None when there is none."""
    return series.get((f"taskgroup_{name}", frozenset(labels.items())))
