"""The generated dashboards: up to date, whole, and asking only for metrics and labels that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import promql_parser
import pytest
from dashboards import foreign
from dashboards.collection import FOLDER, rendered
from dashboards.links import TAG
from dashboards.substitution import Values, Window

from taskgroup.serve.metrics import group_metrics, operator_metrics
from taskgroup.serve.metrics.definitions import Kind, Metric

DASHBOARDS: dict[str, Any] = {path.stem: json.loads(text) for path, text in rendered().items()}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
MOST_BYTES = 100_000
"""The chart with all of them must fit, packed, into the Secret of a release."""
OF_TARGETS = {"job", "instance", "pod"}
"""Labels that Prometheus adds to what it reads."""
UIDS = {
    "overview": "taskgroup-overview",
    "taskgroup": "taskgroup-group",
    "workers": "taskgroup-workers",
    "operator": "taskgroup-operator",
    "redis": "taskgroup-redis",
}
"""Bookmarks and the links of others name them: a change here breaks those."""
VALUES = Values(Window(0, 3600), {"namespace": "shop", "taskgroup": "pictures", "job": "operator"})

each = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS.keys())


def metrics_of(*modules: ModuleType) -> Iterator[Metric]:
    for module in modules:
        yield from (value for value in vars(module).values() if isinstance(value, Metric))


def series_names(metric: Metric) -> tuple[str, ...]:
    """What Prometheus calls the series of a metric."""
    if metric.kind is Kind.HISTOGRAM:
        return tuple(f"{metric.name}_{part}" for part in ("bucket", "sum", "count"))
    return (metric.name,)


OWN = {name: metric for metric in metrics_of(group_metrics, operator_metrics) for name in series_names(metric)}
KNOWN = OWN | {metric.name: metric for metric in metrics_of(foreign)}


def panels(dashboard: Any) -> list[Any]:
    """Without the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def drawn(dashboard: Any) -> list[Any]:
    """Panels that ask for something."""
    return [panel for panel in panels(dashboard) if panel["type"] != "text"]


def expressions(dashboard: Any) -> Iterator[str]:
    """Every expression of panels, annotations and variables."""
    yield from (target["expr"] for panel in drawn(dashboard) for target in panel["targets"])
    yield from (annotation["expr"] for annotation in dashboard["annotations"]["list"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"].removeprefix("label_values(").rsplit(",", 1)[0]


def selectors(expression: str) -> Iterator[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(VALUES.fill(expression)), visit)
    yield from found


def groupings(expression: str) -> Iterator[str]:
    """Labels that an expression keeps apart or joins by."""
    for listed in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        yield from (label.strip() for label in listed.split(",") if label.strip())


@pytest.mark.parametrize("path", rendered(), ids=lambda path: path.name)
def test_a_committed_file_is_what_the_generator_writes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == rendered()[path]


def test_no_file_is_left_of_a_dashboard_that_is_gone() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(DASHBOARDS)


def test_dashboards_keep_their_identifiers() -> None:
    assert {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()} == UIDS
    assert all(len(uid) <= 40 for uid in UIDS.values())


@each
def test_a_dashboard_says_what_it_is_and_cannot_be_edited(dashboard: Any) -> None:
    assert dashboard["title"].startswith("TaskGroup / ")
    assert "enerated by operator/tools/generate_dashboards.py" in dashboard["description"]
    assert (dashboard["tags"], dashboard["editable"]) == ([TAG], False)
    assert len(json.dumps(dashboard)) < MOST_BYTES


@each
def test_a_dashboard_leads_to_the_others(dashboard: Any) -> None:
    first = dashboard["links"][0]
    assert (first["type"], first["tags"], first["keepTime"], first["includeVars"]) == ("dashboards", [TAG], True, True)


@each
def test_a_panel_says_what_it_shows_and_from_where(dashboard: Any) -> None:
    for panel in drawn(dashboard):
        assert len(panel["description"]) > 30, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == SOURCE, panel["title"]
        assert panel["targets"], panel["title"]
        assert all(target["datasource"] == SOURCE for target in panel["targets"]), panel["title"]


@each
def test_no_two_panels_have_one_title_or_number(dashboard: Any) -> None:
    for part in ("title", "id"):
        given = [panel[part] for panel in panels(dashboard)]
        assert len(set(given)) == len(given)


@each
def test_panels_fill_the_grid_and_do_not_overlap(dashboard: Any) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


@each
def test_expressions_parse_and_name_metrics_that_there_are(dashboard: Any) -> None:
    for expression in expressions(dashboard):
        found = list(selectors(expression))
        assert found, expression
        assert {selector.name for selector in found} <= KNOWN.keys(), expression


@each
def test_matchers_name_labels_that_the_metric_has(dashboard: Any) -> None:
    for expression in expressions(dashboard):
        for selector in selectors(expression):
            labels = {matcher.name for matcher in selector.matchers.matchers}
            assert labels <= {*KNOWN[str(selector.name)].labels, *OF_TARGETS}, expression


@each
def test_groupings_name_labels_that_a_metric_of_the_expression_has(dashboard: Any) -> None:
    for expression in expressions(dashboard):
        there = {label for selector in selectors(expression) for label in KNOWN[str(selector.name)].labels}
        assert set(groupings(expression)) <= {*there, *OF_TARGETS, "le"}, expression


@each
def test_legends_name_labels_that_the_expression_keeps(dashboard: Any) -> None:
    for panel in drawn(dashboard):
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert named <= set(groupings(target["expr"])), (panel["title"], target["expr"])


@each
def test_variables_in_use_are_offered(dashboard: Any) -> None:
    offered = {variable["name"] for variable in dashboard["templating"]["list"]}
    filled = Values(Window(0, 3600), dict.fromkeys(offered, "x")).fill(json.dumps(drawn(dashboard)))
    assert not re.findall(r"\$\{?(?!__data)\w+", filled)


@each
def test_choices_are_read_again_when_the_time_changes(dashboard: Any) -> None:
    queried = [variable for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    assert queried
    assert all(variable["refresh"] == 2 and variable["datasource"] == SOURCE for variable in queried)


@each
def test_rates_follow_the_resolution_of_the_graph(dashboard: Any) -> None:
    for expression in expressions(dashboard):
        assert not re.findall(r"\brate\([^)]*\[(?!\$__rate_interval\])", expression), expression


def test_every_metric_of_groups_is_drawn_somewhere() -> None:
    text = json.dumps(list(DASHBOARDS.values()))
    assert not [metric.name for metric in metrics_of(group_metrics, operator_metrics) if metric.name not in text]


def test_the_sum_of_the_other_groups_is_in_sums_and_not_among_the_choices() -> None:
    choices = {variable["name"]: variable for variable in DASHBOARDS["workers"]["templating"]["list"]}
    assert choices["namespace"]["allValue"] == choices["taskgroup"]["allValue"] == ".*"
    assert all('namespace!=""' in choices[name]["query"] for name in ("namespace", "taskgroup"))


def test_a_row_leads_to_the_dashboard_of_its_group() -> None:
    (table,) = (panel for panel in drawn(DASHBOARDS["workers"]) if panel["type"] == "table")
    (links,) = (
        entry["value"]
        for override in table["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "links"
    )
    assert links[0]["url"].startswith(f"/d/{UIDS['taskgroup']}?")
    renamed = table["transformations"][1]["options"]["renameByName"].values()
    assert set(re.findall(r"__data\.fields\.(\w+)", links[0]["url"])) <= set(renamed)
