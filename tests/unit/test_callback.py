"""The fan-in: one task after all items, with their results, and the group ends with it."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import BAD, NOW, completions, ledger, look, only, running, spec, view, work
from support.memory.results import MemoryResults
from support.world import UID, World
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.signature import CallbackInput
from taskgroup.api.status import StageState, StageStatus
from taskgroup.core.completions import Completions
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.groups.outcome import judge
from taskgroup.core.groups.plan import Redispatch, Release
from taskgroup.core.indexes import full
from taskgroup.core.stages import Stage, stage_unit
from taskgroup.core.status.conditions import find
from taskgroup.core.task_id import task_id
from taskgroup.core.units import Units
from taskgroup.groups.callback_input import ResultsGoneError, callback_input

CALLBACK = {"task": "shop.gather", "args": ["$(group.name)"]}
WANTED = spec(10, callback=CALLBACK)
UNIT = stage_unit(Stage.CALLBACK)
DONE = ledger(10, dispatched=10, succeeded=full(10))


def stored(*missing: int) -> MemoryResults:
    """A backend with the results of ten items, but for some."""
    results = MemoryResults()
    for index in set(range(10)) - set(missing):
        results.store(task_id(UID, index), None)
    return results


def test_it_begins_when_the_last_item_has_succeeded() -> None:
    early = look(running(WANTED, ledger(10, dispatched=10, succeeded=full(9))))
    plan = look(running(WANTED, DONE, view=view(1)))

    assert only(early, Release) == []
    assert only(plan, Release) == [Release(Units([UNIT]))]
    assert only(plan, Redispatch) == [Redispatch(Units([UNIT]))]
    assert plan.demand
    assert plan.demand.items == 1
    assert plan.status.callback == StageStatus(state=StageState.PENDING)
    assert find(plan.status, ConditionType.FINISHED)
    assert plan.status.completion_time is None


def test_the_group_is_complete_when_it_has_succeeded_and_shows_what_it_returned() -> None:
    books = DONE.released_with(Units([UNIT])).redispatched(Units([UNIT]))
    plan = look(
        running(WANTED, books, completions=Completions(Units([UNIT])), results={Stage.CALLBACK: '{"total": 10}'})
    )

    assert plan.status.state == "Complete"
    assert plan.status.callback == StageStatus(state=StageState.SUCCEEDED, result='{"total": 10}')
    assert (plan.status.total, plan.status.succeeded, plan.status.active) == (10, 10, 0)


def test_the_group_fails_when_it_fails() -> None:
    books = DONE.released_with(Units([UNIT])).redispatched(Units([UNIT]))
    plan = look(running(WANTED, books, completions=Completions(failed={UNIT: BAD})))
    failed = find(plan.status, ConditionType.FAILED)

    assert failed
    assert (failed.status, failed.reason) == ("True", Reason.CALLBACK_FAILED)
    assert failed.message == "All 10 items succeeded, but the callback failed: ValueError: bad"
    assert plan.status.callback == StageStatus(state=StageState.FAILED, reason="ValueError", message="bad")
    assert (plan.status.succeeded, plan.status.failed) == (10, 0)


def test_it_does_not_run_when_an_item_failed() -> None:
    plan = look(running(WANTED, ledger(10, dispatched=10, succeeded=full(9)), completions=completions((), [9])))

    assert only(plan, Release) == []
    assert plan.status.state == "Failed"
    assert plan.status.callback == StageStatus(state=StageState.CANCELLED)


def test_the_deadline_holds_for_it() -> None:
    books = ledger(10, dispatched=10, succeeded=full(10), running_since=NOW)
    pending = {Stage.CALLBACK: StageStatus(state=StageState.RUNNING)}
    wanted = spec(10, callback=CALLBACK, activeDeadlineSeconds=60)

    assert judge(books, wanted, NOW + 59, pending) is None
    verdict = judge(books, wanted, NOW + 60, pending)
    assert verdict
    assert verdict.reason == Reason.DEADLINE_EXCEEDED
    assert verdict.message == "The callback had not ended after activeDeadlineSeconds (60 s)."


def test_items_that_are_appended_behind_it_are_ignored_and_told() -> None:
    """Else the group would be Complete with a callback that had not seen all results."""
    more = spec(12, callback=CALLBACK)
    books = DONE.released_with(Units([UNIT])).redispatched(Units([UNIT]))
    seen = replace(running(WANTED, books, view=view(1)), spec=more, work=work(more))
    plan = look(seen)
    valid = find(plan.status, ConditionType.CONFIGURATION_VALID)

    assert plan.actions == ()
    assert valid
    assert (valid.status, valid.reason) == ("False", Reason.GROUP_ENDED)
    assert valid.message.startswith("2 items were appended after the callback had begun and are ignored:")
    assert (plan.status.total, plan.status.pending, plan.status.active) == (10, 0, 0)

    ended = look(replace(seen, completions=Completions(Units([UNIT]))))
    assert (ended.status.state, ended.status.total, ended.status.succeeded) == ("Complete", 10, 10)


def test_items_that_are_appended_before_it_are_in_it() -> None:
    plan = look(running(spec(12, callback=CALLBACK), DONE, view=view(1)))

    assert only(plan, Release) == []
    assert plan.status.total == 12


async def test_it_gets_the_results_in_the_order_of_the_items() -> None:
    assert await callback_input(stored(), UID, work(WANTED), DONE) == [[None] * 10]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CallbackInput.SUMMARY, [{"total": 10, "succeeded": 10, "failed": 0, "cancelled": 0, "failures": {}}]),
        (CallbackInput.NONE, []),
    ],
)
async def test_it_gets_what_it_asks_for(name: CallbackInput, expected: list[Any]) -> None:
    wanted = spec(10, callback={**CALLBACK, "input": str(name)})

    assert await callback_input(MemoryResults(), UID, work(wanted), DONE) == expected


@pytest.mark.parametrize("missing", [0, 9])
async def test_a_list_with_a_hole_is_never_made(missing: int) -> None:
    with pytest.raises(ResultsGoneError, match=rf"^{UID}\.{missing}$"):
        await callback_input(stored(missing), UID, work(WANTED), DONE)


async def test_results_that_are_too_long_come_as_a_reference() -> None:
    small = work(WANTED)
    small.most_message_bytes = 4
    books = ledger(10, dispatched=10, succeeded=full(10), attempts={3: 2})

    results = stored(3)
    results.store(task_id(UID, 3, 2), None)
    (value,) = await callback_input(results, UID, small, books)
    assert value == {"resultsRef": {"uid": UID, "total": 10, "suffix": "", "exceptions": {"3": f"{UID}.3~2"}}}


@pytest.mark.parametrize("placeholder", ["$(item)", "$(index)", "$(item.a)"])
def test_placeholders_of_an_item_mean_nothing_in_it(placeholder: str) -> None:
    with pytest.raises(InvalidSpecError, match=r"has no meaning in spec\.callback: it runs once for all items\.$"):
        work(spec(3, callback={"task": "shop.gather", "args": [placeholder]}))


def test_results_that_are_deleted_cannot_be_gathered() -> None:
    ignored = {"task": "shop.send", "options": {"ignoreResult": True}}
    with pytest.raises(InvalidSpecError, match=r"remove it, or set spec\.callback\.input to Summary or None\.$"):
        work(spec(3, template=ignored, callback=CALLBACK))
    assert work(spec(3, template=ignored, callback={**CALLBACK, "input": "Summary"})).total == 3


def test_a_killed_operator_does_not_run_it_twice() -> None:
    """It dies between every two effects of the whole life."""
    for fuse in range(60):
        world = World(WANTED)
        for number in range(40):
            world.now += 1.5
            world.fuse = fuse if number == 4 else None
            world.look()
            world.fuse = None
            world.workers.settle(world.tick())
            for _ in range(4):
                world.take(0, 4)
                world.end(0)
        assert world.status.state == "Complete"
        assert world.broker.sent[task_id(UID, UNIT)] == 1
