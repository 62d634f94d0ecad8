"""Items that run again on their owner's word: which, once for each id, on live groups and on ended ones."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    NOW,
    after,
    chain_spec,
    condition,
    finished,
    indexes,
    ledger,
    observed,
    only,
    queue,
    running,
    said,
    spec,
    view,
    work,
)
from taskgroup.api.names import ConditionType, EventReason, Reason, State
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.completions import Failure
from taskgroup.core.groups.again import carried_out, chosen
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Again, DeleteObject, Dispatch, Plan, Redispatch
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import NONE, full
from taskgroup.core.items.chunks import Chunks
from taskgroup.core.ledger import Ledger
from taskgroup.core.merging import newest, with_ends_of
from taskgroup.core.snapshot import decode, encode
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.status.read_back import ledger_of
from taskgroup.core.units import Units, unit_of

LATER = NOW + 1_000
OVER = ledger(10, dispatched=10, succeeded=full(7), failed=indexes(7, 8, 9))
LIVE = ledger(10, dispatched=10, succeeded=full(5), failed=indexes(7, 8))


def asking(which: str = "failed", name: str = "again-1", **fields: Any) -> TaskGroupSpec:
    return spec(retry={"id": name, "indexes": which}, **fields)


def ended(wanted: TaskGroupSpec, books: Ledger = OVER, **fields: Any) -> Observed:
    """A group that ended at NOW, and was asked then."""
    before = wanted.model_copy(update={"retry": None, "cancel": False})
    seen = finished(running(before, books, **fields), NOW)
    return replace(seen, spec=wanted, queue=queue(), view=view(3))


def done(seen: Observed, plan: Plan) -> Observed:
    """The look after the action was carried out."""
    (action,) = only(plan, Again)
    attempts = {unit: seen.ledger.attempts.get(unit, 0) + 1 for unit in action.units}
    return after(seen, plan, ledger=carried_out(plan.ledger, action, LATER).renewed(attempts))


@pytest.mark.parametrize(
    ("which", "items", "ignored"),
    [
        ("failed", indexes(7, 8, 9), NONE),
        ("7-8", indexes(7, 8), NONE),
        ("0,9,50", indexes(9), indexes(0, 50)),
        ("9-3", NONE, NONE),
    ],
)
def test_only_what_failed_or_was_cancelled_is_chosen(which: str, items: Units, ignored: Units) -> None:
    books = replace(OVER, failed=indexes(7), cancelled=indexes(8, 9))

    assert (chosen(books, which).items, chosen(books, which).ignored) == (items, ignored)


def test_of_a_chunk_all_items_are_run_again() -> None:
    books = replace(OVER, chunks=Chunks(4), succeeded=full(4), failed=indexes(range(4, 10)))

    assert chosen(books, "5").items == indexes(4, 5, 6, 7)


def test_an_ended_group_goes_back_and_runs_what_failed_under_new_ids() -> None:
    seen = ended(asking())

    first = reconcile(seen, LATER)
    assert (first.transition, first.actions) == (True, ()), "the id is written before anything is done"
    status = first.status
    assert (status.last_retry_id, status.state, status.completion_time) == ("again-1", State.RUNNING, None)
    for kind in (ConditionType.COMPLETE, ConditionType.FAILED, ConditionType.FINISHED, ConditionType.FAILURE_TARGET):
        assert said(status, kind) == ("False", Reason.RETRYING)
    assert (status.succeeded, status.failed, status.pending) == (7, 0, 3)
    assert [event.reason for event in first.extra_events] == [EventReason.RETRYING]

    seen = after(seen, first)
    second = reconcile(seen, LATER)
    assert only(second, Again) == [Again("again-1", indexes(7, 8, 9), indexes(7, 8, 9), False, True)]
    assert (second.status.failed, second.ledger.failed) == (0, indexes(7, 8, 9)), "the books follow the broker"
    assert second.demand is not None
    assert second.demand.items == 3

    seen = done(seen, second)
    third = reconcile(seen, LATER)
    assert third.save, "the books are saved before anything is dispatched"
    assert only(third, Redispatch) == [Redispatch(indexes(7, 8, 9))]
    assert dict(third.ledger.attempts) == {7: 1, 8: 1, 9: 1}
    assert third.status.failed == 0

    books = third.ledger.redispatched(indexes(7, 8, 9)).succeeded_with(indexes(7, 8, 9))
    end = reconcile(after(seen, third, ledger=books), LATER + 5).status
    assert said(end, ConditionType.COMPLETE) == ("True", Reason.COMPLETIONS_REACHED)
    assert (end.succeeded, end.last_retry_id) == (10, "again-1")
    assert end.completion_time is not None
    assert not reconcile(after(seen, third, ledger=books, status=end), LATER + 6).actions, "once for each id"


def test_an_item_that_fails_again_fails_the_group_again() -> None:
    seen = ended(asking())
    seen = after(seen, reconcile(seen, LATER))
    seen = done(seen, reconcile(seen, LATER))
    books = seen.ledger.failed_with(Failure("KeyError", "gone"), indexes(7, 8, 9), LATER)

    status = reconcile(replace(seen, ledger=books), LATER + 1).status

    assert said(status, ConditionType.FAILED) == ("True", Reason.FAILED_INDEXES)
    assert status.failures is not None
    assert [failure.reason for failure in status.failures] == ["KeyError"]


def test_on_a_live_group_only_what_failed_gets_a_new_attempt() -> None:
    seen = running(asking("7,3"), LIVE, queue=queue(0, 3))

    first = reconcile(seen, LATER)
    assert said(first.status, ConditionType.FINISHED) == ("False", Reason.NOT_FINISHED)
    assert (first.status.failed, first.status.last_retry_id) == (1, "again-1")
    (event,) = first.extra_events
    assert (event.reason, event.warning) == (EventReason.RETRYING, True)
    assert "not failed or cancelled: 3" in event.message
    second = reconcile(after(seen, first), LATER)
    assert only(second, Again) == [Again("again-1", indexes(7), indexes(7), False, False)]


def test_a_chain_goes_on_with_the_step_that_failed() -> None:
    books = ledger(3, dispatched=3, steps=2, succeeded=indexes(0), failed=indexes(1, 2), passed=Units([0, 1]))
    books = replace(books, released=Units([unit_of(0, 1), unit_of(1, 1)]))
    wanted = chain_spec(2, 3, retry={"id": "again-1"})
    seen = ended(wanted, books)

    second = reconcile(after(seen, reconcile(seen, LATER)), LATER)

    (action,) = only(second, Again)
    assert action.units == Units([unit_of(1, 1), 2])


def test_a_callback_that_failed_runs_again() -> None:
    callback = stage_unit(Stage.CALLBACK)
    failed = {callback: Failure("ValueError", "bad")}
    books = ledger(10, dispatched=10, succeeded=full(10), stage_failures=failed, released=Units([callback]))
    seen = ended(asking(callback={"task": "shop.gather"}), books)
    first = reconcile(seen, LATER)

    assert first.status.callback is not None
    assert first.status.callback.state == "Pending"
    (action,) = only(reconcile(after(seen, first), LATER), Again)
    assert (action.units, action.items, action.stages) == (Units([callback]), NONE, True)


def test_the_running_time_of_an_ended_group_begins_anew() -> None:
    wanted = asking(activeDeadlineSeconds=60)
    over = replace(OVER, running_since=NOW - 60, failed=NONE, failures=())
    seen = finished(running(wanted.model_copy(update={"retry": None}), over), NOW)
    assert said(seen.status, ConditionType.FAILED) == ("True", Reason.DEADLINE_EXCEEDED)

    seen = replace(seen, spec=wanted, queue=queue(), view=view(3))
    seen = after(seen, reconcile(seen, LATER))
    seen = done(seen, reconcile(seen, LATER))

    plan = reconcile(seen, LATER + 59)
    assert only(plan, Redispatch) == [Redispatch(indexes(7, 8, 9))]
    assert plan.status.state is State.RUNNING


REFUSED = {
    "nothing has failed": (ended(asking("0-6")), "none of these items has failed"),
    "cancelled": (ended(asking(cancel=True)), "spec.cancel is true"),
    "the record is gone": (replace(ended(asking()), ledger=Ledger()), "record of its items is gone"),
    "erased": (replace(ended(asking()), queue=queue(nonce="deleted")), "was deleted"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_once_and_says_why(name: str) -> None:
    seen, why = REFUSED[name]

    plan = reconcile(seen, LATER)

    (event,) = plan.extra_events
    assert (event.reason, event.warning) == (EventReason.RETRY_REFUSED, True)
    assert why in event.message
    assert (plan.status.last_retry_id, plan.status.state) == ("again-1", seen.status.state)
    rest = reconcile(after(seen, plan), LATER)
    assert (rest.extra_events, only(rest, Again), rest.transition) == ((), [], False)


def test_a_retry_comes_before_the_end_of_the_time_to_live() -> None:
    seen = ended(asking(ttlSecondsAfterFinished=10))
    plan = reconcile(seen, LATER)

    assert only(plan, DeleteObject) == []
    assert plan.status.last_retry_id == "again-1"


@pytest.mark.parametrize("away", [True, False])
def test_nothing_is_dispatched_before_the_broker_knows(away: bool) -> None:
    seen = ended(asking())
    seen = after(seen, reconcile(seen, LATER))
    plan = reconcile(replace(seen, queue=None) if away else seen, LATER)

    assert bool(only(plan, Again)) is not away
    assert only(plan, Dispatch) == only(plan, Redispatch) == []
    assert plan.status.failed == 0


def test_a_ledger_of_before_does_not_bring_the_failures_back() -> None:
    opened = replace(OVER.reopened(indexes(7, 8, 9)).renewed({7: 1, 8: 1, 9: 1}), again_id="again-1")

    assert with_ends_of(opened, OVER).failed == NONE
    for both in (newest(opened, OVER), newest(OVER, opened)):
        assert (both.failed, both.again_id, dict(both.attempts)) == (NONE, "again-1", {7: 1, 8: 1, 9: 1})
    assert newest(opened, OVER.succeeded_with(indexes(7))).succeeded == full(8)
    assert decode(encode(opened)) == opened
    seen = ended(asking())
    shown = reconcile(seen, LATER).status
    assert ledger_of(shown).again_id == "again-1"


def test_a_retry_that_is_in_the_spec_from_the_start_is_used_up() -> None:
    wanted = asking()
    seen = replace(running(wanted), work=work(wanted))

    status = reconcile(seen, NOW).status

    assert status.last_retry_id == "again-1"
    assert condition(reconcile(observed(wanted), NOW).status, ConditionType.FINISHED).status == "False"
