"""Groups that end before all items have: enough have succeeded, or too many have failed."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    NAME,
    NOW,
    UID,
    after,
    decided,
    finished,
    indexes,
    ledger,
    look,
    only,
    running,
    said,
    spec,
    view,
)
from support.builders import queue as waiting
from support.compiled import compile_work
from support.memory.results import MemoryResults
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState, StageStatus
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import Verdict, judge
from taskgroup.core.groups.plan import Redispatch, Release, Withdraw
from taskgroup.core.groups.success import needed
from taskgroup.core.indexes import NONE, full
from taskgroup.core.ledger import Ledger
from taskgroup.core.merging import newest
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.task_id import task_id
from taskgroup.core.units import Units
from taskgroup.groups.callback_input import callback_input
from taskgroup.groups.compiling import compile_spec
from taskgroup.groups.compiling import finished as compiled

EIGHT = {"successPolicy": {"succeededCount": 8}}
CALLBACK = {"callback": {"task": "shop.gather"}}
UNIT = stage_unit(Stage.CALLBACK)
ENOUGH = ledger(10, dispatched=10, succeeded=full(8))


def policy(**fields: Any) -> TaskGroupSpec:
    """Ten items under these fields."""
    return spec(10, **fields)


@pytest.mark.parametrize(
    ("fields", "total", "wanted"),
    [
        ({}, 10, 10),
        (EIGHT, 10, 8),
        ({"successPolicy": {"succeededPercent": 75}}, 10, 8),
        ({"successPolicy": {"succeededPercent": 1}}, 10, 1),
        ({"successPolicy": {"succeededPercent": 100}}, 10, 10),
    ],
)
def test_how_many_have_to_succeed(fields: dict[str, Any], total: int, wanted: int) -> None:
    assert needed(total, policy(**fields)) == wanted


@pytest.mark.parametrize(
    ("fields", "books", "verdict"),
    [
        (EIGHT, ledger(10, succeeded=full(7), failed=indexes(8)), None),
        (
            EIGHT,
            ledger(10, succeeded=full(8), failed=indexes(8)),
            Verdict(True, Reason.SUCCESS_POLICY, "8 of 10 items succeeded, successPolicy asks for 8."),
        ),
        (EIGHT, ledger(10, succeeded=full(10)), Verdict(True, Reason.COMPLETIONS_REACHED, "All 10 items succeeded.")),
        (
            EIGHT,
            ledger(10, failed=indexes(range(3))),
            Verdict(False, Reason.FAILED_INDEXES, "3 of 10 items failed: ValueError (3); successPolicy asks for 8."),
        ),
        ({"maxFailedItems": 2}, ledger(10, failed=indexes(1, 2)), None),
        (
            {"maxFailedItems": 2},
            ledger(10, failed=indexes(range(3))),
            Verdict(
                False,
                Reason.MAX_FAILED_ITEMS_EXCEEDED,
                "3 of 10 items failed: ValueError (3); maxFailedItems is 2.",
            ),
        ),
        (
            {"maxFailedItems": 2},
            ledger(10, succeeded=full(8), failed=indexes(8, 9)),
            Verdict(False, Reason.FAILED_INDEXES, "2 of 10 items failed: ValueError (2)."),
        ),
        (
            {"maxFailedItems": 0, **EIGHT},
            ledger(10, succeeded=full(8), failed=indexes(8)),
            Verdict(
                False,
                Reason.MAX_FAILED_ITEMS_EXCEEDED,
                "1 of 10 items failed: ValueError (1); maxFailedItems is 0.",
            ),
        ),
    ],
)
def test_the_verdict(fields: dict[str, Any], books: Ledger, verdict: Verdict | None) -> None:
    assert judge(books, policy(**fields), NOW) == verdict


def test_what_is_left_is_cancelled_when_enough_have_succeeded() -> None:
    seen = running(policy(**EIGHT), ENOUGH, queue=waiting(1, 1))
    plan = look(seen)
    end = finished(seen).status

    assert [type(action) for action in plan.actions] == [Withdraw]
    assert said(plan.status, ConditionType.SUCCESS_CRITERIA_MET) == ("True", Reason.SUCCESS_POLICY)
    assert (end.state, end.succeeded, end.failed, end.cancelled) == ("Complete", 8, 0, 2)
    assert said(end, ConditionType.COMPLETE) == ("True", Reason.SUCCESS_POLICY)
    assert said(end, ConditionType.FINISHED) == ("True", Reason.SUCCESS_POLICY)


def test_what_is_left_is_cancelled_when_too_many_have_failed() -> None:
    seen = running(policy(maxFailedItems=1), ledger(10, dispatched=10, failed=indexes(1, 2)), queue=waiting(8))
    plan, end = look(seen), finished(seen).status

    assert said(plan.status, ConditionType.FAILURE_TARGET) == ("True", Reason.MAX_FAILED_ITEMS_EXCEEDED)
    assert (end.state, end.failed, end.cancelled) == ("Failed", 2, 8)
    assert said(end, ConditionType.FAILED) == ("True", Reason.MAX_FAILED_ITEMS_EXCEEDED)


def test_both_may_change_while_the_group_runs() -> None:
    seen = running(policy(), ENOUGH, view=view(1))

    assert look(seen).status.completion_time is None
    assert finished(replace(seen, spec=policy(**EIGHT))).status.state == "Complete"


def test_a_late_failure_changes_nothing() -> None:
    seen = decided(running(policy(**EIGHT, maxFailedItems=0), ENOUGH))
    end = look(seen, ledger=seen.ledger.failed_with(*_bad(9))).status

    assert (end.state, end.failed, end.cancelled) == ("Complete", 0, 2)


def _bad(index: int) -> tuple[Any, Any, float]:
    group = ledger(10, failed=indexes(index)).failures[0]
    return group.failure, group.indexes, NOW


def begun() -> Observed:
    """Enough have succeeded, and there is a callback."""
    return running(policy(**EIGHT, **CALLBACK), ENOUGH, queue=waiting(1, 1), view=view(1))


def test_the_callback_begins_when_the_rest_is_cancelled() -> None:
    plan = look(begun())

    assert plan.save
    assert plan.ledger.cancelled == indexes(8, 9)
    assert [type(action) for action in plan.actions] == [Withdraw, Release, Redispatch]
    assert only(plan, Redispatch) == [Redispatch(Units([UNIT]))]
    assert (plan.status.state, plan.status.succeeded, plan.status.cancelled) == ("Running", 8, 2)
    assert plan.demand
    assert plan.demand.items == 1


def test_an_operator_that_died_in_between_goes_on_from_there() -> None:
    first = begun()
    again = look(after(first, look(first)))

    assert [type(action) for action in again.actions] == [Withdraw, Release, Redispatch]


def test_the_group_is_complete_with_its_callback() -> None:
    first = begun()
    books = look(first).ledger.released_with(Units([UNIT])).passed_with(Units([UNIT]))
    status = look(after(first, look(first), ledger=books)).status

    assert (status.state, status.succeeded, status.cancelled) == ("Complete", 8, 2)
    assert status.callback == StageStatus(state=StageState.SUCCEEDED)
    assert said(status, ConditionType.COMPLETE) == ("True", Reason.SUCCESS_POLICY)


def test_a_policy_that_is_raised_while_the_callback_runs_changes_nothing() -> None:
    books = look(begun()).ledger.released_with(Units([UNIT])).redispatched(Units([UNIT]))
    raised = policy(successPolicy={"succeededCount": 9}, **CALLBACK)

    assert judge(books, raised, NOW, {Stage.CALLBACK: StageStatus(state=StageState.RUNNING)}) is None


def test_items_that_were_cancelled_before_a_retry_do_not_meet_the_policy() -> None:
    """Else a group of which one item is run again would be Complete at once."""
    books = replace(ledger(10, dispatched=10, succeeded=full(5)), cancelled=indexes(range(6, 10)), again_id="again-1")
    again = policy(successPolicy={"succeededCount": 6})

    assert judge(books, again, NOW) is None
    verdict = judge(books.succeeded_with(indexes(5)), again, NOW)
    assert verdict
    assert verdict.reason == Reason.SUCCESS_POLICY
    late = judge(books, policy(**EIGHT), NOW)
    assert late
    assert late.message == "0 of 10 items failed, 4 were cancelled; successPolicy asks for 8."


def test_a_callback_that_fails_says_how_many_items_had_succeeded() -> None:
    failed = StageStatus(state=StageState.FAILED, reason="A", message="b")
    verdict = judge(ENOUGH, policy(**EIGHT), NOW, {Stage.CALLBACK: failed})

    assert verdict == Verdict(
        False,
        Reason.CALLBACK_FAILED,
        "8 of 10 items succeeded, successPolicy asks for 8, but the callback failed: A: b",
    )


async def test_a_callback_gets_null_for_an_item_without_a_result() -> None:
    books = ledger(4, succeeded=indexes(0, 2), failed=indexes(1)).cancelled_rest()
    results = MemoryResults()
    for index in books.succeeded:
        results.store(task_id(UID, index), None)
    work = compile_work(spec(4, **CALLBACK), NAME)
    work.most_message_bytes = 1

    assert (await callback_input(results, UID, work, books))[0]["resultsRef"]["absent"] == "1,3"
    work.most_message_bytes = 10**6
    assert await callback_input(results, UID, work, books) == [[None] * 4]


def test_a_stored_ledger_tells_what_was_cancelled() -> None:
    stored = ENOUGH.cancelled_rest()

    assert newest(ENOUGH, stored).cancelled == indexes(8, 9)
    assert newest(ENOUGH.succeeded_with(indexes(8)), stored).cancelled == indexes(9)
    assert newest(ENOUGH, ENOUGH).cancelled == NONE


def test_more_successes_than_items_are_refused() -> None:
    wanted = {**spec(3).dump(), "successPolicy": {"succeededCount": 4}}
    found = compiled(compile_spec(1, wanted, NAME, 10**6))

    assert found.invalid
    assert found.invalid.reason == Reason.INVALID_SPEC
    assert found.invalid.message == (
        "spec.successPolicy.succeededCount (4) is more than the 3 items: lower it, or append items."
    )
