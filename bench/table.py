"""What was measured beside what was to be reached, in one small table that decides the exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One goal: what we reached against what Celery reached, as a ratio."""

    what: str
    ours: str
    celery: str
    ratio: float
    goal: float
    at_least: bool
    """Whether the ratio must reach the goal or stay within it."""

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal


@dataclass(frozen=True, slots=True)
class Bound:
    """One goal without a rival: a figure that must not be exceeded."""

    what: str
    found: float
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.found <= self.limit


def rates(what: str, ours: Sequence[float], celery: Sequence[float], goal: float) -> Figure:
    """Items per second: the medians, and how many times Celery's rate ours must be."""
    first, second = median(ours), median(celery)
    return Figure(what, f"{first:,.0f}/s", f"{second:,.0f}/s", first / second, goal, at_least=True)


def times(what: str, ours: Sequence[float], celery: Sequence[float], goal: float) -> Figure:
    """Seconds: the medians, and which part of Celery's time ours may take."""
    first, second = median(ours), median(celery)
    return Figure(what, f"{first:.2f} s", f"{second:.2f} s", first / second, goal, at_least=False)


def show(title: str, figures: Sequence[Figure]) -> int:
    """Print the table; the process's exit code: 1 when a goal was missed."""
    _print(title, [("what", "TaskGroup", "Celery", "ratio", "goal", "outcome"), *map(_row, figures)])
    return 0 if all(figure.met for figure in figures) else 1


def show_bounds(title: str, bounds: Sequence[Bound]) -> int:
    """As `show`."""
    rows = [
        (bound.what, f"{bound.found:,.0f} {bound.unit}", f"≤ {bound.limit:,.0f} {bound.unit}", _outcome(bound.met))
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
    return figure.what, figure.ours, figure.celery, f"{figure.ratio:.2f}x", goal, _outcome(figure.met)
