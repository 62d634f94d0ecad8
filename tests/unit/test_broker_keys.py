"""Names in Redis: ours and kombu's must be the same."""

# Kombu is typed in parts only.
# mypy: disable-error-code="no-untyped-call"

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.transport.redis import Channel

from taskgroup.broker.keys import PRIORITIES, GroupKeys, kombu_priority, list_number, parse_task_id, task_id


def test_lists_are_those_that_kombu_reads_for_each_priority() -> None:
    keys = GroupKeys("", "u")
    channel = object.__new__(Channel)
    for lane in range(PRIORITIES):
        priority = kombu_priority(lane)

        assert keys.lists[list_number(priority)] == channel._q_for_pri(keys.queue, priority)


def test_the_most_urgent_lane_is_served_first() -> None:
    numbers = [list_number(kombu_priority(lane)) for lane in range(PRIORITIES)]

    assert numbers == sorted(numbers, reverse=True)
    assert numbers[9] == 0
    assert numbers[0] == 3


@pytest.mark.parametrize("lane", [-1, 10])
def test_a_lane_outside_the_scale_is_refused(lane: int) -> None:
    with pytest.raises(ValueError, match="outside 0 to 9"):
        kombu_priority(lane)


@given(index=st.integers(0, 10**8), attempt=st.integers(0, 1000))
def test_a_task_id_tells_index_and_attempt(index: int, attempt: int) -> None:
    assert parse_task_id("u-1", task_id("u-1", index, attempt)) == (index, attempt)


@pytest.mark.parametrize("value", ["u", "u.", "u.x", "u.1~", "u.1~0", "u.1~x", "v.1", "u.1.2", "xu.1", "", None, 3])
def test_other_ids_are_no_items(value: object) -> None:
    assert parse_task_id("u", value) is None


def test_workers_get_their_key_names_without_the_prefix_that_kombu_adds() -> None:
    keys = GroupKeys("shop:", "u")

    assert keys.state == "shop:taskgroup:u"
    assert f"shop:{keys.worker_options('pod-a')['unacked_key']}" == keys.unacked("pod-a")
    assert f"shop:{keys.worker_options('pod-a')['unacked_index_key']}" == keys.unacked_index("pod-a")
