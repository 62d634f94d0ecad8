"""The dashboards as they are committed, read back: what each panel asks. Who draws or tests them begins here.

for dashboard in read_all():
    values = chosen(dashboard, prometheus, window)
    for answer in answers(dashboard, prometheus, values):
        assert not answer.error
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.prometheus import Prometheus, QueryError, Series
from dashboards.substitution import Values, Window

FOLDER = Path(__file__).resolve().parents[1] / "charts/taskgroup-operator/files/dashboards"


@dataclass(frozen=True, slots=True)
class Target:
    """One query of a panel, variables not yet filled in."""

    letter: str
    expression: str
    legend: str
    is_range: bool
    """Asked over the whole time, not at its end only."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `raw` is the panel as Grafana reads it."""

    number: int
    title: str
    kind: str
    targets: tuple[Target, ...]
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Annotation:
    """Marks: the values of the expression are their times, in milliseconds."""

    name: str
    expression: str
    color: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice of the reader. `query` is empty when Prometheus is not asked for the values."""

    name: str
    label: str
    query: str
    all_value: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard. Panels of the kind `row` are headings."""

    name: str
    title: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one query: series, or the reason why not."""

    panel: Panel
    target: Target
    query: str
    series: tuple[Series, ...] = ()
    error: str = ""


def read_all(folder: Path = FOLDER) -> tuple[Dashboard, ...]:
    """All committed dashboards, by name."""
    return tuple(
        _dashboard(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))
    )


def choices(variable: Variable, prometheus: Prometheus, values: Values) -> tuple[str, ...]:
    """What the reader may choose from; nothing for a variable that Prometheus is not asked for."""
    if not variable.query:
        return ()
    selector, _, label = variable.query.removeprefix("label_values(").removesuffix(")").rpartition(",")
    window = values.window
    return prometheus.label_values(values.fill(selector), label.strip(), window.start, window.end)


def chosen(
    dashboard: Dashboard, prometheus: Prometheus, window: Window, wanted: Mapping[str, str] | None = None
) -> Values:
    """A value for each variable: the wanted one, else all, else the first of those that there are."""
    values = Values(window, dict(wanted or {}))
    for variable in dashboard.variables:
        if variable.name in values.chosen:
            continue
        found = variable.all_value or next(iter(choices(variable, prometheus, values)), "")
        values = Values(window, {**values.chosen, variable.name: found})
    return values


def answers(dashboard: Dashboard, prometheus: Prometheus, values: Values) -> Iterator[Answer]:
    """Every query of every panel, with what Prometheus answers."""
    for panel in dashboard.panels:
        for target in panel.targets:
            yield answer(panel, target, prometheus, values)


def answer(panel: Panel, target: Target, prometheus: Prometheus, values: Values) -> Answer:
    """What Prometheus answers to one query."""
    query = values.fill(target.expression)
    try:
        return Answer(panel, target, query, _asked(prometheus, target, query, values.window))
    except QueryError as error:
        return Answer(panel, target, query, error=str(error))


def marks(annotation: Annotation, prometheus: Prometheus, values: Values) -> tuple[float, ...]:
    """The times of the marks within the window."""
    window = values.window
    found = prometheus.over(values.fill(annotation.expression), window.start, window.end, window.step)
    times = {value / 1000 for series in found for _, value in series.points}
    return tuple(sorted(time for time in times if window.start <= time <= window.end))


def _asked(prometheus: Prometheus, target: Target, query: str, window: Window) -> tuple[Series, ...]:
    if target.is_range:
        return prometheus.over(query, window.start, window.end, window.step)
    return prometheus.at(query, window.end)


def _dashboard(name: str, raw: Mapping[str, Any]) -> Dashboard:
    return Dashboard(
        name,
        raw["title"],
        tuple(map(_variable, raw["templating"]["list"])),
        tuple(map(_panel, raw["panels"])),
        tuple(Annotation(a["name"], a["expr"], a["iconColor"], a["enable"]) for a in raw["annotations"]["list"]),
    )


def _variable(raw: Mapping[str, Any]) -> Variable:
    query = raw["query"] if raw["type"] == "query" else ""
    return Variable(raw["name"], raw["label"], query, raw.get("allValue") or "")


def _panel(raw: Mapping[str, Any]) -> Panel:
    return Panel(raw["id"], raw["title"], raw["type"], tuple(map(_target, raw.get("targets") or ())), raw)


def _target(raw: Mapping[str, Any]) -> Target:
    return Target(raw["refId"], raw["expr"], raw["legendFormat"], raw["range"])
