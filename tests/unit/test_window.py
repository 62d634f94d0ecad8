"""The window: how much of the work stands in the broker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import NOW
from taskgroup.core.groups.observed import Window
from taskgroup.core.groups.window import MAX_WINDOW, MAX_WINDOW_BYTES, adapt, occupied, room

counts = st.integers(0, 20_000)


def size_after(before: int = 0, *, now: float = NOW, **facts: int) -> int:
    usual = {"slots": 8, "queued": 0, "arrived": 0, "waiting": 1_000, "message_bytes": 1_024}
    return adapt(Window(size=before), now=now, **usual | facts).size


def test_begins_with_enough_for_every_slot_and_a_little_more() -> None:
    assert size_after(slots=8) == 17


def test_doubles_when_the_queue_ran_dry() -> None:
    assert size_after(100, queued=0, arrived=5) == 200


def test_grows_at_once_to_what_ends_between_two_looks() -> None:
    assert size_after(20, queued=0, arrived=1_000) >= 3_000


def test_shrinks_when_far_more_is_queued_than_ends() -> None:
    assert size_after(1_000, queued=900, arrived=10) == 750


def test_shrinks_no_further_than_a_few_looks_need() -> None:
    assert size_after(800, slots=40, queued=790, arrived=197) == 40 + 3 * 197 + 1


@pytest.mark.parametrize(
    "calm",
    [{"arrived": 0}, {"waiting": 0, "arrived": 50}, {"queued": 50, "arrived": 20}],
    ids=["nothing ended", "nothing waits", "the queue is as it should be"],
)
def test_stays_otherwise(calm: dict[str, int]) -> None:
    assert size_after(500, **calm) == 500


def test_large_messages_make_the_window_small_but_keep_every_slot_busy() -> None:
    few = size_after(MAX_WINDOW, slots=8, message_bytes=40_000)

    assert few * 40_000 <= MAX_WINDOW_BYTES < (few + 1) * 40_000
    assert size_after(MAX_WINDOW, slots=8, message_bytes=10**9) == 8 + 1


def test_falls_to_the_floor_when_tasks_are_long() -> None:
    size = MAX_WINDOW
    for _ in range(60):
        size = size_after(size, slots=4, queued=size - 4, arrived=1)

    assert size <= 4 * 2 + 1 + 4


def test_a_dry_queue_opens_the_window_in_a_few_looks() -> None:
    size, looks = 0, 0
    while size < MAX_WINDOW:
        size, looks = size_after(size, slots=1, queued=0, arrived=max(1, size), waiting=10**6), looks + 1

    assert looks < 12


@given(before=st.integers(0, MAX_WINDOW), slots=st.integers(0, 4_000), queued=counts, arrived=counts, waiting=counts)
def test_is_bounded_and_never_starves_a_slot(before: int, slots: int, queued: int, arrived: int, waiting: int) -> None:
    size = size_after(before, slots=slots, queued=queued, arrived=arrived, waiting=waiting)

    assert 2 * slots + 1 <= size <= max(MAX_WINDOW, 2 * slots + 1)
    assert size_after(size, slots=slots, queued=queued, waiting=waiting) == size, (
        "a look at which nothing ended changes nothing"
    )


@given(size=counts, in_flight=counts, parallelism=st.none() | st.integers(1, 20_000))
def test_never_more_in_flight_than_parallelism(size: int, in_flight: int, parallelism: int | None) -> None:
    window = Window(size=size, limit=max(size, MAX_WINDOW))
    free = room(window, in_flight=in_flight, occupied=in_flight, parallelism=parallelism)

    assert free >= 0
    assert not free or in_flight + free <= min(size, parallelism or size)


def test_what_waits_for_its_eta_leaves_its_place_to_others() -> None:
    """Five items in a retry with a countdown filled a window of five, and ten ready ones waited beside idle slots."""
    window = Window(size=5, limit=MAX_WINDOW)
    taken = occupied(5, held=5, slots=2)

    assert taken == 2, "two may be running, the rest waits inside the worker"
    assert room(window, in_flight=5, occupied=taken, parallelism=None) == 3
    assert room(window, in_flight=5, occupied=taken, parallelism=6) == 1
    assert room(window, in_flight=MAX_WINDOW, occupied=0, parallelism=None) == 0, "the broker's memory is bounded"


@given(in_flight=counts, held=counts, slots=st.integers(0, 4_000))
def test_what_runs_is_always_part_of_the_window(in_flight: int, held: int, slots: int) -> None:
    taken = occupied(in_flight, held=held, slots=slots)

    assert 0 <= taken <= in_flight
    assert taken >= min(in_flight, in_flight - held + slots)


def test_remembers_when_it_was_adapted() -> None:
    adapted = adapt(Window(), slots=1, queued=0, arrived=0, waiting=0, message_bytes=1_024, now=NOW)

    assert adapted == Window(size=3, limit=MAX_WINDOW, at=NOW)


def test_the_rate_is_what_ends_in_a_second_and_falls_when_nothing_does() -> None:
    window, now = Window(), NOW
    for _ in range(50):
        window = adapt(window, slots=8, queued=0, arrived=8, waiting=0, message_bytes=1_024, now=now)
        now += 0.1

    assert window.rate == pytest.approx(80, rel=0.1)
    later = adapt(window, slots=8, queued=0, arrived=0, waiting=0, message_bytes=1_024, now=now + 5)
    assert later.rate < 1
