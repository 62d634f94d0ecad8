"""Tables whose rows are groups: a column for each figure, and a link from the name to the group's own dashboard."""

from dataclasses import dataclass

from dashboards.links import group_link
from dashboards.panels import COUNT, Look, PanelBuilder, Query, letter, rows
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

_NAMES = {"namespace": "Namespace", "taskgroup": "TaskGroup"}


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of each row. `limits` colour the cell; a unit of `percentunit` is drawn as a bar."""

    name: str
    expression: str
    unit: str = COUNT
    limits: tuple[tuple[float, str], ...] = ()
    labels: tuple[str, ...] = ()
    """Labels that the figure adds as columns of their own; the figure itself is then left out."""


def group_table(
    title: str, meaning: str, columns: tuple[Column, ...], *, order_by: str, descending: bool = True, height: int = 9
) -> PanelBuilder:
    """One row for each group that any of the columns has a value for."""
    queries = tuple(Query(column.expression) for column in columns)
    panel = rows(title, meaning, queries, Look(), width=24, height=height)
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=_organized(columns)))
    panel.with_transformation(
        DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": order_by, "desc": descending}]})
    )
    panel.override_by_name("TaskGroup", [DynamicConfigValue(id_val="links", value=[group_link()])])
    for column in columns:
        panel.override_by_name(column.name, _style(column))
    return panel


def _organized(columns: tuple[Column, ...]) -> dict[str, object]:
    """Which columns are shown, in which order, under which names."""
    names = dict(_NAMES)
    excluded = {"Time": True}
    for index, column in enumerate(columns):
        value = _value(index, columns)
        if column.labels:
            excluded[value] = True
            names.update(dict.fromkeys(column.labels, column.name))
        else:
            names[value] = column.name
    order = {source: position for position, source in enumerate(names)}
    return {"excludeByName": excluded, "indexByName": order, "renameByName": names}


def _value(index: int, columns: tuple[Column, ...]) -> str:
    """Grafana's name for a query's values: with the letter as soon as there are several queries."""
    return f"Value #{letter(index)}" if len(columns) > 1 else "Value"


def _style(column: Column) -> list[DynamicConfigValue]:
    properties = [DynamicConfigValue(id_val="unit", value=column.unit)]
    if column.unit == "percentunit":
        bar = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
        properties += [
            DynamicConfigValue(id_val="custom.cellOptions", value=bar),
            DynamicConfigValue(id_val="min", value=0),
            DynamicConfigValue(id_val="max", value=1),
            DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": "blue"}),
        ]
    if column.limits:
        steps = [
            {"color": "text", "value": None},
            *({"color": color, "value": value} for value, color in column.limits),
        ]
        properties += [
            DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
            DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": steps}),
        ]
    return properties


def renamed(panel: table.Panel, names: dict[str, str]) -> table.Panel:
    """A table that has only these columns, in this order, under these names; the status is painted."""
    order = {source: position for position, source in enumerate(names)}
    options = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names}
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=options))
    return panel.override_by_name(
        "Status", [DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background", "mode": "basic"})]
    )
