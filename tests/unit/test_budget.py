"""The budget of writes: fair among groups, and never in the way of what something waits for."""

from collections import Counter

import pytest

from taskgroup.loops.budget import GUARANTEED_SHARE, WriteBudget

RATE = 50
SECONDS = 20


def play(budget: WriteBudget, greed: dict[str, int], urgent: int = 0) -> Counter[str]:
    """Groups ask as often as they like (times a second) for some seconds; returns who wrote how often."""
    writes = Counter[str]()
    for step in range(SECONDS * 100):
        now = 1000.0 + step / 100
        if step % 100 < urgent:
            budget.spend("ended", now)
        for who, often in greed.items():
            if step % (100 // often) == 0 and budget.wait(who, now) == 0:
                writes[who] += 1
    return writes


def test_alone_a_group_never_waits() -> None:
    budget = WriteBudget(RATE)

    assert [budget.wait("a", float(second)) for second in range(5)] == [0.0] * 5


def test_all_groups_together_stay_within_it() -> None:
    writes = play(WriteBudget(RATE), {f"group-{number}": 10 for number in range(200)})

    assert RATE * SECONDS * 0.95 <= writes.total() <= RATE * SECONDS * 1.05


def test_each_group_gets_its_turn_however_often_it_asks() -> None:
    eager = {f"eager-{number}": 100 for number in range(50)}
    calm = {f"calm-{number}": 4 for number in range(100)}

    writes = play(WriteBudget(RATE), eager | calm)

    assert max(writes.values()) - min(writes[who] for who in eager | calm) <= 2


def test_what_cannot_wait_goes_first_and_the_rest_shares_what_is_left() -> None:
    writes = play(WriteBudget(RATE), {f"group-{number}": 10 for number in range(20)}, urgent=30)

    assert writes.total() == pytest.approx((RATE - 30) * SECONDS, rel=0.1)


def test_a_storm_of_ends_does_not_stop_progress_for_ever() -> None:
    writes = play(WriteBudget(RATE), {f"group-{number}": 10 for number in range(20)}, urgent=100)

    assert writes.total() == pytest.approx(RATE * GUARANTEED_SHARE * SECONDS, rel=0.2)


def test_whoever_ended_does_not_keep_its_place() -> None:
    budget = WriteBudget(1)
    assert budget.wait("a", 0.0) == 0
    left = budget.wait("b", 0.0)
    assert left > 0

    budget.spend("b", left / 2)

    assert budget.wait("b", left) > 0


def test_places_that_nobody_comes_for_are_forgotten() -> None:
    budget = WriteBudget(RATE)
    for number in range(1000):
        budget.wait(f"deleted-{number}", 0.0)

    budget.wait("a", 1000.0)

    assert len(budget._slots) <= 1  # noqa: SLF001
