"""The stories of whole lives meet every kind of action that a plan can hold."""

from collections.abc import Callable
from typing import Any

import pytest

from support.builders import spec
from support.situations import kinds
from support.stories import drop, lose, retry, suspend
from support.world import World
from taskgroup.core.groups import plan as group_plan
from taskgroup.core.pools import plan as pool_plan

_KINDS = [*kinds(group_plan), *kinds(pool_plan)]


# Nothing here expires, no worker here is deaf, and no items stand elsewhere.
_UNREACHED = (group_plan.DeleteObject, group_plan.ReadItems, group_plan.StopReading, pool_plan.StopPod)


@pytest.mark.parametrize("kind", [kind for kind in _KINDS if kind not in _UNREACHED])
def test_the_stories_reach_every_kind_of_action(kind: type) -> None:
    """The properties above would hold for a world in which nothing happens."""
    tasks: list[dict[str, Any]] = [{"task": "odd" if index in (0, 16) else "even"} for index in range(18)]
    tasks[17] = {"chain": [{"task": "even"}, {"task": "even"}]}
    policy = {"limit": 1, "backoff": {"initialSeconds": 1}}
    world = World(spec(tasks=tasks, workers={"concurrency": 1, "maxReplicas": 3}, retryPolicy=policy))
    deeds: dict[int, Callable[[], None]] = {
        26: lambda: lose(world, 0),
        30: world.kill,
        75: lambda: retry(world, 1),
    }
    for number in range(90):
        world.now += 1.5
        world.look()
        world.workers.settle(world.tick())
        world.take(0, 1)
        if number == 10:
            world.workers.die(0, world.tick(), restart=False)
            drop(world, 0)
        if number in (20, 23, 42, 43):
            suspend(world, number)
        deeds.get(number, lambda: None)()
        if number in (12, 13, *range(60, 70)):
            world.end(0, "KeyError")
        world.unknown_tasks = frozenset({"odd"} if number in range(5) or number in range(50, 54) else ())
        if number > 48:
            world.end(number)

    assert kind in {type(action) for action in world.actions}
