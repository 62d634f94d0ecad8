"""Draws panels that show values over time: lines, stacked areas or bars, with limits and with marks of events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from dashboards.drawing.appearance import appearance, series_color
from dashboards.drawing.canvas import Box, Canvas
from dashboards.drawing.figures import nothing
from dashboards.drawing.naming import series_name
from dashboards.drawing.theme import BORDER, FAINT, GRID, SMALL, color_of
from dashboards.drawing.units import shown, ticks
from dashboards.prometheus import Series
from dashboards.queries import Answer, Panel
from dashboards.substitution import Window
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

_LEFT, _BOTTOM, _LEGEND_ROW, _LEGEND_ROWS = 64, 20, 18, 2
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_TICK_ROOM = 95
_BELOW = 0.015
"""Part of the height that is left below the lowest value."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """One series on the steps of the graph; nan where it has no value."""

    name: str
    color: str
    values: Values


def draw_graph(
    canvas: Canvas,
    box: Box,
    panel: Panel,
    answers: tuple[Answer, ...],
    window: Window,
    events: Mapping[str, Sequence[float]],
) -> None:
    """The graph and its legend. `events` are times of marks by colour."""
    times = np.arange(window.start, window.end + 1e-6, window.step)
    lines = _lines(panel, answers, times, window.step)
    legend = _legend(canvas, box, [(line.name, line.color) for line in lines])
    place = box.inside(_LEFT, 6, 8, _BOTTOM + legend)
    axes = canvas.axes(place)
    _frame(axes, panel, window, int(place.width / _TICK_ROOM))
    custom = panel.raw["fieldConfig"]["defaults"].get("custom") or {}
    if not lines:
        axes.text(
            0.5, 0.5, nothing(panel), color=FAINT, size=SMALL + 1, ha="center", va="center", transform=axes.transAxes
        )
    elif custom.get("drawStyle") == "bars":
        _bars(axes, times, lines, window.step)
    elif (custom.get("stacking") or {}).get("mode") == "normal":
        _areas(axes, times, lines)
    else:
        _plain(axes, times, lines)
    _scale(axes, panel, has_values=bool(lines))
    for color, at in events.items():
        for time in at:
            axes.axvline(time, color=color_of(color), linewidth=1.2, linestyle=(0, (3, 2)), alpha=0.9)


def _lines(panel: Panel, answers: tuple[Answer, ...], times: Values, step: float) -> list[Line]:
    found = [(series_name(answer.target, series), series) for answer in answers for series in answer.series]
    lines = [
        Line(name, series_color(panel, name, index), _on(times, series, step))
        for index, (name, series) in enumerate(found)
    ]
    return [line for line in lines if not np.isnan(line.values).all()]


def _on(times: Values, series: Series, step: float) -> Values:
    values = np.full(len(times), np.nan)
    for time, value in series.points:
        index = round((time - times[0]) / step)
        if 0 <= index < len(times):
            values[index] = value
    return values


def _plain(axes: Axes, times: Values, lines: list[Line]) -> None:
    for line in lines:
        axes.plot(times, line.values, color=line.color, linewidth=1.8, solid_joinstyle="round")
        # A line of one point would not be seen.
        alone = _is_alone(line.values)
        axes.plot(times[alone], line.values[alone], ".", color=line.color, markersize=4)
        if len(lines) <= 2:
            axes.fill_between(times, line.values, color=line.color, alpha=0.1, linewidth=0)


def _is_alone(values: Values) -> NDArray[np.bool_]:
    there = ~np.isnan(values)
    before, after = np.r_[False, there[:-1]], np.r_[there[1:], False]
    return np.asarray(there & ~before & ~after)


def _areas(axes: Axes, times: Values, lines: list[Line]) -> None:
    below = np.zeros(len(times))
    for line in lines:
        above = below + np.nan_to_num(line.values)
        there = ~np.isnan(line.values)
        axes.fill_between(times, below, above, where=there, color=line.color, alpha=0.55, linewidth=0)
        alone = _is_alone(line.values)
        axes.vlines(times[alone], below[alone], above[alone], color=line.color, linewidth=3, alpha=0.6)
        below = above


def _bars(axes: Axes, times: Values, lines: list[Line], step: float) -> None:
    below = np.zeros(len(times))
    for line in lines:
        height = np.nan_to_num(line.values)
        axes.bar(times, height, width=step * 0.8, bottom=below, color=line.color, alpha=0.85, align="center")
        below = below + height


def _frame(axes: Axes, panel: Panel, window: Window, most_ticks: int) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(BORDER)
    axes.tick_params(colors=FAINT, labelsize=SMALL, length=0, pad=4)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlim(window.start, window.end)
    distance = next((step for step in _STEPS if window.seconds / step <= most_ticks), _STEPS[-1])
    first = np.ceil((window.start + window.seconds * 0.05) / distance) * distance
    # A label at the very end would stand out of the panel, one at the very beginning over those of the other axis.
    axes.set_xticks(np.arange(first, window.end - window.seconds * 0.025, distance))
    pattern = "%H:%M:%S" if distance < 60 else "%H:%M" if window.seconds <= 86_400 else "%m-%d %H:%M"
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: datetime.fromtimestamp(time, UTC).strftime(pattern)))
    unit = appearance(panel, "").unit
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, unit)))


def _scale(axes: Axes, panel: Panel, *, has_values: bool) -> None:
    """The axis holds what the settings say; a limit far above all values does not press them flat."""
    defaults = panel.raw["fieldConfig"]["defaults"]
    low, high = axes.get_ylim()
    low = defaults.get("min", low) if defaults.get("min") is not None else low
    if not has_values or axes.dataLim.y1 <= low:
        high = low + 1
    high = defaults["max"] * 1.02 if defaults.get("max") is not None else high + 0.04 * (high - low)
    # A line of zeros lies above the axis, where it is seen.
    axes.set_ylim(low - _BELOW * (high - low), high)
    axes.set_yticks(ticks(low, high, appearance(panel, "").unit, only_whole=defaults.get("decimals") == 0))
    for value, color in appearance(panel, "").limits:
        if value <= high:
            axes.axhline(value, color=color_of(color), linewidth=1.2, linestyle="--", alpha=0.9)


def _legend(canvas: Canvas, box: Box, names: list[tuple[str, str]]) -> float:
    """Names with their colours in up to two rows at the bottom; how high they are."""
    rows = _wrapped(canvas, names, box.width - 16)
    shown_rows = rows[:_LEGEND_ROWS]
    left_out = sum(map(len, rows[_LEGEND_ROWS:]))
    height = _LEGEND_ROW * len(shown_rows)
    for number, row in enumerate(shown_rows):
        x, y = box.x + 10, box.y + box.height - height + number * _LEGEND_ROW + _LEGEND_ROW / 2
        for name, color in row:
            canvas.fill(Box(x, y - 2, 14, 4), color)
            canvas.write(x + 19, y, name, SMALL)
            x += _needed(canvas, name)
        if left_out and row is shown_rows[-1]:
            canvas.write(x, y, f"+ {left_out}", SMALL, FAINT)
    return float(height)


def _wrapped(canvas: Canvas, names: list[tuple[str, str]], room: float) -> list[list[tuple[str, str]]]:
    rows: list[list[tuple[str, str]]] = []
    used = room
    for name, color in dict(names).items():
        needed = _needed(canvas, name)
        if used + needed > room:
            rows.append([])
            used = 0.0
        rows[-1].append((name, color))
        used += needed
    return rows


def _needed(canvas: Canvas, name: str) -> float:
    return 19 + canvas.length(name, SMALL) + 16
