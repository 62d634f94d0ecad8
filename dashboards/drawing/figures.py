"""Draws panels that show one large figure, and bars beside names."""

from dashboards.drawing.appearance import appearance
from dashboards.drawing.canvas import Box, Canvas
from dashboards.drawing.naming import series_name
from dashboards.drawing.theme import FAINT, NORMAL, PADDING, SMALL, TEXT, UNFILLED, behind
from dashboards.queries import Answer, Panel

_LARGEST, _BAR_ROW, _NAMES_SHARE = 26.0, 26, 0.34


def draw_figure(canvas: Canvas, box: Box, panel: Panel, answers: tuple[Answer, ...]) -> None:
    """The last value of the first series, or the names of all of them."""
    found = [(series_name(answer.target, series), series.last) for answer in answers for series in answer.series]
    if not found:
        _large(canvas, box, nothing(panel), FAINT)
        return
    is_named = panel.raw["options"].get("textMode") == "name"
    name, value = found[0]
    seen = appearance(panel, name)
    text = ", ".join(name for name, _ in found) if is_named else seen.text(value)
    color = seen.color(value)
    if panel.raw["options"].get("colorMode") == "background" and color != TEXT:
        canvas.fill(box, behind(color), rounding=4)
        color = "white"
    _large(canvas, box, text, color)


def draw_ranking(canvas: Canvas, box: Box, panel: Panel, answers: tuple[Answer, ...]) -> None:
    """A bar for each series, the longest first."""
    found = [(series_name(answer.target, series), series.last) for answer in answers for series in answer.series]
    found.sort(key=lambda pair: -pair[1])
    if not found:
        canvas.write(box.x + box.width / 2, box.y + box.height / 2, nothing(panel), color=FAINT, align="center")
        return
    highest = panel.raw["fieldConfig"]["defaults"].get("max") or max(value for _, value in found) or 1
    room = int(box.height // _BAR_ROW)
    for index, (name, value) in enumerate(found[:room]):
        row = Box(box.x, box.y + index * _BAR_ROW, box.width, _BAR_ROW)
        _bar(canvas, row, panel, name, value, value / highest)


def nothing(panel: Panel) -> str:
    """What the panel shows when there is no series."""
    return str(panel.raw.get("fieldConfig", {}).get("defaults", {}).get("noValue", "No data"))


def _large(canvas: Canvas, box: Box, text: str, color: str) -> None:
    size = canvas.largest(text, box.width - 2 * PADDING, _LARGEST, is_bold=True)
    canvas.write(box.x + box.width / 2, box.y + box.height / 2, text, size, color, "center", is_bold=True)


def _bar(canvas: Canvas, row: Box, panel: Panel, name: str, value: float, share: float) -> None:
    seen = appearance(panel, name)
    text = seen.text(value)
    left, right = row.width * _NAMES_SHARE, max(70.0, canvas.length(text, NORMAL, is_bold=True) + 12)
    middle = row.y + row.height / 2
    canvas.write(row.x + left - 8, middle, canvas.cut(name, left - 12, SMALL), SMALL, align="right")
    track = Box(row.x + left, row.y + 4, row.width - left - right, row.height - 8)
    canvas.fill(track, UNFILLED)
    canvas.fill(Box(track.x, track.y, track.width * min(1.0, max(0.0, share)), track.height), seen.color(value))
    canvas.write(track.x + track.width + 8, middle, text, NORMAL, seen.color(value), is_bold=True)
