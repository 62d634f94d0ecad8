"""A table of measured figures and their goals, which decides the exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One goal: the ratio of the TaskGroup's figure to Celery's."""

    name: str
    task_group: str
    celery: str
    ratio: float
    goal: float
    at_least: bool
    """Whether the goal is the least ratio, or else the highest."""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal


@dataclass(frozen=True, slots=True)
class Bound:
    """One goal without a comparison: the highest value of a figure."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.limit


def rates(name: str, task_group: Sequence[float], celery: Sequence[float], goal: float) -> Figure:
    """Compare medians of items per second; `goal` is the least multiple of Celery's rate."""
    first, second = median(task_group), median(celery)
    return Figure(name, f"{first:,.0f}/s", f"{second:,.0f}/s", first / second, goal, at_least=True)


def times(name: str, task_group: Sequence[float], celery: Sequence[float], goal: float) -> Figure:
    """Compare medians of seconds; `goal` is the highest fraction of Celery's time."""
    first, second = median(task_group), median(celery)
    return Figure(name, f"{first:.2f} s", f"{second:.2f} s", first / second, goal, at_least=False)


def show(title: str, figures: Sequence[Figure]) -> int:
    """Print the table and return the exit code, 1 when a goal is missed."""
    _print(title, [("what", "TaskGroup", "Celery", "ratio", "goal", "outcome"), *map(_row, figures)])
    return 0 if all(figure.met for figure in figures) else 1


def show_bounds(title: str, bounds: Sequence[Bound]) -> int:
    """As `show`, for bounds."""
    rows = [
        (bound.name, f"{bound.value:,.0f} {bound.unit}", f"≤ {bound.limit:,.0f} {bound.unit}", _outcome(bound.met))
        for bound in bounds
    ]
    _print(title, [("what", "found", "goal", "outcome"), *rows])
    return 0 if all(bound.met for bound in bounds) else 1


def _print(title: str, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n{title}\n")
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _outcome(met: bool) -> str:
    return "reached" if met else "MISSED"


def _row(figure: Figure) -> tuple[str, ...]:
    goal = f"{'≥' if figure.at_least else '≤'} {figure.goal:g}x"
    return figure.name, figure.task_group, figure.celery, f"{figure.ratio:.2f}x", goal, _outcome(figure.met)
