"""The turns of a group's life, in the order in which they are written."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import NOW, after, completions, broker, ledger, observed, only, running, said, spec, work
from support.builders import workers as worker_facts
from taskgroup.api.names import ConditionType, Reason, State
from taskgroup.core.groups.observed import Observed, Trouble
from taskgroup.core.groups.plan import Dispatch, Open
from taskgroup.core.groups.reconcile import reconcile
from taskgroup.core.status.phase import Phase, phase_of

AWAY = Trouble(Reason.UNREACHABLE, "Start Redis.")
WRONG = Trouble(Reason.INVALID_TEMPLATE, "Correct it.")


@pytest.mark.parametrize("fields", [{"finalized": False}, {"deleting": True}])
def test_nothing_is_done_without_a_finalizer_or_during_deletion(fields: dict[str, Any]) -> None:
    for seen in (observed(), running(), running(invalid=WRONG)):
        plan = reconcile(replace(seen, meta=replace(seen.meta, **fields)), NOW)

        assert (plan.actions, plan.events, plan.transition, plan.save) == ((), (), False, False)
        assert (plan.status, plan.ledger) == (seen.status, seen.ledger)


def test_the_start_is_a_turn_of_its_own_before_anything_is_sent() -> None:
    first = reconcile(observed(), NOW)
    assert (first.transition, first.actions, first.wake_after) == (True, (), 0)
    assert first.status.start_time == "2027-01-15T08:00:00Z"
    assert first.status.state is State.RUNNING
    assert first.status.items is not None

    second = reconcile(after(observed(), first), NOW)
    assert (second.transition, second.save, second.actions) == (False, True, (Open(),))

    third = reconcile(after(after(observed(), first), second, broker=broker()), NOW)
    assert only(third, Dispatch)
    assert third.status.start_time == first.status.start_time


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (observed(spec(suspend=True)), State.SUSPENDED),
        (observed(broker=None), State.PENDING),
        (observed(backend_trouble=AWAY), State.PENDING),
        (observed(invalid=WRONG, work=None), State.PENDING),
    ],
    ids=["suspended", "no broker", "broker away", "invalid"],
)
def test_a_group_that_cannot_start_waits_without_a_start_time(seen: Observed, state: State) -> None:
    plan = reconcile(seen, NOW)

    assert (plan.transition, plan.actions) == (False, ())
    assert (plan.status.start_time, plan.status.state) == (None, state)
    assert phase_of(plan.status) is Phase.NEW
    assert plan.wake_after <= 30

    healed = after(seen, plan, spec=spec(), work=work(), invalid=None, backend_trouble=None, broker=broker(nonce=None))
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
def test_a_halted_group_does_nothing_and_forgets_nothing(fields: dict[str, Any]) -> None:
    seen = running(books=ledger(10, dispatched=5), completions=completions([0]), workers=worker_facts(2), broker=broker(queued=4))

    plan = reconcile(replace(seen, **fields), NOW)

    assert (plan.actions, plan.save, plan.transition) == ((), False, False)
    assert not plan.consumed, "what completions is shown again"
    assert plan.ledger == seen.ledger
    assert said(plan.status, ConditionType.CONFIGURATION_VALID)[0] == "False"
    assert said(plan.status, ConditionType.STALLED)[0] == "True"

    healed = reconcile(after(seen, plan, completions=seen.arrivals), NOW)
    assert healed.status.succeeded == 1
    assert said(healed.status, ConditionType.CONFIGURATION_VALID)[0] == "True"


def test_a_halted_group_counts_no_more_as_active_than_is_left() -> None:
    seen = running(books=ledger(10, dispatched=10))
    status = reconcile(seen, NOW).status
    assert status.active == 10

    plan = reconcile(
        replace(
            seen, status=status, invalid=WRONG, ledger=ledger(10, dispatched=10).succeeded_with(work().lanes[0].indexes[:6])
        ),
        NOW,
    )

    assert (plan.status.active, plan.status.pending, plan.status.succeeded) == (4, 0, 6)


@pytest.mark.parametrize("count", [1, 9, 10, 11])
def test_a_changed_prefix_halts_and_an_appended_tail_does_not(count: int) -> None:
    changed = spec(count)
    plan = reconcile(replace(running(books=ledger(10, dispatched=3)), spec=changed, work=work(changed)), NOW)

    expected = ("True", Reason.VALID) if count >= 10 else ("False", Reason.ITEMS_CHANGED)
    assert said(plan.status, ConditionType.CONFIGURATION_VALID) == expected
