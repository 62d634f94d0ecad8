"""What runs before the items: they wait for it, may be called with its result, and may be its result."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import BAD, NAME, NOW, completions, ledger, look, only, queue, running, spec, state, view, work
from support.compiled import compile_work
from support.world import UID, World
from support.world_results import FOUND
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.status import ItemsStatus, StageState, StageStatus
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.exchange import MAX_LOSSES
from taskgroup.core.groups.observed import Observed
from taskgroup.core.groups.plan import Dispatch, Open, Redispatch, Release
from taskgroup.core.groups.recovery import after_data_loss
from taskgroup.core.indexes import NONE, full
from taskgroup.core.items.work import MAX_MESSAGE_BYTES
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.status.conditions import find
from taskgroup.core.task_id import task_id
from taskgroup.core.units import Units

BEFORE: dict[str, Any] = {"task": "shop.list", "args": ["$(group.name)"]}
WANTED = spec(10, before=BEFORE)
FROM_BEFORE = spec(before=BEFORE, itemsFrom={"before": {}})
UNIT = stage_unit(Stage.BEFORE)
ONE = Units([UNIT])
RUNS = ledger(10).released_with(ONE).redispatched(ONE)
DONE = RUNS.passed_with(ONE)


def found(items: list[Any] = FOUND) -> Observed:
    """The first look at a group whose items were found."""
    seen = running(FROM_BEFORE, ledger(0, released=ONE, passed=ONE), view=view(1))
    return replace(seen, work=compile_work(FROM_BEFORE, NAME, before=items))


def test_it_begins_with_the_group_and_no_item_is_sent() -> None:
    plan = look(running(WANTED, view=view(1)))

    assert only(plan, Release) == [Release(ONE)]
    assert plan.actions[1:] == (Redispatch(ONE),)
    assert plan.status.before == StageStatus(state=StageState.PENDING)
    assert plan.demand
    assert (plan.demand.items, plan.demand.reason) == (1, "spec.before comes first.")


def test_items_wait_while_it_runs() -> None:
    plan = look(running(WANTED, RUNS, view=view(1)))

    assert plan.actions == ()
    assert plan.status.before == StageStatus(state=StageState.RUNNING)
    assert (plan.status.pending, plan.status.active) == (10, 0)


def test_items_are_sent_once_it_has_succeeded() -> None:
    plan = look(running(WANTED, RUNS, view=view(1), completions=Completions(ONE)))

    assert only(plan, Dispatch) == [Dispatch(0, 0, full(10))]
    assert plan.status.before == StageStatus(state=StageState.SUCCEEDED)


def test_its_failure_is_the_groups_and_cancels_the_items() -> None:
    plan = look(running(WANTED, RUNS, completions=Completions(failed={UNIT: BAD})))
    target = find(plan.status, ConditionType.FAILURE_TARGET)

    assert target
    assert (target.reason, target.message) == (Reason.BEFORE_FAILED, "spec.before failed: ValueError: bad")
    assert plan.status.before == StageStatus(state=StageState.FAILED, reason="ValueError", message="bad")
    assert (plan.status.cancelled, plan.status.failed) == (10, 0)


def test_the_deadline_holds_for_it_and_stops_it() -> None:
    wanted = spec(activeDeadlineSeconds=60, before=BEFORE, itemsFrom={"before": {}})
    seen = running(wanted, replace(RUNS, total=0, running_since=NOW), queue=queue(held=1))

    assert look(seen, NOW + 59).status.state == "Pending"
    plan = look(seen, NOW + 60)
    failed = find(plan.status, ConditionType.FAILED)
    assert failed
    assert failed.reason == Reason.DEADLINE_EXCEEDED
    assert failed.message == "spec.before had not ended after activeDeadlineSeconds (60 s)."
    assert plan.status.before == StageStatus(state=StageState.CANCELLED)
    assert plan.demand
    assert not plan.demand.leftovers, "workers that wait for it would wait for ever"


def test_it_is_sent_though_workers_died_with_it() -> None:
    """Suspects of their kind are sent when nothing else is left, and the items wait for it."""
    books = replace(RUNS, losses={UNIT: MAX_LOSSES}).withdrawn(ONE)

    assert only(look(running(WANTED, books, view=view(1))), Redispatch) == [Redispatch(ONE)]


def test_a_task_that_it_shares_with_the_items_is_tried_with_it_first() -> None:
    wanted = spec(10, before={"task": "shop.send"})
    books = replace(RUNS, unknown_tasks=("shop.send",)).withdrawn(ONE)

    assert only(look(running(wanted, books, view=view(1))), Redispatch) == [Redispatch(ONE)]


def test_what_it_found_is_written_before_the_first_item_is_sent() -> None:
    plan = look(found())

    assert (plan.status.total, plan.status.pending) == (5, 5)
    assert plan.status.items == ItemsStatus(count=5, sha256=found().work.digest(5))  # type: ignore[union-attr]
    assert plan.transition
    assert only(plan, Dispatch) == [Dispatch(0, 0, full(5))]
    assert not look(replace(found(), status=plan.status, ledger=plan.ledger)).transition, "once"


def test_an_empty_list_is_a_complete_group() -> None:
    plan = look(found([]))

    assert (plan.status.state, plan.status.total, plan.status.percent) == ("Complete", 0, 100)


def test_the_callback_of_an_empty_list_runs() -> None:
    wanted = spec(before=BEFORE, itemsFrom={"before": {}}, callback={"task": "shop.gather"})
    seen = running(wanted, ledger(0, released=ONE, passed=ONE), view=view(1))

    assert only(look(seen), Release) == [], "before anybody knows that the list is empty"
    plan = look(replace(seen, work=compile_work(wanted, NAME, before=[])))
    assert only(plan, Release) == [Release(Units([stage_unit(Stage.CALLBACK)]))]


def test_while_nobody_knows_the_list_ends_of_items_are_not_counted() -> None:
    """The operator restarted: which step of an item is its last one follows from the work."""
    books = replace(DONE, cursors={0: 10})
    seen = running(FROM_BEFORE, books, completions=completions([1, 2]))

    plan = look(seen)
    assert plan.ledger.succeeded == NONE
    assert plan.ledger.passed == ONE


def test_a_result_that_cannot_be_used_fails_the_group() -> None:
    flaw = Failure(Reason.RESULT_UNUSABLE, "The result of spec.before is not a list, but an object.")
    plan = look(running(FROM_BEFORE, replace(DONE, total=0)), before_flaw=flaw)
    failed = find(plan.status, ConditionType.FAILED)

    assert failed
    assert failed.reason == Reason.BEFORE_FAILED
    assert failed.message == f"spec.before failed: ResultUnusable: {flaw.message}"
    assert plan.status.before == StageStatus(state=StageState.FAILED, reason=flaw.reason, message=flaw.message)


def test_it_runs_again_when_redis_lost_its_result_that_items_need() -> None:
    lost = after_data_loss(replace(DONE, cursors={0: 4}), full(4), "another")

    assert lost.passed == NONE
    assert lost.attempts.items() >= {0: 1, 1: 1, 2: 1, 3: 1, UNIT: 1}.items()
    plan = look(running(WANTED, lost, queue=queue(nonce="another"), view=view(1)))
    assert plan.actions == (Release(ONE), Redispatch(ONE))


def test_it_does_not_run_again_for_a_callback_alone() -> None:
    lost = after_data_loss(replace(DONE, cursors={0: 10}, succeeded=full(10)), full(10), "another")

    assert lost.passed == ONE
    assert UNIT not in lost.attempts


def test_the_loss_of_a_state_in_which_it_alone_was_sent_is_noticed() -> None:
    plan = look(running(WANTED, RUNS, queue=queue(nonce=None), view=view(1)))

    assert plan.actions == (Open(),)
    assert plan.ledger.attempts == {UNIT: 1}
    assert state().nonce != plan.ledger.nonce or plan.ledger.released == NONE


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"a": [1, 2]}, [{"a": [1, 2]}, 2, "from 2"]),
        ({"a": ["x", "y"], "b": None}, [{"a": ["x", "y"], "b": None}, "y", "from y"]),
    ],
)
def test_placeholders_hold_its_result(result: Any, expected: list[Any]) -> None:
    arguments = ["$(before.result)", "$(before.result.a.1)", "from $(before.result.a.1)"]
    template = {"task": "shop.send", "args": arguments}
    full_work = compile_work(
        spec(2, before=BEFORE, template=template, callback={"task": "shop.gather", "args": arguments}),
        NAME,
        before=result,
    )

    assert full_work.call(1).args == expected
    assert full_work.call(stage_unit(Stage.CALLBACK)).args == expected


def test_it_may_stand_in_front_of_the_arguments() -> None:
    chain = {"chain": [{"task": "a", "args": ["$(item)"]}, {"task": "b"}]}
    mutable = compile_work(spec(2, before={**BEFORE, "prependResult": True}, template=chain), NAME, before=[7])
    immutable = {"task": "a", "args": ["$(item)"], "options": {"immutable": True}}
    alone = compile_work(spec(2, before={**BEFORE, "prependResult": True}, template=immutable), NAME, before=[7])

    assert mutable.call(1).args == [[7], 1]
    assert mutable.call(1 + 2**24).args == []
    assert alone.call(1).args == [1]


@pytest.mark.parametrize(
    ("fields", "result", "sentence"),
    [
        ({}, {"a": 1}, "is not a list, but an object"),
        ({}, None, "is not a list, but null"),
        ({}, "abc", "is not a list, but a text"),
        ({}, 5, "is not a list, but a number"),
        ({}, [0] * 100_001, "has 100,001 entries, and 100,000 are allowed"),
        ({}, [2**64], "holds an integer beyond 64 bits"),
        ({"template": {"task": "a", "args": ["$(item.b)"]}}, [{"a": 1}], "Item 0 has no 'b'"),
        ({"template": {"task": "a", "args": ["$(before.result.9)"]}}, [1], "has no '9' for $(before.result.9)."),
        ({"callback": {"task": "a", "args": ["$(before.result.x)"]}}, [1], "has no 'x' for $(before.result.x)."),
        ({"template": {"task": "a", "args": ["$(item)"]}}, ["x" * MAX_MESSAGE_BYTES], "pass large data by reference"),
        ({"before": {**BEFORE, "prependResult": True}}, ["x" * 9, "x" * MAX_MESSAGE_BYTES], "by reference"),
        ({"callback": {"task": "a", "args": ["$(before.result)"]}}, ["x" * 400_000] * 3, "message of spec.callback"),
    ],
)
def test_what_cannot_be_run_with_it_is_said_in_a_sentence(fields: dict[str, Any], result: Any, sentence: str) -> None:
    wanted = spec(**{"before": BEFORE, "itemsFrom": {"before": {}}, **fields})

    assert work(wanted).awaits_items
    with pytest.raises(InvalidSpecError) as caught:
        compile_work(wanted, NAME, before=result)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"template": {"task": "a", "args": ["$(before.result)"]}}, "has no meaning: it is the result of spec.before"),
        ({"before": {"task": "a", "args": ["$(before.result.x)"]}}, "has no meaning in spec.before: it is the result"),
        ({"before": {"task": "a", "args": ["$(item)"]}}, "has no meaning in spec.before: it runs once for all items."),
        ({"before": {"task": "a", "args": ["$(before)"]}}, "Unknown placeholder $(before)"),
    ],
)
def test_placeholders_that_mean_nothing_are_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        work(spec(3, **fields))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("wanted", [spec(5, before={"chain": [BEFORE, BEFORE]}), FROM_BEFORE], ids=["items", "found"])
def test_a_killed_operator_does_not_run_it_twice_and_sends_no_item_twice(wanted: Any) -> None:
    """It dies between every two effects of the whole life, and reads the result anew."""
    for fuse in range(40):
        world = World(wanted)
        for number in range(30):
            world.now += 1.5
            world.fuse = fuse if number == 2 else None
            world.look()
            world.fuse = None
            world.workers.settle(world.tick())
            for _ in range(5):
                world.take(0, 5)
                world.end(0)
        assert not world.flaws
        assert (world.status.state, world.status.total) == ("Complete", 5)
        assert world.broker.sent == dict.fromkeys(map(_name, world.work.units), 1)


def _name(unit: int) -> str:
    return task_id(UID, unit)


@pytest.mark.parametrize("other", [False, True], ids=["the same list", "another list"])
def test_a_list_that_is_found_again_has_to_be_the_same(other: bool) -> None:
    world = World(FROM_BEFORE)
    for number in range(40):
        world.now += 1.5
        world.look()
        world.workers.settle(world.tick())
        world.take(0, 5)
        if number < 5 or number > 8:
            world.end(0)
        if number == 8:
            assert world.status.total == 5
            world.broker.lose_all()
            world.results.ends.clear()
            if other:
                world.found = [1, 2]

    assert world.status.before
    if other:
        assert (world.status.state, world.status.before.reason) == ("Failed", Reason.ITEMS_CHANGED)
    else:
        assert (world.status.state, world.status.succeeded) == ("Complete", 5)
