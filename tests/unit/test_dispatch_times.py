"""How long items are on their way: from their last dispatch to the moment at which their end is seen."""

from pyroaring import FrozenBitMap

from taskgroup.groups.dispatch_times import MAX_BATCHES, DispatchTimes


def taken(times: DispatchTimes, ended: FrozenBitMap, now: float) -> list[tuple[int, float]]:
    return sorted(times.take(ended, now))


def test_each_batch_has_its_own_time() -> None:
    times = DispatchTimes()
    times.add(FrozenBitMap(range(10)), 100)
    times.add(FrozenBitMap(range(10, 15)), 130)

    assert taken(times, FrozenBitMap([1, 2, 11]), 140) == [(1, 10), (2, 40)]
    assert taken(times, FrozenBitMap([1, 2, 11]), 141) == [], "an end is told once"


def test_an_item_that_was_sent_again_counts_from_then_on() -> None:
    times = DispatchTimes()
    times.add(FrozenBitMap([1, 2]), 100)
    times.add(FrozenBitMap([2]), 150)

    assert taken(times, FrozenBitMap([1, 2]), 160) == [(1, 10), (1, 60)]


def test_what_was_sent_by_another_process_is_not_measured() -> None:
    times = DispatchTimes()
    times.add(FrozenBitMap([1]), 100)

    assert taken(times, FrozenBitMap([7]), 160) == []


def test_the_oldest_is_that_of_an_item_still_in_flight() -> None:
    assert DispatchTimes().oldest is None
    times = DispatchTimes()
    times.add(FrozenBitMap([1, 2]), 100)
    times.add(FrozenBitMap([3]), 130)

    times.retain(FrozenBitMap([3]))
    assert times.oldest == 130
    times.retain(FrozenBitMap([]))
    assert times.oldest is None


def test_what_is_kept_is_bounded() -> None:
    times = DispatchTimes()
    for number in range(MAX_BATCHES + 5):
        times.add(FrozenBitMap([number]), number)

    assert times.oldest == 5
