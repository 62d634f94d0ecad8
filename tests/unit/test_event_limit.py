"""How many events of one group are posted: what flaps must not flood the cluster's events."""

from taskgroup.cluster.event_poster import BURST, REFILL_SECONDS, EventLimit


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_group_that_flaps_posts_a_burst_and_then_seldom() -> None:
    clock = Time()
    limit, posted = EventLimit(clock), 0
    for _ in range(3600):
        posted += limit.admit("flapping") is not None
        clock.now += 1

    assert posted == BURST + 3600 // REFILL_SECONDS - 1


def test_the_next_event_says_how_many_were_left_out() -> None:
    clock = Time()
    limit = EventLimit(clock)
    for _ in range(BURST + 7):
        limit.admit("u")
    clock.now += REFILL_SECONDS

    assert limit.admit("u") == 7
    assert limit.admit("u") is None


def test_other_groups_are_not_kept_back() -> None:
    limit = EventLimit(Time())
    for _ in range(BURST + 1):
        limit.admit("loud")

    assert limit.admit("loud") is None
    assert limit.admit("quiet") == 0


def test_what_is_kept_of_groups_is_bounded() -> None:
    limit = EventLimit(Time())
    for number in range(30_000):
        limit.admit(f"u{number}")

    assert len(limit._objects) <= 10_000  # noqa: SLF001
