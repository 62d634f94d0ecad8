"""Whole lives of groups whose items a pod reads from outside, whoever dies and whatever is lost: one list, once."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.builders import chain_spec, chunk_spec, spec
from support.examples import examples
from support.stories import AGAIN, READING, STORM, check_end, live_on, read, stories
from support.world import World
from taskgroup.api.names import ConditionType, Reason
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.status.conditions import find

SOURCE: dict[str, Any] = {"itemsFrom": {"url": "https://files.example/items.jsonl"}}
WORKERS = {"concurrency": 2, "maxReplicas": 3}
FIRST = tuple(f"first-{number}" for number in range(24))
SECOND = tuple(f"second-{number}" for number in range(24))
Story = list[tuple[str, int]]

hooks = st.none() | st.just({"task": "shop.note"})
outside_specs = st.builds(
    lambda make, steps, **fields: make(steps, **SOURCE, **fields),
    st.sampled_from([chain_spec, lambda steps, **fields: chunk_spec(3, steps, **fields)]),
    st.sampled_from([1, 1, 2]),
    parallelism=st.none() | st.integers(1, 6),
    workers=st.just(WORKERS),
    onItemSuccess=hooks,
    callback=st.none() | st.just({"task": "shop.gather"}),
)


def world_of(wanted: TaskGroupSpec, items: tuple[str, ...], *, begun: bool) -> World:
    """`begun`: the items have been read, and workers have started."""
    world = World(wanted, items)
    for _ in range(4 if begun else 0):
        world.now += 1
        world.look()
        read(world, 0)
        world.workers.settle(world.tick())
    return world


@settings(max_examples=examples(60))
@given(outside_specs, st.integers(1, 24), stories(STORM | READING), st.booleans())
def test_every_item_of_the_list_ends(wanted: TaskGroupSpec, count: int, story: Story, begun: bool) -> None:
    world = live_on(world_of(wanted, FIRST[:count], begun=begun), story, STORM | READING)

    check_end(world)
    assert world.status.total == count


@settings(max_examples=examples(40))
@given(outside_specs, stories(AGAIN | READING))
def test_failed_items_of_the_list_run_again(wanted: TaskGroupSpec, story: Story) -> None:
    check_end(live_on(world_of(wanted, FIRST[:8], begun=True), story, AGAIN | READING))


def _exchange(world: World, number: int) -> None:
    world.readers.change((SECOND, FIRST)[number % 2])


CHANGES = STORM | READING | {"the list is another one": _exchange}


@settings(max_examples=examples(60))
@given(st.integers(1, 3), stories(CHANGES), st.booleans())
def test_two_lists_are_never_mixed(concurrency: int, story: Story, begun: bool) -> None:
    wanted = spec(**SOURCE, workers=WORKERS | {"concurrency": concurrency})
    world = live_on(world_of(wanted, FIRST, begun=begun), story, CHANGES)

    failed = find(world.status, ConditionType.FAILED)
    if failed is None or failed.reason != Reason.SOURCE_CHANGED:
        check_end(world)
    assert len({text.partition("-")[0] for (text,) in world.broker.args}) <= 1
