"""Whole lives of groups in a world where everything dies: every item ends, once, and no message is sent twice."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.builders import spec
from support.world import World
from support.world_redis import Message
from taskgroup.api.names import ConditionType, EventReason, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.groups.observed import Trouble
from taskgroup.core.groups.plan import ApplyWorkers, Dispatch, MarkPods, Redispatch
from taskgroup.core.groups.recovery import MAX_LOSSES, MAX_MISSED
from taskgroup.core.indexes import parse_indexes
from taskgroup.core.items.work import compile_work
from taskgroup.core.status.conditions import is_true
from taskgroup.core.status.phase import Phase, phase_of

SECONDS = (0.0, 0.2, 1.1, 11.0, 31.0)
Step = Callable[[World, int], object]


def _look(world: World, number: int) -> None:
    world.now += SECONDS[number % len(SECONDS)]
    world.look()


def _killed_look(world: World, number: int) -> None:
    world.now += SECONDS[number % len(SECONDS)]
    world.fuse = number
    world.look()
    world.fuse = None


def _forget(world: World, _: int) -> None:
    world.memory = None


def _suspend(world: World, number: int) -> None:
    world.spec = world.spec.model_copy(update={"suspend": number % 2 == 0})


def _spoil(world: World, number: int) -> None:
    world.invalid = Trouble(Reason.SECRET_NOT_FOUND, "No Secret.") if number % 2 == 0 else None


def _narrow(world: World, number: int) -> None:
    world.spec = world.spec.model_copy(update={"parallelism": number or None})
    world.most_parallel = max(world.most_parallel, number) if number and world.most_parallel else None


def _unlearn(world: World, number: int) -> None:
    world.workers.known = number % 2 == 1


def _repeat_news(world: World, _: int) -> None:
    """Everything that was ever said of newest attempts is said again."""
    if world.memory is not None and phase_of(world.status) is Phase.RUNNING:
        said = world.redis.results.keys()
        newest = [message for message in said if message.attempt == world.redis.attempts[message.index]]
        world.memory.arrivals = world.news(newest, world.memory.arrivals)


def _append(world: World, number: int) -> None:
    if world.spec.sequence is not None and world.work.total < 40:
        longer = world.spec.sequence.model_copy(update={"count": world.work.total + number})
        world.spec = world.spec.model_copy(update={"sequence": longer})
        world.work = compile_work(world.spec, "thumbnails")


def _take(world: World, number: int) -> None:
    for _ in range(number + 1):
        world.workers.take(number)


def _succeed(world: World, number: int) -> None:
    for _ in range(number + 1):
        world.workers.end(number)


CALM: dict[str, Step] = {
    "rest": lambda *_: None,
    "look": _look,
    "look again": _look,
    "settle": lambda world, _: world.workers.settle(),
    "take": _take,
    "succeed": _succeed,
    "repeat news": _repeat_news,
}
STORM: dict[str, Step] = CALM | {
    "operator killed in a look": _killed_look,
    "operator killed": _forget,
    "suspend or resume": _suspend,
    "spoil or repair": _spoil,
    "fail": lambda world, number: world.workers.end(number, "ValueError"),
    "container dies": lambda world, number: world.workers.die(number, restart=True),
    "pod dies": lambda world, number: world.workers.die(number, restart=False),
}
LOSS: dict[str, Step] = STORM | {"message lost": lambda world, number: world.redis.lose(number)}
UNKNOWN: dict[str, Step] = STORM | {"task unknown or known": _unlearn}
GROWTH: dict[str, Step] = STORM | {"append": _append}
WIDTH: dict[str, Step] = STORM | {"narrow or widen": _narrow}
FLUSH: dict[str, Step] = STORM | {"redis loses all": lambda world, _: world.redis.flush()}


def stories(steps: dict[str, Step]) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(list(steps)), st.integers(0, 7)), min_size=25, max_size=60)


specs = st.builds(
    spec,
    st.integers(1, 24),
    parallelism=st.none() | st.integers(1, 6),
    workers=st.builds(dict, concurrency=st.integers(1, 3), maxReplicas=st.integers(1, 3)),
)


def lived(wanted: TaskGroupSpec, story: list[tuple[str, int]], steps: dict[str, Step]) -> World:
    """The world after a story, and after the calm that follows it."""
    world = World(wanted)
    for name, number in story:
        steps[name](world, number)
        check(world)
    world.invalid, world.workers.known = None, True
    world.spec = world.spec.model_copy(update={"suspend": False})
    for _ in range(400):
        world.now += 7.0
        world.look()
        check(world)
        world.workers.settle()
        for _ in range(10):
            _take(world, 5)
            _succeed(world, 5)
        if is_true(world.status, ConditionType.FINISHED):
            break
    return world


def check(world: World) -> None:
    assert not world.flaws
    twice = {m: n for m, n in world.redis.sent.items() if n > 1 + world.redis.allowed[m]}
    assert not twice, "sent twice"
    if world.most_parallel and world.memory:
        assert len(world.memory.ledger.in_flight(world.work.lanes)) <= world.most_parallel


def check_end(world: World) -> None:
    status = world.status
    assert is_true(status, ConditionType.FINISHED), f"never ended: {status.progress}, {status.conditions}"
    assert status.completed_indexes is not None
    assert status.failed_indexes is not None
    good, bad = parse_indexes(status.completed_indexes), parse_indexes(status.failed_indexes)
    assert not good & bad
    assert len(good) == status.succeeded
    assert len(bad) == status.failed
    assert status.total == len(good) + len(bad) + (status.cancelled or 0)
    assert (status.pending, status.active) == (0, 0)
    assert is_true(status, ConditionType.COMPLETE) == (len(good) == status.total)
    for message, failure in world.redis.results.items():
        if failure is None and message.attempt == world.redis.attempts[message.index] and not status.cancelled:
            assert message.index in good, "a success that is readable is counted"
    ends = [event for event in world.events if event.reason in (EventReason.COMPLETED, EventReason.FAILED)]
    assert len(ends) == 1


@given(specs, stories(CALM))
def test_without_trouble_all_succeed_at_their_first_attempt(
    wanted: TaskGroupSpec, story: list[tuple[str, int]]
) -> None:
    world = lived(wanted, story, CALM)

    check_end(world)
    assert world.status.succeeded == world.work.total
    assert set(world.redis.sent) == {Message(index, 0) for index in range(world.work.total)}
    assert set(world.redis.sent.values()) == {1}


@settings(max_examples=200)
@given(specs, stories(STORM))
def test_every_item_ends_whoever_dies(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, STORM)

    check_end(world)
    assert world.status.total == world.work.total
    assert not world.status.cancelled
    deaths = sum(name in ("container dies", "pod dies") for name, _ in story)
    for failure in world.status.failures or ():
        assert failure.reason != Reason.LOST or deaths > MAX_LOSSES, "only poison is given up"


@settings(max_examples=120)
@given(specs, stories(LOSS))
def test_messages_that_vanish_are_sent_again(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, LOSS)

    check_end(world)
    troubles = sum(name in ("container dies", "pod dies", "message lost") for name, _ in story)
    for failure in world.status.failures or ():
        assert failure.reason != Reason.LOST or troubles > min(MAX_LOSSES, MAX_MISSED)


@settings(max_examples=120)
@given(specs, stories(UNKNOWN))
def test_a_task_that_becomes_known_costs_no_item(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, UNKNOWN)

    check_end(world)
    assert not [failure for failure in world.status.failures or () if failure.reason == "NotRegistered"]


@settings(max_examples=120)
@given(specs, stories(GROWTH))
def test_appended_items_join_until_the_end(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, GROWTH))


@settings(max_examples=120)
@given(specs, stories(WIDTH))
def test_parallelism_may_change_at_any_time(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = lived(wanted, story, WIDTH)

    check_end(world)
    assert not world.status.cancelled


@settings(max_examples=120)
@given(specs, stories(FLUSH))
def test_a_group_survives_the_loss_of_all_data(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    check_end(lived(wanted, story, FLUSH))


@given(specs, stories(STORM), st.integers(1, 60))
def test_a_deadline_always_ends_the_group(wanted: TaskGroupSpec, story: list[tuple[str, int]], limit: int) -> None:
    world = lived(wanted.model_copy(update={"active_deadline_seconds": limit}), story, STORM)

    check_end(world)
    if world.status.cancelled:
        for _ in range(5):
            world.now += 31.0
            world.look()
            world.workers.settle()
        assert not world.redis.queue, "nothing is left on the queue"
        assert not world.redis.in_hands(), "nothing is left with a worker"
        assert not world.workers.live()


@settings(max_examples=120)
@given(specs, stories(LOSS))
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(wanted: TaskGroupSpec, story: list[tuple[str, int]]) -> None:
    world = World(wanted)
    for name, number in story:
        LOSS[name](world, number)
    world.now += 40.0
    for _ in range(12):
        world.now += 1.5
        plan = world.look()
    assert plan is not None

    world.now += 1.5
    again = world.look()

    assert again is not None
    assert (again.actions, again.transition, again.events, again.save) == ((), False, (), False)
    assert again.status == plan.status


@pytest.mark.parametrize("kind", [Dispatch, Redispatch, ApplyWorkers, MarkPods])
def test_the_stories_reach_every_kind_of_action(kind: type) -> None:
    """The properties above would hold for a world in which nothing happens."""
    world, seen = World(spec(6, workers={"concurrency": 1, "maxReplicas": 3})), list[object]()
    for number in range(60):
        world.now += 1.5
        plan = world.look()
        seen.extend(plan.actions if plan else ())
        world.workers.settle()
        world.workers.take(0)
        if number == 10:
            world.workers.die(0, restart=False)
        _suspend(world, 0 if number in (20, 21) else 1)
        if number > 30:
            world.workers.end(number)

    assert kind in {type(action) for action in seen}
