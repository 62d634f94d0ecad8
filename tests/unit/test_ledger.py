"""The ledger: where each index is."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from support.builders import BAD, NOW, indexes, ledger
from taskgroup.core.completions import Failure
from taskgroup.core.failure_groups import MAX_FAILURE_GROUPS, MAX_REASONS, OTHER, FailureGroup
from taskgroup.core.indexes import NONE, full
from taskgroup.core.items.lanes import Lane
from taskgroup.core.ledger import Ledger
from taskgroup.core.snapshot import decode, encode

TOTAL = 12
PRIORITIES = (Lane(9, indexes(1, 3, 5, 7)), Lane(0, indexes(0, 2, 4, 6, range(8, 12))))

some = st.frozensets(st.integers(0, TOTAL + 2), max_size=6).map(FrozenBitMap)


def test_in_flight_is_what_was_sent_and_neither_came_back_nor_ended() -> None:
    kept = ledger(TOTAL, dispatched={9: 3, 0: 2}, returned=indexes(3), succeeded=indexes(0))

    assert kept.ever_dispatched(PRIORITIES) == indexes(0, 1, 2, 3, 5)
    assert kept.in_flight(PRIORITIES) == indexes(1, 2, 5)
    assert kept.unfinished == TOTAL - 1


def test_success_corrects_a_failure_and_its_entry_in_the_digest() -> None:
    kept = ledger(dispatched=4, failed=indexes(1, 2))

    corrected = kept.succeeded_with(indexes(1))
    assert (corrected.succeeded, corrected.failed) == (indexes(1), indexes(2))
    assert [group.indexes for group in corrected.failures] == [indexes(2)]
    assert corrected.succeeded_with(indexes(2)).failures == ()


def test_failure_never_corrects_a_success() -> None:
    kept = ledger(dispatched=4, succeeded=indexes(1))

    assert kept.failed_with(Failure("ValueError", "late"), indexes(1), NOW) is kept


def test_the_first_failure_of_an_item_stays() -> None:
    kept = ledger(dispatched=4, failed=indexes(1)).failed_with(Failure("KeyError", "again"), indexes(1), NOW)

    assert [(group.failure, group.indexes) for group in kept.failures] == [(BAD, indexes(1))]


def test_equal_failures_are_one_entry_with_the_latest_time() -> None:
    kept = ledger(dispatched=4, failed=indexes(1)).failed_with(BAD, indexes(3), NOW + 9)

    assert kept.failures == (FailureGroup(BAD, indexes(1, 3), NOW + 9),)


def test_too_many_different_failures_are_put_together_without_losing_an_item() -> None:
    kept = ledger(1_000, dispatched=1_000)
    for index in range(1_000):
        failure = Failure("ValueError" if index % 2 else "KeyError", f"bad {index}")
        kept = kept.failed_with(failure, indexes(index), NOW)

    assert len(kept.failures) <= MAX_FAILURE_GROUPS + 2
    assert sum(len(group.indexes) for group in kept.failures) == len(kept.failed) == 1_000


def test_an_app_that_invents_a_reason_for_each_failure_keeps_a_ledger_that_can_be_read() -> None:
    kept = Ledger(total=1_500)
    for index in range(1_500):
        kept = kept.failed_with(Failure(f"Error{index}", "No."), indexes(index), NOW)

    assert len(kept.failures) == MAX_REASONS + 1
    assert kept.failure_of(1_499) == FailureGroup(OTHER, indexes(range(MAX_REASONS, 1_500)), NOW)
    assert decode(encode(kept)) == kept


def test_indexes_that_do_not_exist_are_not_counted() -> None:
    kept = ledger(3, dispatched=3).succeeded_with(indexes(2, 3, 99)).failed_with(BAD, indexes(1, 50), NOW)

    assert kept.ended == indexes(1, 2)


def test_a_new_attempt_waits_again() -> None:
    kept = ledger(dispatched=5, succeeded=indexes(2)).renewed({1: 1, 2: 1})

    assert kept.returned == indexes(1)
    assert kept.attempts[1] == 1
    assert kept.redispatched(indexes(1)).returned == NONE


def test_the_end_cancels_what_has_not_ended() -> None:
    kept = ledger(6, dispatched=4, returned=indexes(3), succeeded=indexes(0), failed=indexes(1)).cancelled_rest()

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
    return kept.dispatched(lane.priority, min(kept.cursors.get(lane.priority, 0) + 2, known))


def _renew(kept: Ledger, chosen: FrozenBitMap) -> Ledger:
    return kept.renewed({index: kept.attempts.get(index, 0) + 1 for index in chosen & kept.ever_dispatched(PRIORITIES)})


STEPS: dict[str, Callable[[Ledger, FrozenBitMap], Ledger]] = {
    "send": _send,
    "take back": lambda kept, chosen: kept.withdrawn(chosen & kept.ever_dispatched(PRIORITIES)),
    "send again": lambda kept, chosen: kept.redispatched(chosen),
    "renew": _renew,
    "succeed": lambda kept, chosen: kept.succeeded_with(chosen),
    "fail": lambda kept, chosen: kept.failed_with(Failure(f"E{len(chosen)}", "bad"), chosen, NOW),
    "cancel": lambda kept, _: kept.cancelled_rest(),
    "append": lambda kept, _: replace(kept, total=TOTAL),
    "save": lambda kept, _: decode(encode(kept)),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), some), max_size=40))
def test_every_index_is_in_exactly_one_place_whatever_happens(steps: list[tuple[str, FrozenBitMap]]) -> None:
    kept = ledger(TOTAL - 2, dispatched={})
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
