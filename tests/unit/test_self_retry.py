"""A task that asks to be run again by Celery's own `self.retry` is shown as retrying, and is in flight nevertheless."""

from support.builders import spec
from support.world import World
from taskgroup.api.status import TaskGroupStatus


def begun(count: int = 3) -> World:
    """All items are with a worker."""
    world = World(spec(count=count, workers={"concurrency": 4}))
    look(world)
    for _ in range(count):
        world.take(0, 4)
    look(world)
    assert counts(world.status) == (0, count, 0, 0)
    return world


def look(world: World) -> None:
    for _ in range(4):
        world.now += 2.0
        world.look()
        world.workers.settle(world.tick())


def counts(status: TaskGroupStatus) -> tuple[int | None, ...]:
    return status.pending, status.active, status.retrying, status.succeeded


def ask_again(world: World, *places: int) -> None:
    for place in places:
        world.results.ask_again(world.in_hands()[place].id)


def test_it_is_retrying_until_it_has_ended() -> None:
    world = begun()
    ask_again(world, 0, 2)
    look(world)
    assert counts(world.status) == (0, 1, 2, 0)
    world.end(0)
    look(world)
    assert counts(world.status) == (0, 1, 1, 1)
    world.end(0)
    world.end(0)
    look(world)

    assert counts(world.status) == (0, 0, 0, 3)
    assert not world.flaws


def test_its_workers_are_needed_and_it_is_not_sent_again() -> None:
    world = begun(1)
    ask_again(world, 0)
    for _ in range(40):
        look(world)

    assert counts(world.status) == (0, 0, 1, 0)
    assert world.status.workers
    assert world.status.workers.ready == 1
    assert set(world.broker.sent.values()) == {1}


def test_a_restarted_operator_sees_it_again() -> None:
    world = begun()
    ask_again(world, 1)
    world.kill()
    look(world)

    assert counts(world.status) == (0, 2, 1, 0)


def test_while_the_secret_is_missing_it_stays_as_it_is() -> None:
    world = begun()
    ask_again(world, 1)
    look(world)
    world.has_secret = False
    world.change(world.spec)
    look(world)
    assert counts(world.status) == (0, 2, 1, 0)
    world.has_secret = True
    world.change(world.spec)
    look(world)

    assert counts(world.status) == (0, 2, 1, 0)


def test_a_group_that_is_cancelled_retries_nothing() -> None:
    world = begun()
    ask_again(world, 0, 1, 2)
    look(world)
    world.change(world.spec.model_copy(update={"cancel": True}))
    look(world)

    assert (world.status.retrying, world.status.cancelled) == (0, 3)
    assert not world.flaws
