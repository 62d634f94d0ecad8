"""Whatever is deleted, replaced or lost, what was counted stays counted while the operator lives."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings

from support.builders import completions, indexes, ledger, look, running, spec
from support.examples import examples
from support.stories import BOOKS, check, check_end, lived, stories, succeed, take
from support.story_specs import specs
from support.world import World
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.completions import Failure
from taskgroup.core.groups.plan import Redispatch, Skip
from taskgroup.core.ledger import Ledger
from taskgroup.core.merging import newest, with_ends_of

MEMORY = ledger(8, dispatched=8, succeeded=indexes(0, 1, 2), failed=indexes(3), attempts={4: 1})


def test_an_older_ledger_takes_nothing_away() -> None:
    older = ledger(8, dispatched=4, succeeded=indexes(0))

    assert newest(MEMORY, older) == MEMORY
    assert newest(MEMORY, Ledger()) == MEMORY


def test_a_successors_ledger_adds_what_it_knows() -> None:
    later = ledger(9, dispatched=9, succeeded=indexes(0, 1, 3, 5), attempts={4: 2, 6: 1}).failed_with(
        Failure("KeyError", "x"), indexes(2, 7), 0.0
    )
    both = newest(MEMORY, later)

    assert (both.total, both.succeeded, both.failed) == (9, indexes(0, 1, 2, 3, 5), indexes(7))
    assert dict(both.attempts) == {4: 2, 6: 1}


def test_a_foreign_ledger_is_taken_only_when_it_knows_all_that_was_counted() -> None:
    foreign = ledger(8, nonce="foreign", succeeded=indexes(5))
    richer = ledger(8, nonce="foreign", dispatched=8, succeeded=indexes(0, 1, 2, 3, 5), attempts={4: 1})

    assert newest(MEMORY, foreign) is MEMORY
    assert newest(MEMORY, richer) is richer
    assert newest(MEMORY, replace(richer, cursors=MappingProxyType({}))) is MEMORY, (
        "it would send all again under the same ids"
    )
    assert newest(MEMORY, replace(richer, attempts=MappingProxyType({}))) is MEMORY, "it would use an id again"


def test_what_adds_nothing_changes_nothing() -> None:
    assert with_ends_of(MEMORY, MEMORY) == MEMORY
    assert with_ends_of(MEMORY, Ledger()) == MEMORY


def test_counts_stay_as_they_were_shown_until_as_many_are_known_again() -> None:
    """After a restart the status showed fewer ends for a second than it had shown before."""
    books = ledger(10, dispatched=10)
    shown = look(running(spec(10), books), completions=completions([0, 1, 2], [3])).status

    behind = look(running(spec(10), ledger(10, dispatched=10, succeeded=indexes(0)), status=shown)).status
    assert (behind.succeeded, behind.failed, behind.active, behind.pending) == (3, 1, 6, 0)
    assert (behind.completed_indexes, behind.failures) == (shown.completed_indexes, shown.failures)
    again = look(running(spec(10), ledger(10, dispatched=10, succeeded=indexes(0, 1, 2, 4, 5)), status=shown)).status
    assert (again.succeeded, again.failed) == (5, 0)


def test_ends_that_only_the_status_knows_are_not_dispatched() -> None:
    """The ledger was deleted and Redis lost its data: no cursor says that these were ever sent."""
    seen = running(spec(6, workers={"concurrency": 1}), ledger(6, succeeded=indexes(0, 2)))

    assert look(seen).actions == (Skip(0, 0, indexes(range(6))), Redispatch(indexes(1, 3, 4, 5)))


@settings(max_examples=examples(100))
@given(specs, stories(BOOKS))
def test_whatever_happens_to_the_books_no_counted_item_runs_again(
    wanted: TaskGroupSpec, story: list[tuple[str, int]]
) -> None:
    """The checks at each look say more: no end that was counted is forgotten, and no count of the status goes back."""
    check_end(lived(wanted, story, BOOKS))


def test_a_foreign_ledger_makes_nothing_sent_twice_before_the_first_end() -> None:
    story = [("look", 0), ("look", 0), ("look", 0), ("ledger replaced", 1)]

    check_end(lived(spec(1, workers={"concurrency": 1, "maxReplicas": 1}), story, BOOKS))


BREAKS = [
    "ledger deleted",
    "ledger replaced",
    "redis loses its books",
    "redis loses the results",
]


@pytest.mark.parametrize("first", BREAKS)
@pytest.mark.parametrize("second", BREAKS)
@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_two_losses_at_once_cost_no_count(first: str, second: str, number: int) -> None:
    world = World(spec(30, workers={"concurrency": 2, "maxReplicas": 2}))
    for _ in range(6):
        _some_ends(world)
    counted = (world.status.succeeded or 0) + (world.status.failed or 0)
    assert 5 < counted < 30

    BOOKS[first](world, number)
    BOOKS[second](world, number + 1)
    for _ in range(60):
        _some_ends(world)

    check_end(world)
    assert world.status.total == 30


def _some_ends(world: World) -> None:
    world.now += 1.5
    world.look()
    check(world)
    world.workers.settle(world.tick())
    take(world, 3)
    succeed(world, 1)
    world.end(0, "ValueError")
