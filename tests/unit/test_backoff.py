"""Waiting after failures: longer each time, bounded, and from the beginning after a success."""

import itertools

import pytest

from taskgroup.loops.backoff import LAST_RETRY_SECONDS, Backoff


@pytest.mark.parametrize("first", [0.1, 0.5, 1.0])
def test_delays_double_up_to_half_a_minute(first: float) -> None:
    backoff = Backoff(first)
    delays = [backoff.delay() for _ in range(12)]

    assert delays[0] == first
    assert all(later == min(2 * earlier, LAST_RETRY_SECONDS) for earlier, later in itertools.pairwise(delays))
    assert delays[-1] == LAST_RETRY_SECONDS == 30.0


def test_after_a_success_the_first_delay_is_short_again() -> None:
    backoff = Backoff(0.5)
    before = [backoff.delay() for _ in range(5)]
    backoff.reset()

    assert [backoff.delay() for _ in range(5)] == before == [0.5, 1.0, 2.0, 4.0, 8.0]
