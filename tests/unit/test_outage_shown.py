"""A broker that goes away is told in the status at the next look, whatever the look still has to do with it."""

import pytest

from support.builders import chain_spec, said, spec
from support.world import AWAY, World
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.spec import TaskGroupSpec


def has_values_to_delete(world: World) -> bool:
    memory = world.operator.following.memory
    return memory is not None and bool(memory.record.forget)


@pytest.mark.parametrize(
    "wanted", [chain_spec(2, 6), spec(6, template={"task": "shop.send", "options": {"ignoreResult": True}})]
)
def test_values_that_wait_for_their_deletion_keep_nobody_from_telling_it(wanted: TaskGroupSpec) -> None:
    world = World(wanted)
    for _ in range(6):
        world.look()
        world.workers.settle(world.tick())
        world.now += 1.5
    while not has_values_to_delete(world):
        world.take(0, 2)
        if world.in_hands():
            world.end(0)
        world.now += 0.2
        world.look()
    world.broker.trouble = world.results.trouble = AWAY
    for _ in range(2):
        world.now += 1.5
        world.look()

    assert said(world.status, ConditionType.BACKEND_REACHABLE) == ("False", Reason.UNREACHABLE)
    kept = set(world.results.ends)
    world.broker.trouble = world.results.trouble = None
    for _ in range(2):
        world.now += 1.5
        world.look()

    assert said(world.status, ConditionType.BACKEND_REACHABLE)[0] == "True"
    assert set(world.results.ends) < kept, "what nobody wants is deleted after all"
