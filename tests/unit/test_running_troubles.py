"""A running group in trouble: tasks that no worker knows, workers that die, data that are lost."""

from types import MappingProxyType
from typing import Any

import pytest

from support.builders import (
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
    unknown_task,
    workers,
)
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.core.groups.observed import Observed, Suspicion
from taskgroup.core.groups.plan import ApplyWorkers, Dispatch, MarkMissing, Open, Redispatch, Renew, Requeue, Search
from taskgroup.core.groups.recovery import MAX_MISSED, SEARCH_SECONDS
from taskgroup.core.groups.unknown_task import CANARY_SECONDS
from taskgroup.core.ledger import Ledger

HELD = ledger(100, dispatched=10)


def group(books: Ledger | None = None, **fields: Any) -> Observed:
    return running(spec(100), books or ledger(100), **fields)


def held(now: float = NOW) -> Observed:
    """The look after a worker did not know the task; the items are back."""
    plan = look(group(HELD), now, completions=not_registered(*range(10)))
    return after(group(), plan, ledger=plan.ledger.renewed(dict.fromkeys(range(10), 1)))


def test_an_unknown_task_stops_the_dispatch_and_costs_no_attempt() -> None:
    plan = look(group(HELD), completions=not_registered(1, 2))

    assert [action for action in plan.actions if not isinstance(action, ApplyWorkers)] == [
        Renew(indexes(1, 2), "No worker knows the task 'shop.send'.")
    ]
    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)
    assert (plan.status.failed, plan.status.active, plan.status.pending) == (0, 8, 92)
    assert [event.reason for event in plan.events] == [EventReason.CONFIGURATION_INVALID]
    assert "use an image (spec.workers.image, spec.workers.app) whose app registers it" in plan.events[0].message


def test_after_a_while_one_item_is_tried() -> None:
    seen = held()
    assert only(look(seen, NOW + CANARY_SECONDS - 1), Redispatch) == []

    plan = look(seen, NOW + CANARY_SECONDS)
    assert only(plan, Redispatch) == [Redispatch(indexes(0))]
    assert only(plan, Dispatch) == []
    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)

    waiting = after(seen, plan, ledger=plan.ledger.redispatched(indexes(0)))
    assert only(look(waiting, NOW + 3 * CANARY_SECONDS), Redispatch) == [], "one at a time"


def test_an_operator_that_restarts_stays_held() -> None:
    assert said(look(held(), NOW + 1).status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)


@pytest.mark.parametrize("extra_events", [completions([0]), completions((), [0])], ids=["it succeeds", "it fails by itself"])
def test_once_the_task_is_known_everything_goes_on(extra_events: Any) -> None:
    plan = look(held(), NOW + CANARY_SECONDS, completions=extra_events)

    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("True", Reason.VALID)
    assert only(plan, Redispatch) == [Redispatch(indexes(range(1, 10)))]
    assert only(plan, Dispatch)


def test_a_dead_worker_s_items_go_back_and_vanished_ones_are_looked_for() -> None:
    members = (*pods("a"), *pods("b", ended=True))
    seen = group(ledger(100, dispatched=81), workers=workers(10, members=members), broker=broker(a=4, b=2))

    plan = look(seen, NOW + SEARCH_SECONDS)

    assert only(plan, Requeue) == [Requeue("b", 0, None, count_loss=True)]
    assert only(plan, Search) == [Search()]


def test_items_that_were_nowhere_twice_are_sent_again() -> None:
    suspicions = (Suspicion(NOW - 11, indexes(3, 4)), Suspicion(NOW, indexes(4, 5)))

    plan = look(group(ledger(100, dispatched=10)), suspicions=suspicions)

    assert only(plan, MarkMissing) == [MarkMissing(indexes(4))]
    assert not plan.ledger.missed


def test_a_last_item_that_is_given_up_ends_the_group() -> None:
    books = ledger(100, dispatched=100, succeeded=indexes(range(99)), missed=MappingProxyType({99: MAX_MISSED}))
    suspicions = (Suspicion(NOW - 11, indexes(99)), Suspicion(NOW, indexes(99)))

    plan = look(group(books), suspicions=suspicions)

    assert said(plan.status, ConditionType.FAILURE_TARGET) == ("True", Reason.FAILED_INDEXES)
    assert (plan.status.active, plan.status.pending, plan.status.failed) == (0, 0, 1)
    assert [(failure.reason, failure.indexes) for failure in plan.status.failures or ()] == [(Reason.LOST, "99")]


