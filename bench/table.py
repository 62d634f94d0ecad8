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
    head = ("what", "TaskGroup", "Celery", "ratio", "goal", "outcome")
    rows = [head, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0 if all(figure.met for figure in figures) else 1


def _row(figure: Figure) -> tuple[str, ...]:
    goal = f"{'≥' if figure.at_least else '≤'} {figure.goal:g}x"
    outcome = "reached" if figure.met else "MISSED"
    return figure.what, figure.ours, figure.celery, f"{figure.ratio:.2f}x", goal, outcome
