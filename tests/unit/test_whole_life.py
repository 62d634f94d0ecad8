"""Whole lives of groups in a world where everything dies: every item ends, once, and no message is sent twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from support.builders import spec
from support.examples import examples
from support.stories import (
    AGAIN,
    CALM,
    CUT,
    DEAF,
    FLUSH,
    GROWTH,
    HANDS,
    LOSS,
    OUTAGE,
    STORM,
    UNKNOWN,
    WIDTH,
    check,
    check_end,
    die_of,
    live_on,
    lived,
    retry,
    stories,
    succeed,
    take,
)
from support.story_ends import has_items
from support.story_specs import lenient_specs, mixed_specs, nested_specs, paced_specs, retried_specs, specs
from support.world import UID, World
from taskgroup.api.control import OnDeadline
from taskgroup.api.names import EventReason, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.exchange import MAX_LOSSES
from taskgroup.core.groups.plan import MarkMissing, Search
from taskgroup.core.groups.recovery import MAX_MISSED
from taskgroup.core.hooks import Hook, hook_units
from taskgroup.core.pools.plan import Requeue
from taskgroup.core.stages import Stage
from taskgroup.core.status.conditions import seconds
from taskgroup.core.task_id import TaskId


@given(specs, stories(CALM))
def test_without_trouble_all_succeed_at_their_first_attempt(
    wanted: TaskGroupSpec, story: list[tuple[str, int]]
) -> None:
    world = lived(wanted, story, CALM)

    check_end(world)
    assert world.status.succeeded == world.work.total
    never = world.work.stage(Stage.ON_FAILURE) | hook_units(Hook.ON_ITEM_FAILURE, world.work.entries)
    assert set(world.broker.sent) == {str(TaskId(UID, unit)) for unit in world.work.units - never}
    assert set(world.broker.sent.values()) == {1}


@settings(max_examples=examples(100))
@given(specs, stories(STORM))
def test_every_item_ends_whoever_dies(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, STORM)

    check_end(world)
    assert world.status.total == world.work.total or not has_items(world)
    assert not world.status.cancelled or not has_items(world)
    deaths = sum(name in ("container dies", "pod dies") for name, _ in story)
    for failure in world.status.failures or ():
        assert failure.reason != Reason.LOST or deaths > MAX_LOSSES, "only poison is given up"


@settings(max_examples=examples(100))
@given(lenient_specs, stories(STORM | FLUSH))
def test_a_group_that_may_end_early_ends_as_its_policies_say(
    wanted: TaskGroupSpec, story: list[tuple[str, int]]
) -> None:
    check_end(lived(wanted, story, STORM | FLUSH))


@settings(max_examples=examples(60))
@given(specs, stories(HANDS))
def test_every_item_ends_whatever_becomes_of_the_deployment(
    wanted: TaskGroupSpec, story: list[tuple[str, int]]
) -> None:
    world = lived(wanted, story, HANDS)

    check_end(world)
    assert not world.status.cancelled or not has_items(world)


@settings(max_examples=examples(40))
@given(specs, stories(STORM))
def test_an_operator_that_is_told_late_what_was_written_loses_nothing(
    wanted: TaskGroupSpec, story: list[tuple[str, int]]
) -> None:
    """Its watch shows the object as it was created, and it takes it for a new one."""
    check_end(lived(wanted, story, STORM, late=True))


def test_what_a_pod_holds_that_the_pool_has_not_seen_yet_is_not_missing() -> None:
    """The pool hangs in a request while the pod starts that another one asked for."""
    world = World(spec(2, workers={"concurrency": 1, "maxReplicas": 2}))
    for _ in range(3):
        world.now += 1.5
        world.look()
    world.workers.settle(world.tick())
    take(world, 1)
    for _ in range(5):
        world.now += 11.0
        world.look(pool=False)

    check(world)
    assert not [action for action in world.actions if isinstance(action, (MarkMissing, Search))]


@settings(max_examples=examples(60))
@given(specs, stories(LOSS))
def test_messages_that_vanish_are_sent_again(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, LOSS)

    check_end(world)
    troubles = sum(name in ("container dies", "pod dies", "message lost") for name, _ in story)
    for failure in world.status.failures or ():
        assert failure.reason != Reason.LOST or troubles > min(MAX_LOSSES, MAX_MISSED)


@settings(max_examples=examples(60))
@given(specs | mixed_specs | nested_specs, stories(UNKNOWN))
def test_a_task_that_becomes_known_costs_no_item(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, UNKNOWN)

    check_end(world)
    assert not [failure for failure in world.status.failures or () if failure.reason == "NotRegistered"]


@settings(max_examples=examples(60))
@given(specs, stories(GROWTH))
def test_appended_items_join_until_the_end(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, GROWTH))


@settings(max_examples=examples(60))
@given(specs, stories(WIDTH))
def test_parallelism_may_change_at_any_time(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, WIDTH)

    check_end(world)
    assert not world.status.cancelled or not has_items(world)


@settings(max_examples=examples(60))
@given(specs, stories(FLUSH))
def test_a_group_survives_the_loss_of_all_data(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, FLUSH))


@settings(max_examples=examples(60))
@given(specs, stories(OUTAGE))
def test_a_broker_that_comes_and_goes_costs_no_item(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, OUTAGE)

    check_end(world)
    assert not world.status.cancelled or not has_items(world)


@settings(max_examples=examples(60))
@given(specs, stories(DEAF))
def test_an_answer_that_is_lost_makes_no_item_missing(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, DEAF)

    check_end(world)
    assert world.status.succeeded == world.work.total
    assert not [action for action in world.actions if isinstance(action, MarkMissing)]


@given(specs, stories(STORM), st.integers(1, 60), st.sampled_from(OnDeadline))
def test_a_deadline_always_ends_the_group(
    wanted: TaskGroupSpec, story: list[tuple[str, int]], limit: int, way: OnDeadline
) -> None:
    world = lived(wanted.model_copy(update={"active_deadline_seconds": limit, "on_deadline": way}), story, STORM)

    _check_stopped(world)


@settings(max_examples=examples(75))
@given(specs, stories(AGAIN), stories(AGAIN))
def test_a_group_may_be_run_again_at_any_time(
    wanted: TaskGroupSpec, story: list[tuple[str, int]], more: list[tuple[str, int]]
) -> None:
    world = lived(wanted, story, AGAIN)
    check_end(world)
    succeeded = world.status.succeeded or 0

    retry(world, 1)
    live_on(world, more, AGAIN)

    check_end(world)
    assert (world.status.succeeded or 0) >= succeeded, "successes stay"
    assert world.status.last_retry_id == f"again-{world.retries}"


@given(specs, stories(CUT))
def test_a_cancelled_group_ends_at_once_and_leaves_nothing(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, CUT)

    _check_stopped(world)
    assert not world.status.cancelled or world.spec.cancel or not has_items(world)


def _check_stopped(world: World) -> None:
    check_end(world)
    if world.status.cancelled:
        for _ in range(5):
            world.now += 31.0
            world.look()
            world.workers.settle(world.tick())
        assert not world.queue, "nothing is left on the queue"
        assert not world.in_hands(), "nothing is left with a worker"
        assert not world.workers.live()


@settings(max_examples=examples(60))
@given(specs | retried_specs | lenient_specs | paced_specs | nested_specs, stories(LOSS))
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = World(wanted)
    for name, number in story:
        LOSS[name](world, number)
    world.now += 40.0
    for _ in range(30):  # two searches for each of two messages that were lost at the very end, and the longest backoff
        world.now += 6.0
        plan = world.look()
    assert plan is not None

    world.now += 1.5
    again = world.look()

    assert again is not None
    assert (again.actions, again.transition, again.events, again.save) == ((), False, (), False)
    assert world.pool_plan is not None
    assert world.pool_plan.actions == ()
    assert again.status == plan.status


@given(specs, stories(FLUSH))
def test_lost_data_are_told_once_for_each_loss(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, FLUSH)

    losses = sum(name == "redis loses all" for name, _ in story)
    told = [event for event in world.store.events if event.reason == EventReason.DATA_LOST]
    assert len(told) <= losses


def test_an_item_that_kills_its_workers_is_given_up_and_its_neighbours_succeed() -> None:
    world = World(spec(1, workers={"concurrency": 1, "maxReplicas": 1}))
    die_of(world, 60)

    check(world)
    check_end(world)
    assert world.status.failures is not None
    failure = world.status.failures[0]
    assert (failure.reason, failure.indexes) == (Reason.LOST, "0")
    assert sum(isinstance(action, Requeue) for action in world.actions) == MAX_LOSSES + 1


def test_a_status_near_the_end_waits_for_the_one_that_tells_it() -> None:
    world = World(spec(40, workers={"concurrency": 4, "maxReplicas": 1}))
    for _ in range(200):
        world.now += 0.05
        world.look()
        world.workers.settle(world.tick())
        take(world, 3)
        succeed(world, 1)

    check_end(world)
    started = seconds(str(world.status.start_time))
    assert seconds(str(world.status.completion_time)) - started <= 4
