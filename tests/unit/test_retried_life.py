"""Whole lives of groups whose failed items are run again: as often as the policy says, and under a new id each time."""

from hypothesis import given, settings

from support.examples import examples
from support.stories import BOOKS, DEAF, FLUSH, LOSS, OUTAGE, STORM, Step, check_end, lived, stories
from support.story_specs import retried_specs
from support.world import World
from taskgroup.api.policies import RetryAction
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.groups.plan import Stop
from taskgroup.core.task_id import TaskId

FAIL: dict[str, Step] = {
    "fail once more": lambda world, number: world.end(number, "ValueError"),
    "fail by a rule": lambda world, number: world.end(number, "KeyError"),
}


def runs(world: World, unit: int) -> int:
    """Under how many ids it was sent: a new one for each retry, and when a suspended group stops it."""
    parsed = [TaskId.parse(name) for name in world.broker.sent]
    return len({item.attempt for item in parsed if item and item.unit == unit})


@settings(max_examples=examples(60))
@given(retried_specs, stories(STORM | FAIL))
def test_every_item_ends_and_none_is_tried_too_often(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, STORM | FAIL)

    check_end(world)
    policy = wanted.retry_policy
    assert policy
    rules = [rule.action for rule in policy.rules or ()]
    memory = world.operator.following.memory
    if RetryAction.IGNORE not in rules and memory:
        counted = memory.record.ledger.retries.counted
        assert all(count <= policy.limit for count in counted.values())
        stops = sum(isinstance(action, Stop) for action in world.actions)
        assert all(runs(world, unit) <= policy.limit + 1 + stops for unit in world.work.units)


@settings(max_examples=examples(60))
@given(retried_specs, stories(LOSS | FAIL))
def test_retries_outlive_lost_messages(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, LOSS | FAIL))


@settings(max_examples=examples(60))
@given(retried_specs, stories(FLUSH | FAIL))
def test_retries_outlive_the_loss_of_all_data(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, FLUSH | FAIL))


@settings(max_examples=examples(60))
@given(retried_specs, stories(OUTAGE | DEAF | FAIL))
def test_retries_outlive_answers_that_are_lost(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, OUTAGE | DEAF | FAIL))


@settings(max_examples=examples(60))
@given(retried_specs, stories(BOOKS | FAIL))
def test_retries_outlive_a_ledger_that_is_deleted_or_replaced(
    wanted: TaskGroupSpec, story: list[tuple[str, int]]
) -> None:
    check_end(lived(wanted, story, BOOKS | FAIL))
