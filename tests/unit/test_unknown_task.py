"""A task that no worker knows: no attempt, no dispatch, and one item tried now and then."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    MIXED,
    NOW,
    after,
    completions,
    finished,
    indexes,
    ledger,
    look,
    not_registered,
    only,
    queue,
    running,
    said,
    spec,
    view,
)
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.spec import OnUnknownTask
from taskgroup.core.completions import Completions
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Dispatch, Redispatch, Renew, Skip
from taskgroup.core.groups.unknown_task import CANARY_SECONDS
from taskgroup.core.ledger import Ledger
from taskgroup.core.snapshot import decode, encode
from taskgroup.core.status.conditions import find

HELD = ledger(100, dispatched=10)


def group(books: Ledger | None = None, **fields: Any) -> Observed:
    return running(spec(100), books or ledger(100), **fields)


def held(now: float = NOW) -> Observed:
    """The look after a worker did not know the task; the items are back."""
    plan = look(group(HELD), now, completions=not_registered(*range(10)))
    return after(group(), plan, ledger=plan.ledger.renewed(dict.fromkeys(range(10), 1)))


def test_an_unknown_task_stops_the_dispatch_and_costs_no_attempt() -> None:
    plan = look(group(HELD), completions=not_registered(1, 2))

    assert plan.actions == (Renew(indexes(1, 2)),)
    assert plan.actions[0].reason == "No worker knows the task 'shop.send'."
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


def test_an_operator_that_restarts_goes_on_waiting() -> None:
    seen = held()
    restarted = running(spec(100), decode(encode(seen.ledger)), status=seen.status)

    plan = look(restarted, NOW + 1)

    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)
    assert plan.events == ()
    assert len(plan.actions) == 1, "one item is tried"
    assert only(plan, Redispatch) == [Redispatch(indexes(0))]


def test_the_message_of_the_condition_is_for_readers_only() -> None:
    """What the group knows stands in the ledger: a condition that somebody changed blocks and frees nothing."""
    seen = held()
    blank = group(seen.ledger)
    assert said(look(blank).status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)

    free = replace(seen, ledger=replace(seen.ledger, unknown_tasks=()))
    assert said(look(free).status, ConditionType.CONFIGURATION_VALID) == ("True", Reason.VALID)


@pytest.mark.parametrize("end", [completions([0]), completions((), [0])], ids=["it succeeds", "it fails by itself"])
def test_once_the_task_is_known_everything_goes_on(end: Completions) -> None:
    plan = look(held(), NOW + CANARY_SECONDS, completions=end)

    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("True", Reason.VALID)
    assert plan.save
    assert only(plan, Redispatch) == [Redispatch(indexes(range(1, 10)))]
    assert only(plan, Dispatch)


def test_a_newly_unknown_task_is_saved_before_anything_else_is_done() -> None:
    """Unsaved, the next operator would dispatch everything again in vain."""
    first = look(group(HELD), completions=not_registered(1))
    assert (first.save, first.transition) == (True, False)
    assert first.ledger.unknown_tasks == ("shop.send",)

    again = look(after(group(), first), completions=not_registered(2))
    assert (again.save, again.transition) == (False, False)


def test_other_tasks_of_the_group_do_not_lift_the_block() -> None:
    seen = running(MIXED, ledger(20, dispatched=20))
    plan = look(seen, completions=not_registered(15, 16, task="bad"))
    seen = after(seen, plan, ledger=plan.ledger.renewed({15: 1, 16: 1}), queue=queue(18))

    still = look(seen, completions=completions([0, 1]))
    assert said(still.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)
    assert only(still, Redispatch) == []
    assert still.status.succeeded == 2

    lifted = look(seen, completions=completions([17]))
    assert said(lifted.status, ConditionType.CONFIGURATION_VALID) == ("True", Reason.VALID)
    assert only(lifted, Redispatch) == [Redispatch(indexes(15, 16))]


def test_the_item_that_is_tried_is_one_of_the_unknown_task() -> None:
    seen = running(MIXED, ledger(20, dispatched=20))
    plan = look(seen, completions=not_registered(15, task="bad"))
    books = plan.ledger.renewed({15: 1}).withdrawn(indexes(3))
    books = books.succeeded_with(indexes(0, 1, 2, range(4, 15), range(16, 20)))

    tried = look(after(seen, plan, ledger=books), NOW + CANARY_SECONDS)

    assert only(tried, Redispatch) == [Redispatch(indexes(15)), Redispatch(indexes(3))]


def test_items_of_other_tasks_go_on() -> None:
    """One unknown task among twenty-one items halted the twenty others, which Celery alone would have run."""
    tasks = [{"task": "bad"}] + [{"task": "good"}, {"task": "bad"}] * 10
    seen = running(spec(tasks=tasks), ledger(21, dispatched=1), queue=queue(0, 1))
    plan = look(seen, completions=not_registered(0, task="bad"))
    seen = after(seen, plan, ledger=plan.ledger.renewed({0: 1}), queue=queue())

    plan = look(seen, NOW + 1)

    good = indexes(*range(1, 21, 2))
    assert plan.actions == (Skip(0, 1, indexes(range(1, 21))), Redispatch(good))
    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)
    books = plan.ledger.skipped(0, 21, indexes(range(1, 21))).redispatched(good).succeeded_with(good)
    rest = look(after(seen, plan, ledger=books), NOW + 2)
    assert (rest.actions, rest.status.succeeded, rest.status.pending) == ((), 10, 11)
    assert rest.demand is not None
    assert rest.demand.items == 1, "one item is tried at a time: that takes one worker"


def test_two_unknown_tasks_are_each_tried_by_one_item() -> None:
    seen = running(spec(tasks=[{"task": f"bad{index % 2}"} for index in range(6)]), ledger(6, dispatched=6))
    books = seen.ledger.renewed(dict.fromkeys(range(6), 1))
    seen = replace(seen, ledger=replace(books, unknown_tasks=("bad0", "bad1")))

    plan = look(seen, NOW + CANARY_SECONDS)

    assert only(plan, Redispatch) == [Redispatch(indexes(0, 1))]
    text = "No worker knows the tasks 'bad0', 'bad1': use an image"
    assert [event.message[: len(text)] for event in plan.events] == [text]


def test_an_unknown_task_fails_its_items_where_the_spec_says_so() -> None:
    seen = running(MIXED.model_copy(update={"on_unknown_task": OnUnknownTask.FAIL_ITEM}), ledger(20, dispatched=20))

    plan = look(seen, completions=not_registered(15, 16, task="bad"))

    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("True", Reason.VALID)
    assert only(plan, Renew) == []
    assert plan.status.failures is not None
    failure = plan.status.failures[0]
    assert (failure.reason, failure.indexes) == ("NotRegistered", "15,16")
    assert failure.message == "No worker knows the task 'bad'."


def test_the_wait_ends_when_the_spec_changes_its_mind() -> None:
    seen = replace(held(), spec=spec(100, onUnknownTask="FailItem"))

    plan = look(seen, NOW + 1)

    assert only(plan, Redispatch) == [Redispatch(indexes(range(10)))]
    assert plan.ledger.unknown_tasks == ()


def test_after_a_deadline_the_group_still_says_which_task_no_worker_knew() -> None:
    seen = replace(held(), spec=spec(100, activeDeadlineSeconds=60))

    ended = finished(seen, NOW + 61)

    text = "100 of 100 items had not ended after activeDeadlineSeconds (60 s). No worker knows the task 'shop.send'."
    failed = find(ended.status, ConditionType.FAILED)
    assert failed is not None
    assert (failed.status, failed.message) == ("True", text)
    assert said(ended.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)
    again = look(ended, NOW + 100)
    assert said(again.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)


def test_items_of_other_tasks_do_not_keep_the_try_waiting() -> None:
    seen = running(spec(tasks=[{"task": "good"}, {"task": "bad"}]), ledger(2, dispatched=2))
    plan = look(seen, completions=not_registered(1, task="bad"))
    seen = after(seen, plan, ledger=plan.ledger.renewed({1: 1}), queue=queue(0, 1))

    assert only(look(seen, NOW + CANARY_SECONDS - 5), Redispatch) == []
    assert look(seen, NOW + CANARY_SECONDS - 5).wake_after <= 5
    assert only(look(seen, NOW + CANARY_SECONDS), Redispatch) == [Redispatch(indexes(1))]


def test_a_suspended_group_tries_nothing_and_still_says_what_is_wrong() -> None:
    seen = replace(held(), spec=spec(100, suspend=True))

    plan = look(seen, NOW + CANARY_SECONDS)

    assert plan.actions == ()
    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)


def test_a_try_waits_for_a_worker_too() -> None:
    for shown in (None, view(0)):
        assert look(replace(held(), view=shown), NOW + CANARY_SECONDS).actions == ()


def test_items_wait_with_their_answer_while_the_broker_is_away() -> None:
    """Their new attempt has to be written there: until then they are shown again."""
    seen = group(HELD, queue=None, completions=completions([5]).plus(not_registered(1, 2)))

    plan = look(seen)
    assert (plan.actions, plan.save) == ((), True)
    assert (plan.ledger.succeeded, plan.ledger.unknown_tasks) == (indexes(5), ("shop.send",))
    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.UNKNOWN_TASK)

    back = look(after(seen, plan, queue=queue()))
    assert back.actions == (Renew(indexes(1, 2)),)
    assert not after(seen, back).completions.failed
