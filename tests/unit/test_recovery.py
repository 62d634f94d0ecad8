"""What vanished messages, dead workers and lost data lead to."""

from types import MappingProxyType
from typing import Any

import pytest

from support.builders import (
    NOW,
    UID,
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
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.core.exchange import MAX_LOSSES, View
from taskgroup.core.groups.observed import Observed, Suspicion
from taskgroup.core.groups.plan import MarkMissing, Open, Redispatch, Search
from taskgroup.core.groups.recovery import (
    HOPELESS,
    MAX_MISSED,
    SEARCH_SECONDS,
    after_data_loss,
    give_up,
    mark_missing,
    missing,
    poison,
    search,
)
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.ledger import Ledger
from taskgroup.core.task_id import TaskId

IN_FLIGHT = indexes(range(4))


def group(books: Ledger | None = None, **fields: Any) -> Observed:
    return running(spec(100), books or ledger(100), **fields)


def searched(*absent: Indexes, apart: float = SEARCH_SECONDS) -> Observed:
    suspicions = tuple(Suspicion(NOW + number * apart, members) for number, members in enumerate(absent))
    return running(suspicions=suspicions)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (searched(), NONE),
        (searched(indexes(1)), NONE),
        (searched(indexes(1, 2), indexes(2, 3)), indexes(2)),
        (searched(indexes(2, 9), indexes(2, 9)), indexes(2)),
        (searched(indexes(2), indexes(2), apart=SEARCH_SECONDS - 1), NONE),
    ],
    ids=["never", "once", "twice", "not in flight", "too soon"],
)
def test_missing_is_what_was_nowhere_twice(seen: Observed, expected: Indexes) -> None:
    assert missing(seen, IN_FLIGHT) == expected


def test_looks_for_items_when_fewer_are_held_than_are_in_flight() -> None:
    seen = running(queue=queue(1, 2))

    assert search(seen, IN_FLIGHT, NOW + SEARCH_SECONDS - 1) == (), "not at the start: messages are on their way"
    assert search(seen, IN_FLIGHT, NOW + SEARCH_SECONDS) == (Search(),)


@pytest.mark.parametrize(
    "seen",
    [
        running(queue=queue(2, 2)),
        running(queue=None),
        running(queue=queue(1), suspicions=(Suspicion(NOW + 1, NONE),)),
        running(queue=queue(1), completions=completions([0])),
        running(queue=queue(1), view=None),
        running(queue=queue(1), view=view(current=False)),
    ],
    ids=["all are held", "no broker", "looked just now", "something ended", "no view", "the view may miss a pod"],
)
def test_does_not_look_without_need_or_without_knowing_all_pods(seen: Observed) -> None:
    assert search(seen, IN_FLIGHT, NOW + SEARCH_SECONDS) == ()


def test_nothing_in_flight_is_nothing_to_look_for() -> None:
    assert search(running(), NONE, NOW + SEARCH_SECONDS) == ()


def test_a_running_group_looks_for_what_vanished() -> None:
    seen = group(ledger(100, dispatched=81), queue=queue(0, 6))

    assert only(look(seen, NOW + SEARCH_SECONDS), Search) == [Search()]
    assert look(seen, NOW + 1).wake_after <= SEARCH_SECONDS


def test_a_missing_item_is_dispatched_again_under_its_id() -> None:
    books, actions = mark_missing(ledger(dispatched=4), indexes(2), work(), NOW)

    assert actions == (MarkMissing(indexes(2)),)
    assert not books.missed, "it counts once it was done, not once it was planned"
    assert dict(books.marked_missing(indexes(2)).missed) == {2: 1}
    assert books.attempts.get(2, 0) == 0


def test_after_too_many_times_it_is_lost() -> None:
    books = ledger(dispatched=4, missed=MappingProxyType({1: MAX_MISSED, 2: MAX_MISSED - 1}))

    books, actions = mark_missing(books, indexes(1, 2), work(), NOW)

    assert actions == (MarkMissing(indexes(2)),)
    assert books.failed == indexes(1)
    assert [group.failure for group in books.failures] == [HOPELESS]


def test_items_that_were_nowhere_twice_are_dispatched_again() -> None:
    suspicions = (Suspicion(NOW - 11, indexes(3, 4)), Suspicion(NOW, indexes(4, 5)))
    seen = group(ledger(100, dispatched=10), suspicions=suspicions)

    plan = look(seen)
    assert only(plan, MarkMissing) == [MarkMissing(indexes(4))]
    assert not plan.ledger.missed

    assert look(seen, queue=None).actions == (), "the broker has to be told of it"


def test_a_last_item_that_never_came_back_ends_the_group() -> None:
    books = ledger(100, dispatched=100, succeeded=indexes(range(99)), missed=MappingProxyType({99: MAX_MISSED}))
    suspicions = (Suspicion(NOW - 11, indexes(99)), Suspicion(NOW, indexes(99)))

    plan = look(group(books), suspicions=suspicions)

    assert said(plan.status, ConditionType.FAILURE_TARGET) == ("True", Reason.FAILED_INDEXES)
    assert (plan.status.active, plan.status.pending, plan.status.failed) == (0, 0, 1)
    assert [(failure.reason, failure.indexes) for failure in plan.status.failures or ()] == [(Reason.LOST, "99")]


