"""A pod that nobody saw while it lived: what it took is given back, and not sent again as if it were missing."""

from support.builders import spec
from support.stories import CALM, check_end, live_on
from support.world import World


def test_what_a_pod_took_between_two_looks_is_not_missing() -> None:
    world = World(spec(4))
    while not world.queue:
        world.now += 2.0
        world.look()
    world.workers.settle(world.tick())
    for _ in range(4):
        world.take(0, 4)
    assert [*world.held().values()] == [4]
    world.workers.remove()
    world.workers.settle(world.tick())
    assert world.workers.live() == []

    live_on(world, [], CALM)
    check_end(world)
    assert world.status.succeeded == 4
    assert set(world.broker.sent.values()) == {1}
