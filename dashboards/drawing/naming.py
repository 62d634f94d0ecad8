"""What a series is called: its query's legend with the labels filled in."""

import re

from dashboards.prometheus import Series
from dashboards.queries import Target

_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_OWN = "__auto"


def series_name(target: Target, series: Series) -> str:
    """As Grafana shows it in a legend. Labels that are absent leave no space behind."""
    if target.legend == _OWN:
        return ", ".join(f"{label}={value}" for label, value in sorted(series.labels.items())) or target.letter
    return _LABEL.sub(lambda found: series.labels.get(found[1], ""), target.legend).strip()
