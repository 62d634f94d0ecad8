"""Attempts that nobody waits for end nevertheless, well or badly: no item ends twice for that, and none is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.builders import spec
from support.examples import examples
from support.stories import FLUSH, check_end, lived, stories
from support.story_specs import lenient_specs, nested_specs, retried_specs, specs
from support.world_ghosts import stale_successes
from taskgroup.api.spec import TaskGroupSpec

_NAMES = ["look", "settle", "take", "succeed", "fail", "operator killed", "suspend or resume", "connection lost"]
LATE = {name: FLUSH[name] for name in [*_NAMES, "container dies", "redis loses all", "lost task ends late"]}
"""Few kinds of steps, so that often one task is lost and another one goes on."""
BEGUN = [("look", 2), ("look", 2), ("settle", 0), ("look", 2), ("take", 5)]
"""Workers run some items."""


@settings(max_examples=examples(100))
@given(specs | retried_specs | nested_specs, stories(LATE))
def test_a_lost_task_that_ends_late_changes_nothing_that_was_counted(
    wanted: TaskGroupSpec, story: list[tuple[str, int]]
) -> None:
    world = lived(wanted, [*BEGUN, *story], LATE)

    check_end(world)
    assert stale_successes(world) == set(), "the end of a superseded attempt counts nothing"


@settings(max_examples=examples(60))
@given(lenient_specs, stories(LATE), st.booleans())
def test_neither_does_it_where_a_group_may_end_early(
    wanted: TaskGroupSpec, story: list[tuple[str, int]], late: bool
) -> None:
    check_end(lived(wanted, [*BEGUN, *story], LATE, late=late))


@pytest.mark.parametrize("others", [0, 1])
def test_a_success_after_a_failure_that_was_counted_changes_nothing(others: int) -> None:
    """The task that was lost has failed; its message is on the queue again, and runs well, also before the outcome."""
    dies = [("container dies", 0), ("look", 0), ("lost task ends late", 0)]
    wanted = spec(1 + others, workers={"concurrency": 1, "maxReplicas": 1})
    world = lived(wanted, [("look", 0), *BEGUN[:3], ("take", 0), *dies], LATE)

    check_end(world)
    assert (world.status.succeeded, world.status.failed) == (others, 1)
    assert list(world.results.ends.values()) == [None] * (1 + others), "nobody reads it any more"
