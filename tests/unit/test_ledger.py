"""The books: where each index is, and that they come back from their bytes as they were."""

import zlib
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import NOW, indexes, ledger
from taskgroup.core.indexes import NONE, full
from taskgroup.core.items.work import Lane
from taskgroup.core.ledger import MAX_BYTES, MAX_FAILURE_GROUPS, FailureGroup, Ledger, decode, encode

TOTAL = 12
PRIORITIES = (Lane(9, indexes(1, 3, 5, 7)), Lane(0, indexes(0, 2, 4, 6, range(8, 12))))

some = st.frozensets(st.integers(0, TOTAL + 2), max_size=6).map(FrozenBitMap)
numbers = st.dictionaries(st.integers(0, 2**31), st.integers(0, 2**31), max_size=5).map(MappingProxyType)
times = st.floats(0, 2e9)
groups = st.builds(FailureGroup, st.text(), st.text(), some, times)
books = st.builds(
    Ledger,
    total=st.integers(0, 10_000_000),
    nonce=st.text(),
    cursors=numbers,
    returned=some,
    succeeded=some,
    failed=some,
    cancelled=some,
    attempts=numbers,
    missed=numbers,
    failures=st.lists(groups, max_size=4).map(tuple),
    ran_seconds=times,
    running_since=st.none() | times,
)


@given(books)
def test_comes_back_from_its_bytes(kept: Ledger) -> None:
    assert decode(encode(kept)) == kept


def test_a_million_ended_items_fit_into_a_kilobyte() -> None:
    kept = ledger(1_000_000, sent=1_000_000, succeeded=full(999_998), failed=indexes(999_998, 999_999))

    assert len(encode(kept)) < 1_000


def test_half_of_a_million_at_random_fits_into_one_object() -> None:
    scattered = FrozenBitMap(index for index in range(1_000_000) if index * 2_654_435_761 % 2**32 < 2**31)

    assert len(encode(ledger(1_000_000, sent=1_000_000, succeeded=scattered))) < 700_000


BOMB = zlib.compress(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", encode(ledger())[:-4], BOMB], ids=["empty", "nonsense", "cut", "bomb"]
)
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="the ledger is damaged"):
        decode(data)


@pytest.mark.parametrize(
    "head", [b"", b"[", b"[]", b"{}", b'{"format":1}', b'{"format":1,"sizes":[1,2,3,4]}', b'{"format":1,"sizes":"x"}']
)
def test_bytes_that_are_no_ledger_are_refused(head: bytes) -> None:
    raw = len(head).to_bytes(4, "big") + head
    with pytest.raises(ValueError):  # noqa: PT011 - whichever part is wrong, the caller starts anew
        decode(zlib.compress(raw))


def test_a_newer_format_asks_for_a_newer_operator() -> None:
    head = b'{"format":2,"sizes":[]}'

    with pytest.raises(ValueError, match="run a newer operator"):
        decode(zlib.compress(len(head).to_bytes(4, "big") + head))


def test_in_flight_is_what_was_sent_and_neither_came_back_nor_ended() -> None:
    kept = ledger(TOTAL, sent={9: 3, 0: 2}, returned=indexes(3), succeeded=indexes(0))

    assert kept.dispatched(PRIORITIES) == indexes(0, 1, 2, 3, 5)
    assert kept.in_flight(PRIORITIES) == indexes(1, 2, 5)
    assert kept.unfinished == TOTAL - 1


def test_success_corrects_a_failure_and_its_entry_in_the_digest() -> None:
    kept = ledger(sent=4, failed=indexes(1, 2))

    corrected = kept.succeeded_with(indexes(1))
    assert (corrected.succeeded, corrected.failed) == (indexes(1), indexes(2))
    assert [group.indexes for group in corrected.failures] == [indexes(2)]
    assert corrected.succeeded_with(indexes(2)).failures == ()


def test_failure_never_corrects_a_success() -> None:
    kept = ledger(sent=4, succeeded=indexes(1))

    assert kept.failed_with("ValueError", "late", indexes(1), NOW) is kept


def test_the_first_failure_of_an_item_stays() -> None:
    kept = ledger(sent=4, failed=indexes(1)).failed_with("KeyError", "again", indexes(1), NOW)

    assert [(group.reason, group.indexes) for group in kept.failures] == [("ValueError", indexes(1))]


