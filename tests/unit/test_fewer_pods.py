"""A lower maxReplicas under a group whose queue is never empty: busy pods are spared, and yet the others go."""

from support.builders import spec
from support.stories import check_end, resize, succeed, take
from support.world import World


def _round(world: World) -> None:
    """Every task takes longer than a look: a pod that ended one takes the next at once."""
    world.now += 1.5
    world.look()
    world.workers.settle(world.tick())
    for _ in range(4):
        succeed(world, 0)
        take(world, 5)


def test_pods_go_although_items_wait_for_all_of_them() -> None:
    world = World(spec(200, workers={"concurrency": 1, "maxReplicas": 4}))
    for _ in range(6):
        _round(world)
    assert len(world.workers.live()) == 4

    resize(world, 0)
    for _ in range(6):
        _round(world)

    assert len(world.workers.live()) == 1
    assert not (world.status.succeeded or 0) > 100
    for _ in range(200):
        _round(world)
    check_end(world)
