"""The committed dashboards as somebody reads them: one dashboard, its choices, and a moment."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isnan

from dashboards.drawing.naming import series_name
from dashboards.drawing.tables import Cell, merged, organized
from dashboards.prometheus import Prometheus, Series
from dashboards.queries import Answer, Dashboard, Panel, Target, answer, chosen, read_all
from dashboards.substitution import Values, Window

DASHBOARDS = {dashboard.name: dashboard for dashboard in read_all()}
Shown = dict[str, float]
"""Names of series, as in a legend, to their values."""


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard whose range of time ends at the moment of interest."""

    dashboard: Dashboard
    prometheus: Prometheus
    values: Values

    def shows(self, title: str) -> Shown:
        """What a panel shows at the end, by the names of its series; AssertionError when a query fails."""
        panel, window = self._panel(title), self.values.window
        return _by_name(self._at(panel, target, self.values, window.end) for target in panel.targets)

    def figure(self, title: str) -> float:
        """Of a panel that shows one number."""
        (value,) = self.shows(title).values()
        return value

    def grown(self, title: str) -> Shown:
        """What the graph of a counter would show if one step of it were the whole range of time."""
        panel, window = self._panel(title), self.values.window
        whole = replace(self.values, window=replace(window, scrape_seconds=window.seconds))
        return _by_name(self._at(panel, target, whole, window.end) for target in panel.targets)

    def area(self, title: str) -> float:
        """Below all lines of a graph, over the whole range of time: items, where it shows items per second."""
        panel, window = self._panel(title), self.values.window
        queries = (self.values.fill(target.expression) for target in panel.targets)
        found = (self.prometheus.over(query, window.start, window.end, window.step) for query in queries)
        values = (value for answers in found for series in answers for _, value in series.points)
        return window.step * sum(value for value in values if not isnan(value))

    def rows(self, title: str) -> dict[str, dict[str, Cell]]:
        """The rows of a table of groups, by the group's name."""
        panel = self._panel(title)
        found = tuple(answer(panel, target, self.prometheus, self.values) for target in panel.targets)
        assert not [failed.error for failed in found if failed.error]
        return {str(row["TaskGroup"]): row for row in organized(panel, merged(found))[1]}

    def _panel(self, title: str) -> Panel:
        (panel,) = [panel for panel in self.dashboard.panels if panel.title == title and panel.targets]
        return panel

    def _at(self, panel: Panel, target: Target, values: Values, time: float) -> Answer:
        query = values.fill(target.expression)
        return Answer(panel, target, query, self.prometheus.at(query, time))


def board(name: str, prometheus: Prometheus, window: Window, **wanted: str) -> Board:
    """The dashboard of this name, with these choices and Grafana's own for the rest."""
    dashboard = DASHBOARDS[name]
    return Board(dashboard, prometheus, chosen(dashboard, prometheus, window, wanted))


def histories(board: Board) -> Iterator[tuple[Panel, Target, tuple[Series, ...]]]:
    """Every query of every panel over the whole time, also of panels that show one moment only."""
    window = board.values.window
    for panel in board.dashboard.panels:
        for target in panel.targets:
            query = board.values.fill(target.expression)
            yield panel, target, board.prometheus.over(query, window.start, window.end, window.step)


def _by_name(answers: Iterator[Answer]) -> Shown:
    return {series_name(found.target, series): series.last for found in answers for series in found.series}
