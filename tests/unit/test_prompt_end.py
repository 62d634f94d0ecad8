"""The end of the last item is the end of the group in its status, without a wait for the next second's write."""

import pytest

from support.builders import spec
from support.world import World
from taskgroup.api.names import State


def brought_to_its_last_item() -> World:
    """A group of one whose item runs, and whose status was written in this very second."""
    world = World(spec(1))
    for _ in range(6):
        world.look()
        world.workers.settle(world.tick())
        world.take(0, 1)
        world.now += 1
    assert world.in_hands()
    memory = world.operator.following.memory
    assert memory is not None
    memory.record.status_written = world.clock.monotonic()
    return world


@pytest.mark.parametrize(("failure", "state"), [(None, State.COMPLETE), ("ValueError", State.FAILED)])
def test_the_outcome_does_not_wait_for_its_second(failure: str | None, state: State) -> None:
    """Two transitions of a second each came after the end of an item that had run for 1.4 s; one is enough."""
    world = brought_to_its_last_item()
    before = world.now

    world.end(0, failure)
    world.look()

    assert world.now == before, "no time has passed"
    assert world.status.state is state
