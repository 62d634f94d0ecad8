"""What runs when a group fails: once, after the outcome is frozen, and never longer than its own limit."""

from typing import Any

import pytest

from support.builders import (
    BAD,
    NAME,
    NOW,
    after,
    completions,
    decided,
    ledger,
    look,
    only,
    queue,
    running,
    said,
    spec,
    view,
)
from support.compiled import compile_work
from support.stories import take
from support.world import UID, World
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.status import StageState, StageStatus
from taskgroup.core.completions import Completions
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.on_failure import RUN_SECONDS, START_SECONDS
from taskgroup.core.groups.plan import Open, Redispatch, Release, Withdraw
from taskgroup.core.indexes import full
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.task_id import task_id
from taskgroup.core.units import Units
from taskgroup.groups.failure_input import failure_input

HOOK: dict[str, Any] = {"task": "shop.complain", "args": ["$(group.name)"]}
WANTED = spec(10, onFailure=HOOK)
UNIT = stage_unit(Stage.ON_FAILURE)
ONE = Units([UNIT])
LIMIT = START_SECONDS + RUN_SECONDS


def failed(wanted: Any = WANTED, **fields: Any) -> Observed:
    """The look after the failure of its last item was written."""
    books = ledger(10, dispatched=10, succeeded=full(9))
    seen = running(wanted, books, completions=completions((), [9]), view=view(1), **fields)
    return decided(seen)


def sent(seen: Observed, **fields: Any) -> Observed:
    """The look after it was sent."""
    plan = look(seen)
    books = plan.ledger.released_with(ONE).redispatched(ONE)
    return after(seen, plan, ledger=books, **fields)


def test_the_outcome_is_written_first_and_the_group_has_not_ended() -> None:
    status = failed().status

    assert said(status, ConditionType.FAILURE_TARGET) == ("True", Reason.FAILED_INDEXES)
    assert said(status, ConditionType.FINISHED) == ("False", Reason.NOT_FINISHED)
    assert status.completion_time is None


def test_it_is_sent_once_then() -> None:
    plan = look(failed())

    assert plan.actions == (Release(ONE), Redispatch(ONE))
    assert plan.status.on_failure == StageStatus(state=StageState.PENDING)
    assert plan.demand
    assert (plan.demand.items, plan.demand.reason) == (1, "spec.onFailure is left.")
    assert not look(sent(failed())).actions
    assert look(sent(failed())).status.on_failure == StageStatus(state=StageState.RUNNING)


def test_the_group_ends_with_it() -> None:
    plan = look(sent(failed(), completions=Completions(ONE), results={Stage.ON_FAILURE: '"told"'}))

    assert (plan.status.state, plan.status.failed) == ("Failed", 1)
    assert plan.status.on_failure == StageStatus(state=StageState.SUCCEEDED, result='"told"')
    assert said(plan.status, ConditionType.FAILED) == ("True", Reason.FAILED_INDEXES)


def test_its_own_failure_is_told_and_hides_nothing() -> None:
    plan = look(sent(failed(), completions=Completions(failed={UNIT: BAD})))

    assert said(plan.status, ConditionType.FAILED) == ("True", Reason.FAILED_INDEXES)
    assert plan.status.on_failure == StageStatus(state=StageState.FAILED, reason="ValueError", message="bad")
    told = [event.message for event in plan.events if event.reason is EventReason.HOOK_FAILED]
    assert told == ["spec.onFailure failed: ValueError: bad"]


def test_nobody_waits_for_it_beyond_its_limit() -> None:
    seen = sent(failed())

    assert look(seen, NOW + LIMIT - 1).status.state == "Running"
    plan = look(seen, NOW + LIMIT)
    assert plan.status.state == "Failed"
    assert plan.status.on_failure
    assert plan.status.on_failure.reason == Reason.DEADLINE_EXCEEDED
    assert plan.status.on_failure.message == f"It had not ended {LIMIT} s after the group's outcome was known."


def test_its_limit_follows_that_of_the_task() -> None:
    wanted = spec(10, onFailure={**HOOK, "options": {"timeLimitSeconds": 5}})

    assert look(sent(failed(wanted)), NOW + START_SECONDS + 4).status.state == "Running"
    assert look(sent(failed(wanted)), NOW + START_SECONDS + 5).status.state == "Failed"


def test_a_group_that_succeeds_does_not_run_it() -> None:
    plan = look(running(WANTED, ledger(10, dispatched=10, succeeded=full(9)), completions=completions([9])))

    assert (plan.status.state, plan.status.on_failure) == ("Complete", None)


def test_what_is_left_of_the_items_leaves_the_queue_before() -> None:
    wanted = spec(10, onFailure=HOOK, activeDeadlineSeconds=60)
    seen = running(wanted, ledger(10, dispatched=10, succeeded=full(4)), queue=queue(3, 2), view=view(1))

    over = look(seen, NOW + 60)
    assert [type(action) for action in over.actions] == [Withdraw]
    plan = look(after(seen, over), NOW + 61)
    assert [type(action) for action in plan.actions] == [Withdraw, Release, Redispatch]
    assert plan.ledger.in_flight(seen.work.lanes) == Units()  # type: ignore[union-attr]
    assert plan.status.cancelled == 6


