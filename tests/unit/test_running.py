"""A running group: what it sends, takes back and waits for, until its end."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import (
    NONCE,
    NOW,
    after,
    completions,
    broker,
    indexes,
    ledger,
    look,
    only,
    pods,
    running,
    said,
    spec,
    work,
    workers,
)
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.groups.observed import Observed, Pace, Trouble
from taskgroup.core.groups.plan import (
    ApplyWorkers,
    Dispatch,
    MarkPods,
    Open,
    Redispatch,
    Withdraw,
)
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger

SUSPENDED = spec(100, suspend=True)


def group(books: Ledger | None = None, **fields: Any) -> Observed:
    return running(spec(100), books or ledger(100), **fields)


def test_books_are_saved_before_the_state_in_redis_is_made() -> None:
    plan = look(group(replace(ledger(100), nonce="")), broker=broker(nonce=None))

    assert (plan.actions, plan.save) == ((Open(),), True)
    assert plan.ledger.nonce == NONCE
    assert plan.wake_after == 0


def test_workers_and_items_start_together() -> None:
    plan = look(group())

    assert only(plan, ApplyWorkers) == [ApplyWorkers(10, "100 items are left, 4 at once in a pod.")]
    assert only(plan, Dispatch) == [Dispatch(0, 0, indexes(range(81)))]


def test_parallelism_bounds_what_is_out() -> None:
    limited = running(spec(100, parallelism=7), ledger(100, dispatched=5))

    assert only(look(limited), Dispatch) == [Dispatch(0, 5, indexes(5, 6))]
    assert only(look(limited, ledger=ledger(100, dispatched=7)), Dispatch) == []


def test_what_waits_comes_back_once_when_parallelism_is_lowered() -> None:
    lowered = running(spec(100, parallelism=5), ledger(100, dispatched=50), broker=broker(queued=42, a=4, b=4))

    plan = look(lowered)
    assert only(plan, Withdraw) == [Withdraw(running=False, reason="spec.parallelism was lowered.")]
    assert only(plan, Dispatch) == []

    back = ledger(100, dispatched=50, returned=indexes(range(8, 50)))
    after = look(lowered, ledger=back, carried=plan.carried, broker=broker(queued=3, a=4, b=4))
    assert only(after, Withdraw) == [], "what is left on the queue are subtasks"
    assert only(after, Redispatch) == []

    fewer = look(lowered, ledger=replace(back, succeeded=indexes(range(6))), pace=after.pace, broker=broker(a=2))
    assert only(fewer, Redispatch) == [Redispatch(indexes(8, 9, 10))]


def test_nothing_is_withdrawn_while_parallelism_is_kept() -> None:
    within = running(spec(100, parallelism=50), ledger(100, dispatched=50), broker=broker(queued=42, a=8))

    assert only(look(within), Withdraw) == []


def test_nothing_is_sent_while_the_backend_is_away() -> None:
    away = Trouble(Reason.UNREACHABLE, "Start Redis.")

    assert only(look(group(), backend_trouble=away), Dispatch) == []
    assert look(group(), backend_trouble=away, broker=None).actions == ()


def test_ends_make_room_and_shrink_the_workers() -> None:
    busy = group(ledger(100, dispatched=81), workers=workers(10, members=pods("a", "b")), broker=broker(queued=1, a=4))

    plan = look(busy, completions=completions(range(70)))

    assert plan.ledger.succeeded == full(70)
    assert plan.consumed
    assert only(plan, MarkPods) == [MarkPods(("b",), ("a",))]
    assert only(plan, ApplyWorkers)[0].replicas == 8


def test_ignored_results_are_deleted_once_counted() -> None:
    template = {"task": "shop.send", "options": {"ignoreResult": True}}
    seen = running(spec(100, template=template), ledger(100, dispatched=9, succeeded=indexes(0)))

    assert look(seen, completions=completions([0, 1, 2], [3])).forget == indexes(1, 2)
    assert look(group(), completions=completions([0, 1])).forget == indexes()


def test_suspension_takes_back_what_waits_and_lets_run_what_runs() -> None:
    seen = group(ledger(100, dispatched=20), workers=workers(3, members=pods("a", "b", "c")), broker=broker(queued=18, a=2))

    plan = look(seen, spec=SUSPENDED)

    assert only(plan, Withdraw) == [Withdraw(running=False, reason="The group is suspended.")]
    assert only(plan, ApplyWorkers) == [ApplyWorkers(1, "The group is suspended.")]
    assert only(plan, MarkPods) == [MarkPods(("b", "c"), ("a",))]
    assert only(plan, Dispatch) == only(plan, Redispatch) == []


def test_suspended_and_idle_has_no_workers() -> None:
    seen = group(ledger(100, dispatched=20, returned=full(20)), workers=workers(1, members=pods("a")))

    assert look(seen, spec=SUSPENDED).actions == (ApplyWorkers(0, "The group is suspended."),)


def test_what_ends_while_suspended_still_counts() -> None:
    plan = look(group(ledger(100, dispatched=2)), spec=SUSPENDED, completions=completions([0], [1]))

    assert (plan.status.succeeded, plan.status.failed) == (1, 1)


def test_resuming_sends_what_was_taken_back_first() -> None:
    assert only(look(group(ledger(100, dispatched=20, returned=indexes(3, 4)))), Redispatch) == [Redispatch(indexes(3, 4))]


def test_resuming_is_told_before_anything_is_sent() -> None:
    """Suspended again at once, what was sent before would stay on the queue: it is taken back before the status."""
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


def test_lost_books_take_the_running_time_from_the_start_of_the_group() -> None:
    assert look(group(replace(ledger(100), running_since=None)), NOW + 33).ledger.running_seconds(NOW + 33) == 33


def test_wakes_for_the_deadline() -> None:
    seen = running(spec(100, activeDeadlineSeconds=60), ledger(100))

    assert look(seen, NOW + 55).wake_after <= 5


def test_the_last_item_ends_the_group_and_nothing_else_is_done() -> None:
    plan = look(group(ledger(100, dispatched=100, succeeded=full(99))), completions=completions([99]), workers=workers(1))

    assert (plan.transition, plan.save, plan.actions) == (True, True, ())
    assert said(plan.status, ConditionType.SUCCESS_CRITERIA_MET) == ("True", Reason.COMPLETIONS_REACHED)


def test_appended_items_keep_the_group_going() -> None:
    longer = spec(120)
    plan = look(
        group(ledger(100, dispatched=100, succeeded=full(99))), completions=completions([99]), spec=longer, work=work(longer)
    )

    assert not plan.transition
    assert plan.status.progress == "100/120"
    assert only(plan, Dispatch) == [Dispatch(0, 100, indexes(range(100, 120)))]


def test_the_status_soon_follows_what_was_sent_or_taken_back() -> None:
    assert look(group()).wake_after <= 2
    taken = look(group(ledger(100, dispatched=20), broker=broker(queued=20)), spec=SUSPENDED)
    assert taken.wake_after <= 2


@given(
    suspend=st.booleans(),
    queued=st.integers(0, 9),
    held_by_a=st.integers(0, 4),
    ended=st.booleans(),
    dispatched=st.integers(0, 12),
    extra_events=st.frozensets(st.integers(0, 11), max_size=5),
    nonce=st.sampled_from([NONCE, None, "other"]),
    status=st.sampled_from([None, "fresh"]),
)
def test_any_look_leads_to_a_plan(  # the function is total
    suspend: bool,
    queued: int,
    held_by_a: int,
    ended: bool,
    sent: int,
    extra_events: frozenset[int],
    nonce: str | None,
    status: str | None,
) -> None:
    seen = running(
        spec(12, suspend=suspend),
        ledger(12, dispatched=sent),
        broker=broker(queued=queued, nonce=nonce, a=held_by_a),
        workers=workers(2, members=pods("a", ended=ended)),
        completions=completions(extra_events),
    )
    seen = replace(seen, status=TaskGroupStatus()) if status is None else seen

    plan = reconcile(seen, NOW)

    assert plan == reconcile(seen, NOW), "the same look, the same plan"
    assert plan.wake_after >= 0
    if suspend:
        assert only(plan, Dispatch) == only(plan, Redispatch) == []


@pytest.mark.parametrize(
    ("left", "rate", "near"),
    [(70, 100.0, True), (90, 100.0, False), (1, 0.0, False), (0, 0.0, False)],
    ids=["the rest ends soon", "too much is left", "nothing ends", "an empty group"],
)
def test_near_the_end_is_when_the_rest_ends_soon(left: int, rate: float, near: bool) -> None:
    """Also at a look at which nothing has just ended: such is the one that a due status wakes."""
    books = ledger(100, dispatched=100, succeeded=full(100 - left))

    assert look(running(spec(100), books), pace=Pace(rate=rate, at=NOW)).near_end == near


def test_the_rate_follows_what_ends() -> None:
    pace, now = Pace(), NOW
    for _ in range(50):
        pace, now = look(running(), now, pace=pace, completions=completions(range(8))).pace, now + 0.1

    assert pace.rate == pytest.approx(80, rel=0.1)
    assert look(running(), now + 5, pace=pace).pace.rate < 1
