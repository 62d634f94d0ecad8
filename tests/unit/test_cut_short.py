"""Groups that end before their work does: cancelled by their owner, or with what there is when their time is up."""

from dataclasses import replace

import pytest

from support.builders import (
    NOW,
    after,
    decided,
    finished,
    indexes,
    ledger,
    look,
    observed,
    only,
    queue,
    running,
    said,
    spec,
)
from taskgroup.api.names import ConditionType, Reason, State
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.api.status import StageState
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import Verdict, cut_short, judge
from taskgroup.core.groups.plan import Dispatch, Withdraw
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger
from taskgroup.core.trouble import Trouble

CANCELLED = spec(cancel=True)
PARTIAL = spec(activeDeadlineSeconds=60, onDeadline="Partial")
OPEN = ledger(10, dispatched=6, succeeded=indexes(0, 1), failed=indexes(2))
GATHER = {"task": "shop.gather"}
WRONG = Trouble(Reason.INVALID_TEMPLATE, "Correct it.")


def test_a_cancelled_group_fails_keeps_what_has_ended_and_stops_the_rest() -> None:
    seen = running(CANCELLED, OPEN, queue=queue(3))

    first = reconcile(seen, NOW)
    status = finished(seen).status

    assert only(first, Withdraw) == [Withdraw(running=True)]
    assert first.transition, "it is written before the queue is emptied"
    assert said(status, ConditionType.FAILED) == ("True", Reason.CANCELLED)
    assert (status.state, status.succeeded, status.failed, status.cancelled) == (State.FAILED, 2, 1, 7)
    assert (status.completed_indexes, status.failed_indexes, status.active, status.pending) == ("0,1", "2", 0, 0)


@pytest.mark.parametrize("suspend", [True, False])
@pytest.mark.parametrize("invalid", [WRONG, None])
def test_it_ends_however_it_stands(suspend: bool, invalid: Trouble | None) -> None:
    wanted = spec(cancel=True, suspend=suspend)

    for seen in (running(wanted, OPEN, invalid=invalid), observed(wanted, invalid=invalid)):
        assert said(finished(seen).status, ConditionType.FINISHED) == ("True", Reason.CANCELLED)


def test_one_that_cannot_be_read_ends_without_having_started() -> None:
    seen = observed(CANCELLED, work=None, invalid=WRONG, queue=None)

    plan = reconcile(seen, NOW)

    assert said(plan.status, ConditionType.FAILED) == ("True", Reason.CANCELLED)
    assert (plan.status.start_time, plan.status.total, plan.actions) == (None, None, ())
    rest = reconcile(after(seen, plan), NOW)
    assert not only(rest, Dispatch)


def test_one_that_has_not_started_counts_all_items_as_cancelled() -> None:
    status = finished(observed(CANCELLED)).status

    assert (status.start_time, status.total, status.cancelled, status.progress) == (None, 10, 10, "10/10")


@pytest.mark.parametrize("wanted", [spec(3, cancel=True), spec(3, activeDeadlineSeconds=60, onDeadline="Partial")])
def test_work_that_is_done_wins(wanted: TaskGroupSpec) -> None:
    verdict = judge(ledger(3, succeeded=full(3)), wanted, NOW + 100)

    assert verdict == Verdict(True, Reason.COMPLETIONS_REACHED, "All 3 items succeeded.")


@pytest.mark.parametrize("passed", [59, 60])
def test_partial_is_complete_with_what_there_is(passed: float) -> None:
    seen = running(PARTIAL, OPEN, queue=queue(3))

    plan = look(seen, NOW + passed)
    if passed < 60:
        assert not plan.transition
        return
    status = finished(seen, NOW + passed).status
    assert only(plan, Withdraw) == [Withdraw(running=True)]
    assert said(status, ConditionType.COMPLETE) == ("True", Reason.DEADLINE_REACHED)
    assert said(status, ConditionType.SUCCESS_CRITERIA_MET) == ("True", Reason.DEADLINE_REACHED)
    assert (status.state, status.succeeded, status.failed, status.cancelled) == (State.COMPLETE, 2, 1, 7)


def test_without_a_deadline_partial_means_nothing() -> None:
    assert cut_short(OPEN, spec(onDeadline="Partial"), NOW + 10**9) is None


def test_cancelling_comes_before_the_deadline() -> None:
    both = PARTIAL.model_copy(update={"cancel": True})
    verdict = cut_short(OPEN, both, NOW + 60)

    assert verdict == Verdict(False, Reason.CANCELLED, "spec.cancel is true: 7 of 10 items had not ended.")


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (spec(callback=GATHER, cancel=True), Reason.CANCELLED),
        (spec(callback=GATHER, activeDeadlineSeconds=60, onDeadline="Partial"), Reason.DEADLINE_REACHED),
    ],
)
def test_a_callback_that_has_not_ended_is_cancelled(wanted: TaskGroupSpec, reason: Reason) -> None:
    seen = running(wanted, ledger(10, dispatched=10, succeeded=full(10)))

    plan = look(seen, NOW + 60)

    assert said(plan.status, ConditionType.FINISHED) == ("True", reason)
    assert plan.status.callback is not None
    assert plan.status.callback.state is StageState.CANCELLED
    assert plan.status.cancelled == 0


def test_an_outcome_is_not_changed_by_a_late_cancel() -> None:
    seen = finished(running(ledger=ledger(10, dispatched=10, succeeded=full(10))))
    late: Observed = replace(seen, spec=CANCELLED, ledger=Ledger())

    assert reconcile(late, NOW + 1).status == seen.status


def test_what_is_decided_stays_when_the_operator_dies_before_the_second_write() -> None:
    seen = replace(decided(observed(CANCELLED)), ledger=Ledger())

    status = reconcile(seen, NOW + 1).status

    assert (status.state, status.total, status.cancelled) == (State.FAILED, 10, 10)