def given_up(*items: TaskId) -> View:
    return view(given_up=frozenset(items))


@pytest.mark.parametrize(
    ("items", "failed"),
    [
        ((TaskId(UID, 1),), indexes(1)),
        ((TaskId(UID, 2, 1), TaskId(UID, 1)), indexes(1, 2)),
        ((TaskId(UID, 2),), NONE),
        ((TaskId(UID, 1, 1),), NONE),
        ((TaskId(UID, 0),), NONE),
        ((TaskId(UID, 99),), NONE),
        ((TaskId(UID, 9_999_999_999), TaskId(UID, 1)), indexes(1)),
        ((), NONE),
    ],
    ids=[
        "first attempt",
        "newest attempts",
        "an older attempt",
        "a later attempt",
        "ended",
        "no item",
        "no number",
        "none",
    ],
)
def test_an_item_is_given_up_for_the_attempt_that_the_ledger_has(items: tuple[TaskId, ...], failed: Indexes) -> None:
    books = ledger(dispatched=5, succeeded=indexes(0), attempts=MappingProxyType({2: 1}))

    result = give_up(books, running(view=given_up(*items)), NOW)

    assert result.failed == failed
    assert all(group.failure == poison(MAX_LOSSES) for group in result.failures)
    assert failed or result == books


def test_without_a_view_nothing_is_given_up() -> None:
    books = ledger(dispatched=5)

    assert give_up(books, running(view=None), NOW) is books


def test_an_item_that_the_pool_gave_up_counts_once_and_is_told() -> None:
    seen = group(ledger(100, dispatched=5), queue=queue(4), view=given_up(TaskId(UID, 3)))

    plan = look(seen)
    assert plan.ledger.failed == indexes(3)
    assert (plan.status.active, plan.status.pending, plan.status.failed) == (4, 95, 1)
    assert [event.reason for event in plan.events] == [EventReason.ITEM_FAILED]
    assert "4 workers died while they ran it." in plan.events[0].message

    again = look(after(seen, plan))
    assert again.ledger.failures == plan.ledger.failures
    assert again.events == ()


def test_a_result_that_arrived_counts_more_than_the_pool_s_word() -> None:
    seen = group(ledger(100, dispatched=5), view=given_up(TaskId(UID, 3)), completions=completions([3]))

    assert (look(seen).ledger.succeeded, look(seen).ledger.failed) == (indexes(3), NONE)
    late = look(after(seen, look(seen, completions=completions())), completions=completions([3]))
    assert (late.ledger.succeeded, late.ledger.failed, late.ledger.failures) == (indexes(3), NONE, ())


def test_a_last_item_that_the_pool_gave_up_ends_the_group() -> None:
    books = ledger(100, dispatched=100, succeeded=indexes(range(99)))

    plan = look(group(books, view=given_up(TaskId(UID, 99))))

    assert said(plan.status, ConditionType.FAILURE_TARGET) == ("True", Reason.FAILED_INDEXES)


def test_lost_data_make_a_new_attempt_of_what_was_in_flight_and_leave_the_rest() -> None:
    books = ledger(10, dispatched=6, succeeded=indexes(0), returned=indexes(3), attempts=MappingProxyType({2: 1}))

    lost = after_data_loss(books, indexes(range(6)), "new")

    assert lost.nonce == "new"
    assert lost.returned == indexes(range(1, 6))
    assert dict(lost.attempts) == {1: 1, 2: 2, 3: 1, 4: 1, 5: 1}
    assert dict(lost.cursors) == {0: 6}
    assert lost.succeeded == indexes(0)


@pytest.mark.parametrize("nonce", [None, "other"])
def test_lost_data_are_told_and_what_was_in_flight_gets_a_new_attempt(nonce: str | None) -> None:
    plan = look(group(ledger(100, dispatched=5, succeeded=indexes(0))), queue=queue(nonce=nonce), fresh_nonce="new")

    assert (plan.actions, plan.save) == ((Open(),), True)
    assert plan.ledger.nonce == "new"
    assert dict(plan.ledger.attempts) == dict.fromkeys(range(1, 5), 1)
    assert [(event.reason, event.warning) for event in plan.extra_events] == [(EventReason.DATA_LOST, True)]
    assert "4 items that had not ended are dispatched again" in plan.extra_events[0].message
    assert (plan.status.active, plan.status.pending, plan.status.succeeded) == (0, 99, 1)

    following = look(after(group(), plan, queue=queue(nonce="new")))
    assert only(following, Redispatch) == [Redispatch(indexes(range(1, 5)))]


def test_lost_data_are_no_loss_when_nothing_was_dispatched() -> None:
    plan = look(group(ledger(100)), queue=queue(nonce=None))

    assert (plan.actions, plan.events, plan.extra_events) == ((Open(),), (), ())