def test_equal_failures_are_one_entry_with_the_latest_time() -> None:
    kept = ledger(sent=4, failed=indexes(1)).failed_with("ValueError", "bad", indexes(3), NOW + 9)

    assert kept.failures == (FailureGroup("ValueError", "bad", indexes(1, 3), NOW + 9),)


def test_too_many_different_failures_are_put_together_without_losing_an_item() -> None:
    kept = ledger(1_000, sent=1_000)
    for index in range(1_000):
        kept = kept.failed_with("ValueError" if index % 2 else "KeyError", f"bad {index}", indexes(index), NOW)

    assert len(kept.failures) <= MAX_FAILURE_GROUPS + 2
    assert sum(len(group.indexes) for group in kept.failures) == len(kept.failed) == 1_000


def test_indexes_that_do_not_exist_are_not_counted() -> None:
    kept = ledger(3, sent=3).succeeded_with(indexes(2, 3, 99)).failed_with("ValueError", "bad", indexes(1, 50), NOW)

    assert kept.ended == indexes(1, 2)


def test_a_new_attempt_waits_again() -> None:
    kept = ledger(sent=5, succeeded=indexes(2)).renewed({1: 1, 2: 1})

    assert kept.returned == indexes(1)
    assert kept.attempts[1] == 1
    assert kept.redispatched(indexes(1)).returned == NONE


def test_the_end_cancels_what_has_not_ended() -> None:
    kept = ledger(6, sent=4, returned=indexes(3), succeeded=indexes(0), failed=indexes(1)).cancelled_rest()

    assert (kept.cancelled, kept.returned, kept.unfinished) == (indexes(range(2, 6)), NONE, 0)
    assert kept.cancelled_rest() == kept


def test_running_time_leaves_out_what_was_suspended() -> None:
    kept = ledger(running_since=NOW)
    kept = kept.paused(NOW + 10)
    assert kept.running_seconds(NOW + 1_000) == 10
    assert kept.paused(NOW + 2_000).running_seconds(NOW + 3_000) == 10

    assert replace(kept, running_since=NOW + 5_000).running_seconds(NOW + 5_007) == 17


def _send(kept: Ledger, chosen: FrozenBitMap) -> Ledger:
    lane = PRIORITIES[len(chosen) % 2]
    known = len(lane.indexes & full(kept.total))
    return kept.advanced(lane.priority, min(kept.cursors.get(lane.priority, 0) + 2, known))


def _renew(kept: Ledger, chosen: FrozenBitMap) -> Ledger:
    return kept.renewed({index: kept.attempts.get(index, 0) + 1 for index in chosen & kept.dispatched(PRIORITIES)})


STEPS: dict[str, Callable[[Ledger, FrozenBitMap], Ledger]] = {
    "send": _send,
    "take back": lambda kept, chosen: kept.withdrawn(chosen & kept.dispatched(PRIORITIES)),
    "send again": lambda kept, chosen: kept.redispatched(chosen),
    "renew": _renew,
    "succeed": lambda kept, chosen: kept.succeeded_with(chosen),
    "fail": lambda kept, chosen: kept.failed_with(f"E{len(chosen)}", "bad", chosen, NOW),
    "cancel": lambda kept, _: kept.cancelled_rest(),
    "append": lambda kept, _: replace(kept, total=TOTAL),
    "save": lambda kept, _: decode(encode(kept)),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), some), max_size=40))
def test_every_index_is_in_exactly_one_place_whatever_happens(steps: list[tuple[str, FrozenBitMap]]) -> None:
    kept = ledger(TOTAL - 2, sent={})
    for name, chosen in steps:
        before = kept
        kept = STEPS[name](kept, chosen)

        assert before.succeeded <= kept.succeeded, "SUCCESS is final"
        assert before.ended <= kept.ended, "an end is an end"
        _check_places(kept)


def _check_places(kept: Ledger) -> None:
    in_flight = kept.in_flight(PRIORITIES)
    ends = (kept.succeeded, kept.failed, kept.cancelled)
    pending = full(kept.total) - in_flight - kept.ended
    assert len(pending) + len(in_flight) + sum(map(len, ends)) == kept.total
    assert not kept.returned & (in_flight | kept.ended), "what came back waits"
    assert kept.ended <= full(kept.total)
    assert sum(len(group.indexes) for group in kept.failures) == len(kept.failed)
    assert NONE.union(*(group.indexes for group in kept.failures)) == kept.failed
