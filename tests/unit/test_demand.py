"""What a group asks of its pool in each phase, and what the pool makes of it."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    NOW,
    completions,
    decided,
    finished,
    indexes,
    ledger,
    look,
    observed,
    only,
    queue,
    running,
    spec,
)
from support.pool_builders import pods, pool, pool_look, pool_queue, workers
from taskgroup.api.names import Reason
from taskgroup.core.exchange import Demand
from taskgroup.core.groups import demand
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.outcome import Verdict
from taskgroup.core.groups.plan import Dispatch, Plan
from taskgroup.core.indexes import full
from taskgroup.core.pools.observed import PoolObserved
from taskgroup.core.pools.plan import ApplyWorkers, MarkPods
from taskgroup.core.trouble import Trouble

GOOD = running(ledger=ledger(10, dispatched=10, succeeded=full(10)))
LATE = running(spec(activeDeadlineSeconds=60), ledger(10, dispatched=8, succeeded=full(5)))
WRONG = Trouble(Reason.INVALID_TEMPLATE, "Correct it.")
AFTER = NOW + 100


def parts(plan: Plan) -> tuple[int, bool, bool, bool] | None:
    """items, ended, leftovers, give_back."""
    asked = plan.demand
    return (asked.items, asked.ended, asked.leftovers, asked.give_back) if asked else None


SITUATIONS: dict[str, tuple[Observed, tuple[int, bool, bool, bool] | None]] = {
    "new": (observed(), None),
    "new and suspended": (observed(spec(suspend=True)), None),
    "cannot be read": (observed(invalid=WRONG, work=None), None),
    "running": (running(ledger=ledger(10, dispatched=5, succeeded=full(3))), (7, False, False, True)),
    "opening": (running(queue=queue(nonce=None)), (10, False, False, True)),
    "broker away": (running(queue=None), (10, False, False, True)),
    "task unknown": (running(ledger=ledger(unknown_tasks=("shop.send",))), (10, False, False, True)),
    "suspended": (running(spec(suspend=True)), (0, False, False, True)),
    "halted": (running(invalid=WRONG), None),
    "halted and suspended": (running(spec(suspend=True), invalid=WRONG), (0, False, False, True)),
    "all have ended": (GOOD, (0, True, True, True)),
    "time is up": (replace(LATE, ledger=replace(LATE.ledger, running_since=NOW - 100)), None),
    "deadline decided": (decided(LATE, AFTER), (0, True, False, False)),
    "complete": (finished(GOOD), (0, True, True, True)),
    "timed out": (finished(LATE, AFTER), (0, True, False, False)),
    "complete, then spoiled": (replace(finished(GOOD), invalid=WRONG, work=None, spec=None), (0, True, True, True)),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_phase_asks_for_what_it_needs(name: str) -> None:
    seen, expected = SITUATIONS[name]

    assert parts(look(seen)) == expected


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_demand_says_why(name: str) -> None:
    asked = look(SITUATIONS[name][0]).demand

    assert asked is None or asked.reason


def test_a_group_whose_items_failed_runs_what_they_left_behind() -> None:
    failed = running(ledger=ledger(10, dispatched=10, succeeded=full(9), failed=indexes(9)))

    assert parts(look(decided(failed))) == (0, True, True, True)


def test_without_a_verdict_nothing_is_left_to_run() -> None:
    status = observed().status

    assert not demand.after_end(status, None, ledger()).leftovers
    assert demand.after_end(status, Verdict(True, Reason.COMPLETIONS_REACHED, ""), ledger()).leftovers


def test_what_was_cancelled_is_not_run_whatever_ended_the_group_early() -> None:
    status = observed().status.model_copy(update={"cancelled": 3})
    asked = demand.after_end(status, Verdict(False, "AnyReason", ""), ledger())

    assert (asked.leftovers, asked.give_back) == (False, False)


def test_a_group_that_has_said_nothing_asks_for_nothing() -> None:
    asked = Demand()

    assert (asked.items, asked.ended, asked.leftovers, asked.give_back) == (0, False, False, True)


def pool_of(plan: Plan, **fields: Any) -> PoolObserved:
    """What the pool sees once the group has said what it needs."""
    assert plan.demand is not None
    return pool(demand=plan.demand, **fields)


def test_workers_and_items_start_together() -> None:
    seen = running(spec(100), ledger(100), view=None)
    plan = look(seen)
    answer = pool_look(pool_of(plan))

    assert answer.actions == (ApplyWorkers(10),)
    assert answer.actions[0].reason == "100 items are left, 4 at once in a pod."
    assert only(look(seen, view=answer.view), Dispatch) == [Dispatch(0, 0, indexes(range(81)))]


def test_ends_make_room_and_shrink_the_workers() -> None:
    seen = running(spec(100), ledger(100, dispatched=81), queue=queue(1, 4), completions=completions(range(70)))
    facts = workers(10, members=pods("a", "b"))

    plan = look(seen)
    answer = pool_look(pool_of(plan, workers=facts, queue=pool_queue(queued=1, a=4)))

    assert only(plan, Dispatch) != []
    assert answer.actions == (MarkPods(("b",), ("a",)), ApplyWorkers(8))


def test_suspension_stops_the_workers_that_hold_nothing() -> None:
    seen = running(spec(100, suspend=True), ledger(100, dispatched=20), queue=queue(18, 2))
    facts = workers(3, members=pods("a", "b", "c"))

    answer = pool_look(pool_of(look(seen), workers=facts, queue=pool_queue(queued=18, a=2)))

    assert answer.actions == (MarkPods(("b", "c"), ("a",)), ApplyWorkers(1))
    assert {action.reason for action in answer.actions} == {"The group is suspended."}


@pytest.mark.parametrize("invalid", [None, WRONG], ids=["valid", "halted"])
def test_suspended_and_idle_has_no_workers(invalid: Trouble | None) -> None:
    seen = running(spec(100, suspend=True), ledger(100, dispatched=20, returned=full(20)), invalid=invalid)

    answer = pool_look(pool_of(look(seen), workers=workers(1, members=pods("a"))))

    assert answer.actions == (ApplyWorkers(0),)
    assert (answer.view.wanted, answer.view.slots, answer.view.replicas) == (0, 0, 1)


def test_slots_count_unfinished_items_and_not_the_queue() -> None:
    seen = running(spec(20), ledger(20, dispatched=3, succeeded=full(13)), queue=queue(3))

    assert pool_look(pool_of(look(seen), queue=pool_queue(queued=3))).view.slots == 8


@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize(("limit", "anew"), [("10/m", True), (None, False)])
def test_a_paced_group_sends_again_what_dead_workers_held(limit: str | None, anew: bool, suspend: bool) -> None:
    """Suspended, too: what its last workers hold may come back when it runs again."""
    asked = look(running(spec(rateLimit=limit, suspend=suspend)), NOW).demand

    assert asked
    assert asked.anew is anew
