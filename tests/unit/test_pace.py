"""The pace of a group: what `rate` and `estimatedCompletionTime` say, and when they say nothing."""

import pytest
from pyroaring import FrozenBitMap

from support.builders import NOW, ledger, look, running, spec
from taskgroup.core.completions import Completions
from taskgroup.core.groups.observed import Carried
from taskgroup.core.groups.pace import ENOUGH, Pace, later, rate_text
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger


def books(total: int, ended: int, ran_seconds: float) -> Ledger:
    return Ledger(total=total, succeeded=full(ended), ran_seconds=ran_seconds)


def watched(arrivals: list[int], *, total: int, every: float = 1.0, ran_before: float = 0.0) -> Pace:
    pace, ended = later(Pace(), books(total, 0, ran_before), 0, NOW), 0
    for step, arrived in enumerate(arrivals, start=1):
        ended += arrived
        pace = later(pace, books(total, ended, ran_before + step * every), arrived, NOW + step * every)
    return pace


def test_a_steady_pace_is_told_as_it_is() -> None:
    pace = watched([10] * 60, total=1000)

    assert pace.rate == pytest.approx(10, rel=0.05)
    assert pace.estimate == pytest.approx(NOW + 60 + 400 / 10, abs=3)


def test_it_follows_a_change_within_two_minutes() -> None:
    """As when more workers come: an average since the start would lag behind for hours."""
    slow_then_fast = watched([1] * 600 + [50] * 120, total=100_000)

    assert slow_then_fast.rate == pytest.approx(50, rel=0.2)


def test_long_tasks_that_end_in_bursts_are_told_by_the_whole_run() -> None:
    """Four ends at once after ten minutes are not four a minute."""
    bursts = ([0] * 599 + [4]) * 3

    pace = watched(bursts, total=40)

    assert sum(bursts) < ENOUGH
    assert pace.rate == pytest.approx(12 / 1800, rel=0.01)
    assert pace.estimate == pytest.approx(NOW + 1800 + 28 / (12 / 1800), abs=2)


def test_nothing_is_told_before_an_item_has_ended() -> None:
    pace = watched([0] * 100, total=10)

    assert (pace.rate, pace.estimate) == (None, None)


def test_it_stays_until_the_next_end_and_goes_when_it_was_wrong() -> None:
    """Else the status of a group of long tasks would change at every look."""
    pace = watched([10] * 60, total=700)
    assert pace.estimate is not None

    assert later(pace, books(700, 600, 65), 0, NOW + 65).estimate == pace.estimate
    late = later(pace, books(700, 600, 200), 0, pace.estimate + 1)
    assert (late.rate, late.estimate) == (None, None)


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (1234.5, "1234/s"),
        (12.4, "12/s"),
        (1.25, "1.2/s"),
        (1.0, "1/s"),
        (0.125, "7.5/min"),
        (0.001, "3.6/h"),
        (0, "0/h"),
    ],
)
def test_a_rate_is_said_as_people_say_it(rate: float, text: str) -> None:
    assert rate_text(rate) == text


def test_the_status_shows_it_and_a_suspended_group_does_not() -> None:
    seen = running(spec(100), ledger(100, dispatched=100, succeeded=full(50)))
    pace = Pace(at=NOW - 1, items=60, seconds=50, rate=1, estimate=NOW + 50)
    carried = Carried(pace=pace)
    more = Completions(FrozenBitMap([50]))

    status = look(seen, carried=carried, completions=more).status
    assert status.rate == "1.2/s"
    assert status.estimated_completion_time

    halted = look(seen, spec=spec(suspend=True), carried=carried).status
    assert (halted.rate, halted.estimated_completion_time) == (None, None)


def test_at_the_end_there_is_none() -> None:
    seen = running(ledger=ledger(2, dispatched=2, succeeded=full(1)))
    status = look(seen, completions=Completions(FrozenBitMap([1]))).status

    assert (status.rate, status.estimated_completion_time) == (None, None)