@pytest.mark.parametrize("nonce", [None, "other"])
def test_lost_data_are_told_and_what_was_out_gets_a_new_attempt(nonce: str | None) -> None:
    plan = look(group(ledger(100, dispatched=5, succeeded=indexes(0))), broker=broker(nonce=nonce), fresh_nonce="new")

    assert (plan.actions, plan.save) == ((Open(),), True)
    assert plan.ledger.nonce == "new"
    assert dict(plan.ledger.attempts) == dict.fromkeys(range(1, 5), 1)
    assert [(event.reason, event.warning) for event in plan.extra_events] == [(EventReason.DATA_LOST, True)]
    assert "4 items that had not ended are dispatched again" in plan.extra_events[0].message
    assert (plan.status.active, plan.status.pending, plan.status.succeeded) == (0, 99, 1)

    following = look(after(group(), plan, broker=broker(nonce="new")))
    assert only(following, Redispatch) == [Redispatch(indexes(range(1, 5)))]


def test_a_state_that_the_books_have_not_yet_is_adopted() -> None:
    """The operator died between the script and its answer, or the ledger was deleted."""
    plan = look(group(Ledger(cursors=MappingProxyType({0: 5}))), broker=broker(nonce="theirs"))

    assert plan.ledger.nonce == "theirs"
    assert dict(plan.ledger.attempts) == {}
    assert plan.events == ()
    assert plan.ledger.total == 100


def test_lost_data_are_no_loss_when_nothing_was_sent() -> None:
    plan = look(group(ledger(100)), broker=broker(nonce=None))

    assert (plan.actions, plan.events) == ((Open(),), ())


def test_a_hold_is_written_before_anything_else_is_done() -> None:
    """Only the status remembers it: unwritten, the next look would send everything again."""
    first = look(group(HELD), completions=not_registered(1))
    assert first.transition

    again = look(after(group(), first, ledger=HELD), completions=not_registered(2))
    assert not again.transition


def test_other_tasks_of_the_group_do_not_lift_the_hold() -> None:
    mixed = spec(tasks=[{"task": "good"} for _ in range(10)] + [{"task": "bad"} for _ in range(10)])
    seen = running(mixed, ledger(20, dispatched=20))
    plan = look(seen, completions=not_registered(15, 16, task="bad"))
    seen = after(seen, plan, ledger=plan.ledger.renewed({15: 1, 16: 1}), broker=broker(queued=18))

    still = look(seen, completions=completions([0, 1]))
    assert said(still.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)
    assert only(still, Redispatch) == []
    assert still.status.succeeded == 2

    lifted = look(seen, completions=completions([17]))
    assert said(lifted.status, ConditionType.CONFIGURATION_VALID) == ("True", Reason.VALID)
    assert only(lifted, Redispatch) == [Redispatch(indexes(15, 16))]


def test_the_item_that_is_tried_is_one_of_the_unknown_task() -> None:
    mixed = spec(tasks=[{"task": "good"} for _ in range(10)] + [{"task": "bad"} for _ in range(10)])
    seen = running(mixed, ledger(20, dispatched=20))
    plan = look(seen, completions=not_registered(15, task="bad"))
    books = (
        plan.ledger.renewed({15: 1}).withdrawn(indexes(3)).succeeded_with(indexes(0, 1, 2, range(4, 15), range(16, 20)))
    )

    tried = look(after(seen, plan, ledger=books), NOW + CANARY_SECONDS)

    assert only(tried, Redispatch) == [Redispatch(indexes(15))]


def test_items_of_other_tasks_do_not_keep_the_try_waiting() -> None:
    mixed = spec(tasks=[{"task": "good"}, {"task": "bad"}])
    seen = running(mixed, ledger(2, dispatched=2))
    plan = look(seen, completions=not_registered(1, task="bad"))
    seen = after(seen, plan, ledger=plan.ledger.renewed({1: 1}), broker=broker(a=1))

    assert only(look(seen, NOW + CANARY_SECONDS - 5), Redispatch) == []
    assert look(seen, NOW + CANARY_SECONDS - 5).wake_after <= 5
    assert only(look(seen, NOW + CANARY_SECONDS), Redispatch) == [Redispatch(indexes(1))]
