"""Draws tables: answers of several queries joined into rows, as Grafana's transformations `merge` and `organize` do."""

import math
from collections.abc import Iterable
from typing import Any

from dashboards.drawing.appearance import Appearance, appearance
from dashboards.drawing.canvas import Box, Canvas
from dashboards.drawing.figures import nothing
from dashboards.drawing.theme import BORDER, FAINT, LINK, SMALL, TEXT, UNFILLED, behind
from dashboards.queries import Answer, Panel

_ROW, _BAR = 24, 130
Cell = str | float
Row = dict[str, Cell]


def draw_table(canvas: Canvas, box: Box, panel: Panel, answers: tuple[Answer, ...]) -> None:
    """Header and rows; how many are left out when they do not fit."""
    columns, rows = organized(panel, merged(answers))
    if not rows:
        canvas.write(box.x + box.width / 2, box.y + box.height / 2, _empty(panel), color=FAINT, align="center")
        return
    widths = _widths(canvas, box.width - 16, panel, columns, rows)
    room = int(box.height // _ROW) - 1
    fitting = rows if len(rows) <= room else rows[: room - 1]
    _header(canvas, box, columns, widths)
    for number, row in enumerate(fitting, start=1):
        _row(canvas, Box(box.x + 8, box.y + number * _ROW, box.width - 16, _ROW), panel, row, widths)
    if len(fitting) < len(rows):
        y = box.y + (len(fitting) + 1.5) * _ROW
        canvas.write(box.x + 8, y, f"and {len(rows) - len(fitting)} more", SMALL, FAINT)


def _empty(panel: Panel) -> str:
    text = nothing(panel)
    return "none" if text == "-" else text


def merged(answers: tuple[Answer, ...]) -> list[Row]:
    """A row for each set of labels; rows become one where all that both have is equal."""
    rows: list[Row] = []
    for answer in answers:
        value = f"Value #{answer.target.letter}" if len(answers) > 1 else "Value"
        for series in answer.series:
            new: Row = {**series.labels, value: series.last}
            same = [row for row in rows if _fit(row, new)]
            for row in same:
                row.update(new)
            if not same:
                rows.append(new)
    return rows


def _fit(row: Row, new: Row) -> bool:
    shared = row.keys() & new.keys()
    return bool(shared) and all(row[name] == new[name] for name in shared)


def organized(panel: Panel, rows: list[Row]) -> tuple[list[str], list[Row]]:
    """Columns in their order under their names, and rows in theirs."""
    organize = _options(panel, "organize")
    order = organize.get("indexByName", {})
    names: dict[str, str] = organize.get("renameByName", {})
    there = {name for row in rows for name in row} - {
        name for name, out in organize.get("excludeByName", {}).items() if out
    }
    columns = sorted(there, key=lambda name: (order.get(name, len(order)), name))
    renamed = [{names.get(name, name): row[name] for name in columns if name in row} for row in rows]
    for rule in _options(panel, "sortBy").get("sort", ()):
        field, is_down = rule["field"], bool(rule.get("desc"))
        renamed.sort(key=lambda row: _sort_key(row.get(field), is_down=is_down))
    return [names.get(name, name) for name in columns], renamed


def _sort_key(value: Cell | None, *, is_down: bool) -> tuple[bool, float, str]:
    """Rows without a value come last."""
    if not isinstance(value, float) or math.isnan(value):
        return (not isinstance(value, str), 0.0, str(value or ""))
    return (False, -value if is_down else value, "")


def _options(panel: Panel, transformation: str) -> dict[str, Any]:
    for entry in panel.raw.get("transformations") or ():
        if entry["id"] == transformation:
            found: dict[str, Any] = entry["options"]
            return found
    return {}


def _text(seen: Appearance, cell: Cell | None) -> str:
    return "" if cell is None else cell if isinstance(cell, str) else seen.text(cell)


def _widths(canvas: Canvas, room: float, panel: Panel, columns: list[str], rows: Iterable[Row]) -> dict[str, float]:
    """As wide as the longest text of each; what is left is shared out evenly."""
    needed: dict[str, float] = {}
    for column in columns:
        seen = appearance(panel, column)
        longest = max((canvas.length(_text(seen, row.get(column)), SMALL) for row in rows), default=0.0)
        bar = _BAR if seen.cell == "gauge" else 0
        needed[column] = max(canvas.length(column, SMALL, is_bold=True), longest + bar) + 24
    total = sum(needed.values())
    if total > room:
        return {column: width * room / total for column, width in needed.items()}
    return {column: width + (room - total) / len(columns) for column, width in needed.items()}


def _header(canvas: Canvas, box: Box, columns: list[str], widths: dict[str, float]) -> None:
    x = box.x + 8
    for column in columns:
        text = canvas.cut(column, widths[column] - 10, SMALL, is_bold=True)
        canvas.write(x + 4, box.y + _ROW / 2, text, SMALL, LINK, is_bold=True)
        x += widths[column]
    canvas.fill(Box(box.x + 8, box.y + _ROW - 1, box.width - 16, 1), BORDER)


def _row(canvas: Canvas, place: Box, panel: Panel, row: Row, widths: dict[str, float]) -> None:
    x = place.x
    for column, width in widths.items():
        _cell(canvas, Box(x, place.y, width, place.height), appearance(panel, column), row.get(column))
        x += width
    canvas.fill(Box(place.x, place.y + place.height - 0.5, place.width, 0.5), BORDER)


def _cell(canvas: Canvas, box: Box, seen: Appearance, cell: Cell | None) -> None:
    text = canvas.cut(_text(seen, cell), box.width - 10, SMALL)
    middle = box.y + box.height / 2
    color = LINK if seen.settings.get("links") else TEXT
    if isinstance(cell, float) and seen.cell == "gauge":
        track = Box(box.x + 4, box.y + 6, box.width - 66, box.height - 12)
        canvas.fill(track, UNFILLED)
        canvas.fill(Box(track.x, track.y, track.width * min(1.0, max(0.0, cell)), track.height), seen.color(cell))
        canvas.write(box.x + box.width - 12, middle, text, SMALL, seen.color(cell), "right")
        return
    if isinstance(cell, float) and seen.cell == "color-background":
        canvas.fill(box.inside(0, 1, 6, 1), behind(seen.color(cell)))
        color = "white"
    elif isinstance(cell, float) and seen.cell == "color-text":
        color = seen.color(cell)
    canvas.write(box.x + 4, middle, text, SMALL, color)
