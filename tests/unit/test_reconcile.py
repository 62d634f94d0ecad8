"""The phases of a group's life, in the order in which they are written."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    BAD,
    NOW,
    after,
    completions,
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
from taskgroup.api.names import ConditionType, Reason, State
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.exchange import Demand
from taskgroup.core.groups import demand
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Dispatch, Open, Withdraw
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.indexes import full
from taskgroup.core.status.phase import Phase, phase_of
from taskgroup.core.trouble import Trouble

AWAY = Trouble(Reason.UNREACHABLE, "Start Redis.")
WRONG = Trouble(Reason.INVALID_TEMPLATE, "Correct it.")


@pytest.mark.parametrize("fields", [{"finalized": False}, {"deleting": True}])
def test_nothing_is_done_without_a_finalizer_or_during_deletion(fields: dict[str, Any]) -> None:
    for seen in (observed(), running(), running(invalid=WRONG)):
        plan = reconcile(replace(seen, meta=replace(seen.meta, **fields)), NOW)

        assert (plan.actions, plan.events, plan.transition, plan.save) == ((), (), False, False)
        assert (plan.demand, plan.counted) == (None, Completions())
        assert (plan.status, plan.ledger) == (seen.status, seen.ledger)


def test_the_start_is_a_transition_of_its_own_before_anything_is_dispatched() -> None:
    first = reconcile(observed(), NOW)
    assert (first.transition, first.actions, first.wake_after) == (True, (), 0)
    assert first.status.start_time == "2027-01-15T08:00:00Z"
    assert first.status.state is State.PENDING, "no worker runs yet"
    assert first.status.items is not None
    assert first.demand is None, "workers are asked for once the start is written"

    second = reconcile(after(observed(), first), NOW)
    assert (second.transition, second.save, second.actions) == (False, True, (Open(),))
    assert second.demand == Demand(items=10, reason="10 items are left, 4 at once in a pod.")

    third = reconcile(after(after(observed(), first), second, queue=queue()), NOW)
    assert only(third, Dispatch) == [], "the pool has not said yet how much its workers run"

    fourth = reconcile(after(after(observed(), first), third, queue=queue(), view=view(3)), NOW)
    assert only(fourth, Dispatch) == [Dispatch(0, 0, full(10))]
    assert fourth.status.start_time == first.status.start_time


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (observed(spec(suspend=True)), State.SUSPENDED),
        (observed(queue=None), State.PENDING),
        (observed(backend_trouble=AWAY), State.PENDING),
        (observed(invalid=WRONG, work=None), State.PENDING),
    ],
    ids=["suspended", "no broker", "broker away", "invalid"],
)
def test_a_group_that_cannot_start_waits_without_a_start_time(seen: Observed, state: State) -> None:
    plan = reconcile(seen, NOW)

    assert (plan.transition, plan.actions, plan.demand) == (False, (), None)
    assert (plan.status.start_time, plan.status.state) == (None, state)
    assert phase_of(plan.status) is Phase.NEW
    assert plan.wake_after <= 30

    healed = after(seen, plan, spec=spec(), work=work(), invalid=None, backend_trouble=None, queue=queue(nonce=None))
    assert reconcile(healed, NOW + 60).status.start_time == "2027-01-15T08:01:00Z"


@pytest.mark.parametrize(
    "fields",
    [
        {"invalid": WRONG},
        {"invalid": WRONG, "work": None},
        {"invalid": WRONG, "work": None, "spec": None},
        {"work": work(spec(5))},
    ],
    ids=["trouble", "no work", "no spec", "items changed"],
)
def test_a_halted_group_sends_nothing_and_forgets_nothing(fields: dict[str, Any]) -> None:
    seen = running(ledger=ledger(10, dispatched=5), completions=completions([0]), view=view(2), queue=queue(4))

    plan = reconcile(replace(seen, **fields), NOW)

    assert (plan.actions, plan.save, plan.transition) == ((), False, False)
    assert plan.demand is None, "the pool goes on as it was told before"
    is_counted = "work" not in fields or fields["work"] is not None
    assert plan.ledger.succeeded == (indexes(0) if is_counted else indexes()), "or it is shown again"
    assert bool(plan.counted) is is_counted
    assert said(plan.status, ConditionType.CONFIGURATION_VALID)[0] == "False"
    assert said(plan.status, ConditionType.STALLED)[0] == "True"

    healed = reconcile(after(seen, plan), NOW)
    assert healed.status.succeeded == 1
    assert said(healed.status, ConditionType.CONFIGURATION_VALID)[0] == "True"


def test_what_ends_while_changed_items_halt_a_group_is_counted() -> None:
    """A dry run accepts changed items; the group halted, and its status stood still while its workers worked on."""
    seen = running(
        ledger=ledger(10, dispatched=5),
        work=work(spec(items=["other"] * 10)),
        completions=Completions(indexes(0, 2), {1: BAD, 3: Failure("NotRegistered", "'shop.send'")}),
    )

    plan = reconcile(replace(seen, status=seen.status.model_copy(update={"active": 5})), NOW)

    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == ("False", Reason.ITEMS_CHANGED)
    assert (plan.status.succeeded, plan.status.failed, plan.status.active) == (2, 1, 2)
    assert 3 not in plan.counted.failed, "its task may be unknown: it is judged by the items as they were"


def test_what_was_counted_and_not_yet_written_is_active_no_more() -> None:
    """The written status was taken for that of the last look: two of two items had ended, and two were still shown."""
    seen = running(ledger=ledger(10, dispatched=5, succeeded=full(2)), invalid=WRONG)
    written = seen.status.model_copy(update={"active": 5, "succeeded": 0})

    status = reconcile(replace(seen, status=written), NOW).status

    assert (status.succeeded, status.active, status.pending) == (2, 3, 5)


def test_a_halted_group_can_still_be_suspended() -> None:
    seen = running(ledger=ledger(10, dispatched=5), invalid=WRONG, queue=queue(4))

    plan = reconcile(replace(seen, spec=spec(suspend=True)), NOW)
    assert plan.actions == (Withdraw(running=False),)
    assert plan.demand == demand.SUSPENDED
    assert said(plan.status, ConditionType.SUSPENDED)[0] == "True"

    again = reconcile(after(replace(seen, spec=spec(suspend=True)), plan), NOW)
    assert again.actions == (), "what tasks put on the queue themselves stays there"
    assert reconcile(replace(seen, spec=spec(suspend=True), queue=None), NOW).actions == ()


def test_the_deadline_of_a_halted_group_holds() -> None:
    limited = spec(activeDeadlineSeconds=60)
    seen = running(limited, ledger(10, dispatched=5), invalid=WRONG, queue=queue(4))
    assert reconcile(seen, NOW + 45).wake_after == 15

    plan = reconcile(seen, NOW + 60)
    assert (plan.transition, plan.actions) == (True, (Withdraw(running=True),))
    assert said(plan.status, ConditionType.FAILURE_TARGET) == ("True", Reason.DEADLINE_EXCEEDED)


def test_a_halted_group_counts_no_more_as_active_than_is_left() -> None:
    seen = running(ledger=ledger(10, dispatched=10))
    status = reconcile(seen, NOW).status
    assert status.active == 10

    fewer = ledger(10, dispatched=10, succeeded=full(6))
    plan = reconcile(replace(seen, status=status, invalid=WRONG, ledger=fewer), NOW)

    assert (plan.status.active, plan.status.pending, plan.status.succeeded) == (4, 0, 6)


@pytest.mark.parametrize("count", [1, 9, 10, 11])
def test_a_changed_prefix_halts_and_an_appended_tail_does_not(count: int) -> None:
    changed = spec(count)
    plan = reconcile(replace(running(ledger=ledger(10, dispatched=3)), spec=changed, work=work(changed)), NOW)

    expected = ("True", Reason.VALID) if count >= 10 else ("False", Reason.ITEMS_CHANGED)
    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == expected


@pytest.mark.parametrize("seconds", [3.0, 30.0, 300.0])
def test_the_next_look_is_never_later_than_the_resync_time(seconds: float) -> None:
    full_up = ledger(10, dispatched=10, succeeded=full(10))
    quiet = (
        observed(spec(suspend=True)),
        running(spec(suspend=True)),
        running(invalid=WRONG),
        running(),
        finished(running(ledger=full_up)),
    )
    for seen in quiet:
        assert reconcile(replace(seen, resync_seconds=seconds), NOW).wake_after <= seconds
    assert reconcile(replace(quiet[0], resync_seconds=seconds), NOW).wake_after == seconds
    assert reconcile(replace(quiet[-1], resync_seconds=seconds), NOW).wake_after == seconds


def test_a_group_that_starts_says_that_its_workers_do() -> None:
    status = reconcile(observed(), NOW).status

    assert said(status, ConditionType.WORKERS_READY) == ("False", Reason.WORKERS_STARTING)
