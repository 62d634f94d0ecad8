"""Draws a whole dashboard in Grafana's layout: header, headings, and each panel by its kind."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dashboards.drawing.canvas import Box, Canvas
from dashboards.drawing.figures import draw_figure, draw_ranking
from dashboards.drawing.graphs import draw_graph
from dashboards.drawing.tables import draw_table
from dashboards.drawing.theme import (
    BORDER,
    COLUMN,
    FAINT,
    GAP,
    HEADER,
    HEADING,
    NORMAL,
    PADDING,
    PANEL,
    ROW,
    SMALL,
    TITLE,
    WIDTH,
    color_of,
)
from dashboards.drawing.words import draw_words
from dashboards.prometheus import Prometheus
from dashboards.queries import Answer, Dashboard, Panel, answer, marks
from dashboards.substitution import Values

_TITLE = 28
Events = Mapping[str, Sequence[float]]


def draw(dashboard: Dashboard, prometheus: Prometheus, values: Values, path: Path) -> tuple[Answer, ...]:
    """Write the picture of a dashboard as it is at the end of the window; what Prometheus answered."""
    bottom = max(panel.raw["gridPos"]["y"] + panel.raw["gridPos"]["h"] for panel in dashboard.panels)
    canvas = Canvas(WIDTH, HEADER + bottom * ROW + GAP)
    _header(canvas, dashboard, values)
    events = {mark.color: marks(mark, prometheus, values) for mark in dashboard.annotations if mark.is_shown}
    asked: list[Answer] = []
    for panel in dashboard.panels:
        found = tuple(answer(panel, target, prometheus, values) for target in panel.targets)
        _panel(canvas, panel, found, values, events)
        asked.extend(found)
    canvas.save(path)
    return tuple(asked)


def _header(canvas: Canvas, dashboard: Dashboard, values: Values) -> None:
    canvas.write(PADDING + 4, 20, dashboard.title, HEADING + 2, is_bold=True)
    window = values.window
    first, last = (datetime.fromtimestamp(time, UTC) for time in (window.start, window.end))
    canvas.write(WIDTH - PADDING - 4, 20, f"{first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S} UTC", NORMAL, FAINT, "right")
    _key(canvas, dashboard)
    x = PADDING + 4.0
    for variable in dashboard.variables:
        if not variable.query:
            continue
        chosen = values.chosen.get(variable.name, "")
        text = "All" if chosen == variable.all_value else chosen or "none"
        canvas.write(x, 47, variable.label, SMALL, FAINT)
        x += canvas.length(variable.label, SMALL) + 8
        width = canvas.length(text, NORMAL) + 20
        canvas.fill(Box(x, 36, width, 22), PANEL, BORDER, rounding=3)
        canvas.write(x + 10, 47, text, NORMAL)
        x += width + 18


def _key(canvas: Canvas, dashboard: Dashboard) -> None:
    """What the vertical lines are."""
    x = WIDTH - PADDING - 4.0
    for mark in reversed([mark for mark in dashboard.annotations if mark.is_shown]):
        canvas.write(x, 47, mark.name, SMALL, FAINT, "right")
        x -= canvas.length(mark.name, SMALL) + 10
        canvas.fill(Box(x, 40, 2, 14), color_of(mark.color))
        x -= 18


def _panel(canvas: Canvas, panel: Panel, found: tuple[Answer, ...], values: Values, events: Events) -> None:
    place = panel.raw["gridPos"]
    box = Box(place["x"] * COLUMN, HEADER + place["y"] * ROW, place["w"] * COLUMN, place["h"] * ROW)
    box = box.inside(GAP / 2, GAP / 2, GAP / 2, GAP / 2)
    title = values.fill(panel.title)
    if panel.kind == "row":
        canvas.write(box.x + 8, box.y + box.height / 2, title, HEADING, is_bold=True)
        return
    canvas.fill(box, PANEL, BORDER, rounding=4)
    _inside(canvas, box.inside(1, _TITLE, 1, 4), panel, found, values, events)
    canvas.write(box.x + PADDING, box.y + _TITLE / 2 + 1, canvas.cut(title, box.width - 2 * PADDING, TITLE), TITLE)
    for problem in (failed.error for failed in found if failed.error):
        y = box.y + box.height - 10
        canvas.write(box.x + PADDING, y, canvas.cut(problem, box.width - 20, SMALL), SMALL, color_of("red"))


def _inside(canvas: Canvas, box: Box, panel: Panel, found: tuple[Answer, ...], values: Values, events: Events) -> None:
    match panel.kind:
        case "timeseries":
            draw_graph(canvas, box, panel, found, values.window, events)
        case "stat":
            draw_figure(canvas, box, panel, found)
        case "bargauge":
            draw_ranking(canvas, box, panel, found)
        case "table":
            draw_table(canvas, box, panel, found)
        case "text":
            draw_words(canvas, box, values.fill(panel.raw["options"]["content"]))
        case kind:
            raise ValueError(f"Panel {panel.title!r} is a {kind}: nobody has said how to draw one.")
