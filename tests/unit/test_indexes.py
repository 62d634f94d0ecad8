"""Index lists as people read them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import indexes
from taskgroup.core.indexes import NONE, format_indexes, full, parse_indexes, runs

index_sets = st.frozensets(st.integers(0, 3_000), max_size=60).map(FrozenBitMap)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (NONE, ""),
        (indexes(0), "0"),
        (indexes(7), "7"),
        (indexes(0, 1), "0,1"),
        (indexes(range(3)), "0-2"),
        (indexes(range(36), 40), "0-35,40"),
        (indexes(1, 3, 4, range(6, 9), 10), "1,3,4,6-8,10"),
        (indexes(range(65_530, 65_540)), "65530-65539"),
    ],
)
def test_writes_what_a_job_would_write(members: FrozenBitMap, text: str) -> None:
    assert format_indexes(members, 4096) == (text, True)
    assert parse_indexes(text) == members


@given(index_sets)
def test_reads_back_what_it_wrote(members: FrozenBitMap) -> None:
    text, whole = format_indexes(members, 100_000)

    assert whole
    assert parse_indexes(text) == members


@given(index_sets, st.integers(0, 40))
def test_a_cut_list_is_the_longest_beginning_that_fits(members: FrozenBitMap, limit: int) -> None:
    complete, _ = format_indexes(members, 100_000)
    text, whole = format_indexes(members, limit)

    assert len(text) <= limit
    assert whole == (len(complete) <= limit)
    assert complete.startswith(text)
    assert parse_indexes(text) <= members
    shown = len(parse_indexes(text))
    assert parse_indexes(text) == members[:shown], "what is cut is the end"


@given(index_sets)
def test_runs_are_maximal(members: FrozenBitMap) -> None:
    found = list(runs(members))

    assert [index for first, last in found for index in range(first, last + 1)] == list(members)
    assert all(following > last + 1 for (_, last), (following, _) in pairwise(found))


def test_a_million_neighbours_are_one_run() -> None:
    assert format_indexes(full(1_000_000), 4096) == ("0-999999", True)


@pytest.mark.parametrize("text", ["a", "1,", "1-", "-", "-3", "1;2", "1.5", "5-3"])
def test_refuses_other_notations(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|not a run"):
        parse_indexes(text)


@pytest.mark.parametrize(("total", "expected"), [(0, []), (1, [0]), (3, [0, 1, 2])])
def test_full_counts_from_zero(total: int, expected: list[int]) -> None:
    assert list(full(total)) == expected
