"""Names in Redis: ours and kombu's must be the same."""

# Kombu is typed in parts only.
# mypy: disable-error-code="no-untyped-call"

import pytest
from kombu.transport.redis import Channel

from taskgroup.broker.keys import PRIORITIES, BookKeys, PoolKeys, kombu_priority, list_number


def test_lists_are_those_that_kombu_reads_for_each_priority() -> None:
    keys = PoolKeys("", "p")
    channel = object.__new__(Channel)
    for priority in range(PRIORITIES):
        kombu = kombu_priority(priority)

        assert keys.lists[list_number(kombu)] == channel._q_for_pri(keys.queue, kombu)


def test_the_most_urgent_priority_is_served_first() -> None:
    numbers = [list_number(kombu_priority(priority)) for priority in range(PRIORITIES)]

    assert numbers == sorted(numbers, reverse=True)
    assert numbers[9] == 0
    assert numbers[0] == 3


@pytest.mark.parametrize("priority", [-1, 10])
def test_a_priority_outside_the_scale_is_refused(priority: int) -> None:
    with pytest.raises(ValueError, match="outside 0 to 9"):
        kombu_priority(priority)


def test_books_bear_the_group_and_the_rest_bears_the_pool() -> None:
    books, pool = BookKeys("shop:", "u"), PoolKeys("shop:", "p")

    assert books.state == "shop:taskgroup:u"
    assert {books.returned, books.attempts, books.losses} == {
        "shop:taskgroup:u:returned", "shop:taskgroup:u:attempts", "shop:taskgroup:u:losses",
    }  # fmt: skip
    assert pool.queue == "taskgroup-p"
    assert pool.lists[0] == "shop:taskgroup-p"
    assert pool.of_pods(["pod-a"]) == [
        "shop:taskgroup:p:unacked:pod-a",
        "shop:taskgroup:p:unacked_index:pod-a",
        "shop:taskgroup:p:unacked_mutex:pod-a",
    ]


def test_workers_get_their_key_names_without_the_prefix_that_kombu_adds() -> None:
    keys = PoolKeys("shop:", "p")
    options = keys.worker_options("pod-a")

    assert [f"shop:{key}" for key in options.values()] == keys.of_pods(["pod-a"])
    assert f"shop:{options['unacked_key']}" == keys.unacked("pod-a")
    assert f"shop:{options['unacked_index_key']}" == keys.unacked_index("pod-a")
    assert f"shop:{options['unacked_mutex_key']}" == keys.unacked_mutex("pod-a")
