"""A running group: what it counts, saves and waits for, until its end."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    NONCE,
    NOW,
    after,
    completions,
    indexes,
    ledger,
    look,
    only,
    queue,
    running,
    said,
    spec,
    view,
    work,
)
from taskgroup.api.names import ConditionType, Reason
from taskgroup.core.groups.observed import Carried, Observed, Window
from taskgroup.core.groups.plan import Dispatch, Open
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger

SUSPENDED = spec(100, suspend=True)


def group(books: Ledger | None = None, **fields: Any) -> Observed:
    return running(spec(100), books or ledger(100), **fields)


def test_the_ledger_is_saved_before_the_state_in_the_broker_is_made() -> None:
    plan = look(group(replace(ledger(100), nonce="")), queue=queue(nonce=None))

    assert (plan.actions, plan.save) == ((Open(),), True)
    assert plan.ledger.nonce == NONCE
    assert plan.wake_after == 0


def test_what_ended_is_counted_and_no_more_shown() -> None:
    seen = group(ledger(100, dispatched=81), queue=queue(1, 4), completions=completions(range(70), [70]))

    plan = look(seen)

    assert (plan.ledger.succeeded, plan.ledger.failed) == (full(70), indexes(70))
    assert plan.counted == seen.completions
    assert not after(seen, plan).completions


def test_ignored_results_are_deleted_once_counted() -> None:
    template = {"task": "shop.send", "options": {"ignoreResult": True}}
    seen = running(spec(100, template=template), ledger(100, dispatched=9, succeeded=indexes(0)))

    assert look(seen, completions=completions([0, 1, 2], [3])).forget == indexes(1, 2)
    assert look(group(), completions=completions([0, 1])).forget == indexes()


def test_ignored_results_of_the_last_items_are_deleted_too() -> None:
    template = {"task": "shop.send", "options": {"ignoreResult": True}}
    seen = running(spec(3, template=template), ledger(3, dispatched=3, succeeded=indexes(0)))

    plan = look(seen, completions=completions([1, 2]))
    assert (plan.transition, plan.forget) == (True, indexes(1, 2))


def test_what_ends_while_suspended_still_counts() -> None:
    plan = look(group(ledger(100, dispatched=2)), spec=SUSPENDED, completions=completions([0], [1]))

    assert (plan.status.succeeded, plan.status.failed) == (1, 1)


def test_resuming_is_told_before_anything_is_dispatched() -> None:
    """Suspended again at once, what was dispatched before would stay on the queue: it is withdrawn before the status
    says so."""
    seen = group(ledger(100))
    suspended = replace(seen, status=look(seen, spec=SUSPENDED).status)

    assert look(suspended).transition
    assert not look(replace(suspended, status=look(suspended).status)).transition


def test_the_clock_stands_while_suspended_and_both_moments_are_saved() -> None:
    limited, paused = spec(100, activeDeadlineSeconds=60), spec(100, activeDeadlineSeconds=60, suspend=True)
    seen = running(limited, ledger(100))

    stopped = look(seen, NOW + 20, spec=paused)
    assert stopped.save
    assert (stopped.ledger.ran_seconds, stopped.ledger.running_since) == (20, None)
    seen = after(replace(seen, spec=paused), stopped)
    assert not look(seen, NOW + 50).save

    resumed = look(seen, NOW + 500, spec=limited)
    assert resumed.save
    assert resumed.ledger.running_since == NOW + 500
    seen = after(replace(seen, spec=limited), resumed)
    assert not look(seen, NOW + 539).transition
    ended = look(seen, NOW + 540)
    assert said(ended.status, ConditionType.FAILURE_TARGET) == ("True", Reason.DEADLINE_EXCEEDED)


def test_a_lost_ledger_takes_the_running_time_from_the_start_of_the_group() -> None:
    assert look(group(replace(ledger(100), running_since=None)), NOW + 33).ledger.running_seconds(NOW + 33) == 33


def test_wakes_for_the_deadline() -> None:
    seen = running(spec(100, activeDeadlineSeconds=60), ledger(100))

    assert look(seen, NOW + 55).wake_after <= 5


def test_the_last_item_ends_the_group_and_nothing_else_is_done() -> None:
    plan = look(group(ledger(100, dispatched=100, succeeded=full(99))), completions=completions([99]))

    assert (plan.transition, plan.save, plan.actions) == (True, True, ())
    assert said(plan.status, ConditionType.SUCCESS_CRITERIA_MET) == ("True", Reason.COMPLETIONS_REACHED)


def test_appended_items_keep_the_group_going() -> None:
    longer = spec(120)
    seen = group(ledger(100, dispatched=100, succeeded=full(99)), completions=completions([99]))

    plan = look(seen, spec=longer, work=work(longer), view=view(5))

    assert not plan.transition
    assert plan.status.progress == "100/120"
    assert only(plan, Dispatch) == [Dispatch(0, 100, indexes(range(100, 120)))]


def test_the_status_soon_follows_what_was_dispatched_or_withdrawn() -> None:
    assert look(group()).wake_after <= 2
    withdrawn = look(group(ledger(100, dispatched=20), queue=queue(20)), spec=SUSPENDED)
    assert withdrawn.wake_after <= 2


@pytest.mark.parametrize(
    ("left", "rate", "near"),
    [(70, 100.0, True), (90, 100.0, False), (1, 0.0, False), (0, 0.0, False)],
    ids=["the rest ends soon", "too much is left", "nothing ends", "an empty group"],
)
def test_near_the_end_is_when_the_rest_ends_soon(left: int, rate: float, near: bool) -> None:
    """Also at a look at which nothing has just ended: such is the one that a due status wakes."""
    books = ledger(100, dispatched=100, succeeded=full(100 - left))
    carried = Carried(window=Window(rate=rate, at=NOW))

    assert look(running(spec(100), books), carried=carried).near_end == near


def test_the_rate_follows_what_ends() -> None:
    carried, now = Carried(), NOW
    for _ in range(50):
        carried = look(running(), now, carried=carried, completions=completions(range(8))).carried
        now += 0.1

    assert carried.window.rate == pytest.approx(80, rel=0.1)
    assert look(running(), now + 5, carried=carried).carried.window.rate < 1
