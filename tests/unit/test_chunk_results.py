"""A task that took several items returns one result for each: what else it returns is a failure of its chunk."""

from typing import Any

import pytest
from pyroaring import FrozenBitMap

from support.builders import chunk_spec, indexes, ledger, work
from support.memory.results import MemoryResults
from support.one_loop import run
from support.world import AWAY, UID, World
from taskgroup.api.names import ConditionType, Reason
from taskgroup.core.completions import Failure
from taskgroup.core.indexes import full
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.status.conditions import is_true
from taskgroup.groups.callback_input import ResultsGoneError, callback_input
from taskgroup.groups.chunk_results import ChunkResults
from taskgroup.results.sweep import Sweeper

CHUNKS = work(chunk_spec(4, count=10))


def judge(
    results: MemoryResults, *units: int, asked: Work = CHUNKS, books: Ledger | None = None
) -> tuple[FrozenBitMap, dict[int, Failure]]:
    return run(ChunkResults(results, UID, asked, books or Ledger()).judge(indexes(*units)))


def returning(value: Any, *names: str) -> MemoryResults:
    results = MemoryResults()
    results.value_of = lambda _: value
    for name in names or (f"{UID}.8",):
        results.store(name, None)
    return results


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1], "a list of 1"),
        ([1, 2, 3], "a list of 3"),
        ({"0": 1}, "an object"),
        ("ab", "a text"),
        (None, "nothing"),
        (True, "true or false"),
        (2.5, "a number"),
    ],
)
def test_it_says_what_was_returned_and_what_to_return(value: Any, said: str) -> None:
    good, bad = judge(returning(value), 8)

    assert not good
    assert bad[8].reason == Reason.NOT_ONE_RESULT_EACH
    assert bad[8].message == (
        f"The task got 2 items and returned {said}: return a list with one result for each item, in their order, or"
        " set spec.chunkResult to Whole."
    )


def test_a_list_of_the_same_length_is_a_success_whatever_is_in_it() -> None:
    assert judge(returning([None, "x"]), 8) == (indexes(8), {})


def test_the_newest_attempt_is_read() -> None:
    results = returning([1, 2], f"{UID}.8~2")

    assert judge(results, 8, books=Ledger(attempts={8: 2}))[0] == indexes(8)


def test_a_value_that_is_gone_cannot_be_judged() -> None:
    assert judge(MemoryResults(), 8) == (indexes(8), {})


def test_what_cannot_be_read_now_is_left_for_later() -> None:
    results = returning([1, 2])
    results.trouble = AWAY

    assert judge(results, 8) == (indexes(), {})


def test_a_result_that_nobody_may_read_as_a_whole_fails_its_chunk() -> None:
    results = returning([1, 2])

    async def sizes(ids: object) -> list[int]:
        del ids
        return [17 * 1024 * 1024]

    results.sizes = sizes  # type: ignore[method-assign]
    _, bad = judge(results, 8)

    assert bad[8].reason == Reason.RESULT_TOO_LARGE


def lived(world: World) -> World:
    """Until the group has ended."""
    for _ in range(40):
        world.now += 1.5
        world.look()
        world.workers.settle(world.tick())
        world.take(0, 1)
        world.end(0)
        if is_true(world.status, ConditionType.FINISHED):
            break
    return world


def test_a_chunk_with_a_result_too_few_fails_and_the_others_succeed() -> None:
    world = World(chunk_spec(4, count=10))
    world.short_chunks = frozenset({4})

    status = lived(world).status

    assert (status.completed_indexes, status.failed_indexes) == ("0-3,8,9", "4-7")
    assert status.failures is not None
    assert (status.failures[0].reason, status.failures[0].count) == (Reason.NOT_ONE_RESULT_EACH, 4)
    assert sum(world.broker.sent.values()) == 3, "it is not run again"


def test_whole_results_are_not_looked_at() -> None:
    world = World(chunk_spec(4, count=10, chunkResult="Whole"))
    world.short_chunks = frozenset({4})

    assert lived(world).status.succeeded == 10


def gathered(value: Any, books: Ledger, **fields: Any) -> list[Any]:
    """What the callback gets when each chunk has returned this."""
    names = (f"{UID}.{index}" for index in (0, 4, 8) if index in books.succeeded)
    asked = work(chunk_spec(4, count=10, callback={"task": "gather"}, **fields))
    (found,) = run(callback_input(returning(value, *names), UID, asked, books))
    return list(found)


def test_a_callback_gets_one_result_for_each_item() -> None:
    results = MemoryResults()
    results.value_of = {f"{UID}.0": [0, 1, 2, 3], f"{UID}.4": [4, 5, 6, 7], f"{UID}.8": [8, 9]}.get
    for name in (f"{UID}.0", f"{UID}.4", f"{UID}.8"):
        results.store(name, None)
    asked = work(chunk_spec(4, count=10, callback={"task": "gather"}))

    assert run(callback_input(results, UID, asked, ledger(10, succeeded=full(10)))) == [list(range(10))]


def test_what_has_no_result_leaves_its_place() -> None:
    books = ledger(10, succeeded=indexes(range(4, 8)), failed=indexes(range(4), 8, 9))

    assert gathered([4, 5, 6, 7], books) == [None, None, None, None, 4, 5, 6, 7, None, None]
    assert gathered("whole", books, chunkResult="Whole") == [None, "whole", None]


def test_a_list_that_was_changed_since_is_none() -> None:
    with pytest.raises(ResultsGoneError):
        gathered([1], ledger(10, succeeded=full(10)))


def test_a_reference_tells_where_chunks_begin() -> None:
    asked = work(chunk_spec(4, count=10, callback={"task": "gather"}))
    asked.most_message_bytes = 4
    names = (f"{UID}.{index}" for index in (0, 4, 8))

    (value,) = run(callback_input(returning([1] * 4, *names), UID, asked, ledger(10, succeeded=full(10))))

    assert value["resultsRef"] == {"uid": UID, "total": 10, "suffix": "", "exceptions": {}, "indexes": [0, 4, 8]}


def test_a_restated_success_is_counted_once() -> None:
    """The sweep delivered it as a success; who counts it as a failure must not be shown it again."""
    subscription = Sweeper(MemoryResults()).subscribe(UID, lambda: None)
    subscription.follow(indexes(0, 4), {})
    subscription.deliver(run(returning([1], f"{UID}.0", f"{UID}.4").ended([f"{UID}.0", f"{UID}.4"])))

    subscription.restate({4: Failure("a", "b")})

    assert (subscription.completions.succeeded, dict(subscription.completions.failed)) == (
        indexes(0),
        {4: Failure("a", "b")},
    )
    subscription.confirm(subscription.completions)
    assert not subscription.completions
