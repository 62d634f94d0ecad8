"""The results of chunks as lines: one for each item, or one for each chunk whose result is a whole."""

from typing import Any

from support.builders import indexes, ledger
from support.memory.results import MemoryResults
from support.one_loop import run
from support.world import UID
from taskgroup.cli.line import NOT_KEPT
from taskgroup.cli.result_lines import Shape, lines
from taskgroup.core.completions import Failure
from taskgroup.core.items.chunks import Chunks
from taskgroup.core.ledger import Ledger
from taskgroup.core.units import index_of, unit_of


def printed(books: Ledger, results: MemoryResults, *, flattens: bool = True, step: int = 0) -> list[dict[str, Any]]:
    shape = Shape(5, lambda index: unit_of(index, step), Chunks(2), flattens)

    async def collected() -> list[dict[str, Any]]:
        return [line async for line in lines(shape, results, UID, books, {2: 1})]

    return run(collected())


def stored(suffix: str = "") -> MemoryResults:
    """Of the chunk that begins with 2 the newest attempt; the last chunk has failed."""
    results = MemoryResults()
    results.value_of = lambda name: [name.rpartition(".")[2], "b"]
    for name in (f"{UID}.0{suffix}", f"{UID}.2{suffix}{'' if suffix else '~1'}"):
        results.store(name, None)
    results.store(f"{UID}.4{suffix}", Failure("KeyError", "lost"))
    return results


def test_each_item_has_its_part_of_the_list() -> None:
    books = ledger(5, succeeded=indexes(range(4)), failed=indexes(4))

    assert printed(books, stored()) == [
        {"index": 0, "status": "SUCCESS", "result": "0"},
        {"index": 1, "status": "SUCCESS", "result": "b"},
        {"index": 2, "status": "SUCCESS", "result": "2~1"},
        {"index": 3, "status": "SUCCESS", "result": "b"},
        {"index": 4, "status": "FAILURE", "error": "KeyError: lost"},
    ]


def test_of_chains_the_last_step_is_read() -> None:
    books = ledger(5, succeeded=indexes(range(4)))

    assert [line["status"] for line in printed(books, stored(".1"), step=1)] == [*["SUCCESS"] * 4, "FAILURE"]


def test_a_chunk_whose_values_are_gone_has_a_line_for_each_item() -> None:
    found = printed(ledger(5, succeeded=indexes(range(5))), MemoryResults())

    assert found == [{"index": index, "status": "SUCCESS", "note": NOT_KEPT} for index in range(5)]


def test_a_whole_result_is_one_line() -> None:
    found = printed(ledger(5, succeeded=indexes(range(4))), stored(), flattens=False)

    assert found[:2] == [
        {"index": 0, "indexes": "0,1", "status": "SUCCESS", "result": ["0", "b"]},
        {"index": 2, "indexes": "2,3", "status": "SUCCESS", "result": ["2~1", "b"]},
    ]
    assert [index_of(line["index"]) for line in found] == [0, 2, 4]