def test_a_deadline_with_all_items_ended_stops_the_callback() -> None:
    wanted = spec(10, onFailure=HOOK, callback={"task": "shop.gather"}, activeDeadlineSeconds=60)
    seen = running(wanted, ledger(10, dispatched=10, succeeded=full(10)), queue=queue(0, 1), view=view(1))

    assert only(look(seen, NOW + 60), Withdraw) == [Withdraw(running=True)]


def test_it_runs_when_what_comes_before_the_items_has_failed() -> None:
    wanted = spec(before={"task": "shop.list"}, itemsFrom={"before": {}}, onFailure=HOOK)
    before = Units([stage_unit(Stage.BEFORE)])
    books = ledger(0).released_with(before).redispatched(before)
    seen = decided(running(wanted, books, completions=Completions(failed={before.min(): BAD}), view=view(1)))

    assert look(seen).actions == (Release(ONE), Redispatch(ONE))
    ended = look(sent(seen, completions=Completions(ONE)))
    assert said(ended.status, ConditionType.FAILED) == ("True", Reason.BEFORE_FAILED)


@pytest.mark.parametrize("known", [None, "other"])
def test_the_loss_of_redis_data_sends_it_under_another_id(known: str | None) -> None:
    seen = sent(failed(), queue=queue(nonce=known), fresh_nonce="fresh")

    plan = look(seen)
    assert plan.actions == (Open(),)
    assert plan.save
    assert (plan.ledger.nonce, plan.ledger.attempts) == ("fresh", {UNIT: 1})
    again = look(after(seen, plan, queue=queue(nonce="fresh")))
    assert again.actions == (Release(ONE), Redispatch(ONE))


def test_it_waits_for_a_broker_that_is_away_and_for_workers() -> None:
    assert look(failed(), queue=None).actions == ()
    assert look(failed(), view=view(0)).actions == ()


def test_a_chain_of_most_steps_before_the_items_does_not_release_it() -> None:
    """Its unit is the one behind the last step that such a chain can have."""
    chain = {"chain": [{"task": "a"}] * 32}
    wanted = spec(10, before=chain, onFailure=HOOK)
    units = compile_work(wanted, NAME).stage(Stage.BEFORE)

    assert UNIT not in Ledger(total=10, released=units, passed=units).due


def test_it_is_told_why_and_how_the_items_ended() -> None:
    assert failure_input(failed().status, ledger(10, succeeded=full(9), failed=Units([9]))) == {
        "state": "Failed",
        "reason": "FailedIndexes",
        "message": "1 of 10 items failed: ValueError (1).",
        "total": 10,
        "succeeded": 9,
        "failed": 1,
        "cancelled": 0,
        "failures": {"ValueError": 1},
        "failedIndexes": "9",
    }


def test_the_result_of_what_came_before_is_not_for_it() -> None:
    wanted = spec(3, before={"task": "a"}, onFailure={"task": "b", "args": ["$(before.result)"]})
    with pytest.raises(InvalidSpecError, match=r"has no meaning in spec\.onFailure"):
        compile_work(wanted, NAME)


def test_a_killed_operator_does_not_run_it_twice() -> None:
    """It dies between every two effects of the whole life."""
    for fuse in range(50):
        world = World(WANTED)
        for number in range(40):
            world.now += 1.5
            world.fuse = fuse if number == 4 else None
            world.look()
            world.fuse = None
            world.workers.settle(world.tick())
            take(world, 4)
            for _ in range(4):
                world.end(0, "ValueError" if number < 6 else None)
        assert not world.flaws
        assert world.status.state == "Failed"
        assert world.broker.sent[task_id(UID, UNIT)] == 1


def test_it_survives_lost_data_while_it_runs() -> None:
    world, is_lost = World(WANTED), False
    for _ in range(60):
        world.now += 1.5
        world.look()
        world.workers.settle(world.tick())
        take(world, 4)
        hook = world.status.on_failure
        if hook is None:
            world.end(0, "ValueError")
        elif is_lost:
            world.end(0)
        elif hook.state is StageState.RUNNING:
            world.broker.lose_all()
            world.results.ends.clear()
            is_lost = True

    assert is_lost
    assert world.status.on_failure == StageStatus(state=StageState.SUCCEEDED, result="null")
    assert task_id(UID, UNIT, 1) in world.broker.sent


def test_a_retry_does_not_send_it_while_the_group_runs() -> None:
    """It had failed itself, so that the retry gives it a new attempt."""
    books = ledger(10, dispatched=10, succeeded=full(9), attempts={UNIT: 1}).released_with(ONE)
    plan = look(running(WANTED, books, view=view(1)))

    assert UNIT in books.returned
    assert only(plan, Redispatch) == []
    failing = decided(running(WANTED, books, completions=completions((), [9]), view=view(1)))
    assert look(failing).actions == (Redispatch(ONE),)
