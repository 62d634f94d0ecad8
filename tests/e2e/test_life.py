"""A group's life: suspended, resumed, ended by time, removed, grown."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from support.groups import Group, assert_counts_add_up, condition, counting, holding, probe_workers
from support.kube import Kube
from support.machine import slowness
from support.redis_pod import redis_pod
from support.space import Space, new_space

NAMESPACE_SECONDS = 60
"""For all that a namespace holds, on the reference machine. Its controller looks at the pods again after half of their
grace, 31 s.
"""


def test_suspend_takes_queued_items_back_and_lets_running_ones_finish(space: Space) -> None:
    group = space.create(**holding(24, maxReplicas=2))
    group.let_end(2)
    group.until_run(6)
    assert group.queued()
    group.change(suspend=True)

    space.kube.until(lambda: not group.queued(), state=group.queued)
    status = group.until(lambda seen: seen["state"] == "Suspended" and seen["active"] == 4)
    assert condition(status, "Suspended")["reason"] == "JobSuspended"
    assert_counts_add_up(status)
    group.open_gate()
    status = group.until(lambda seen: not seen["active"])
    assert status["succeeded"] == len(group.runs()) == 6
    assert_counts_add_up(status)
    group.until_no_workers()
    assert group.status()["succeeded"] == 6

    group.change(suspend=False)
    status = group.until_finished()
    assert status["succeeded"] == status["total"] == 24
    assert group.runs() == dict.fromkeys(range(24), 1)
    assert {"Suspended", "Resumed"} <= set(group.events())


def test_a_suspension_that_stops_ends_running_items_and_begins_them_anew(space: Space) -> None:
    """Nobody opens the gate at which they are held until the group goes on."""
    group = space.create(suspendMode="Stop", **holding(2))
    group.until_run(2)
    group.change(suspend=True)

    status = group.until(lambda seen: seen["state"] == "Suspended" and not seen["active"])
    assert (status["pending"], status["succeeded"]) == (2, 0)
    group.until_no_workers()
    group.change(suspend=False)
    space.kube.until(lambda: group.runs() == {0: 2, 1: 2}, state=group.runs)
    group.open_gate()
    assert group.until_finished()["succeeded"] == 2
    assert group.runs() == {0: 2, 1: 2}


def test_a_group_made_suspended_starts_when_it_is_resumed(space: Space) -> None:
    group = space.create(suspend=True, **counting(3))
    status = group.until(lambda seen: seen["state"] == "Suspended")
    assert "startTime" not in status
    assert status["pending"] == 3
    assert group.deployment() is None
    assert group.traces() == []
    group.change(suspend=False)
    assert group.until_finished()["startTime"]
    assert group.runs() == dict.fromkeys(range(3), 1)


def test_the_deadline_ends_a_group_and_stops_its_workers(space: Space) -> None:
    group = space.create(activeDeadlineSeconds=8, **holding(60))
    group.let_pass(2)
    status = group.until_finished("Failed")
    assert condition(status, "Failed")["reason"] == "DeadlineExceeded"
    assert "activeDeadlineSeconds (8 s)" in condition(status, "Failed")["message"]
    assert status["active"] == status["pending"] == 0
    assert status["cancelled"] == 60 - status["succeeded"] >= 58
    assert _seconds_between(status["startTime"], status["completionTime"]) >= 8
    space.kube.until(lambda: not group.in_broker(), state=group.traces)
    group.open_gate()
    group.until_no_workers()
    assert group.status()["succeeded"] == status["succeeded"], "the outcome is frozen at the end"


def test_the_deadline_does_not_count_suspended_time(space: Space) -> None:
    """The deadline is set while the group is suspended, so that what it ran before, fast or slow, is known."""
    group = space.create(**holding(4))
    started = group.until(lambda seen: "startTime" in seen)["startTime"]
    group.change(suspend=True)
    paused = condition(group.until(lambda seen: seen["state"] == "Suspended"), "Suspended")["lastTransitionTime"]
    ran = _seconds_between(started, paused)
    limit = ran + 8
    group.change(activeDeadlineSeconds=limit)
    status = group.until(lambda _: _seconds_since(started) > limit + 2)
    assert status["state"] == "Suspended"
    group.change(suspend=False)
    resumed = _resumed(group)
    status = group.until_finished("Failed")
    assert condition(status, "Failed")["reason"] == "DeadlineExceeded"
    # Times in a status are cut to whole seconds.
    assert ran + _seconds_between(resumed, status["completionTime"]) >= limit - 2
    group.open_gate()


def test_a_finished_group_is_removed_after_its_time_to_live(space: Space) -> None:
    group = space.create(ttlSecondsAfterFinished=3600, **counting(4))
    ended = group.until_finished()["completionTime"]
    limit = int(_seconds_since(ended)) + 4
    group.change(ttlSecondsAfterFinished=limit)
    group.until_gone()
    assert _seconds_since(ended) >= limit
    space.kube.until(
        lambda: group.deployment() is None and group.ledger() is None and not group.pods(), state=group.pods
    )
    assert group.traces() == [group.books.state], "only the tombstone stays, for a day"


def test_deleting_a_running_group_removes_workers_queue_and_keys(space: Space) -> None:
    group = space.create(**holding(200, maxReplicas=2))
    group.let_end(4)
    space.kube.remove("taskgroup", "group")
    group.open_gate()
    group.until_gone()
    space.kube.until(lambda: not group.pods(), state=group.pods)
    assert group.traces() == [group.books.state], "only the tombstone stays, for a day"
    assert group.redis.hgetall(group.books.state) == {b"nonce": b"deleted"}
    assert group.redis.ttl(group.books.state) > 80_000


@pytest.mark.alone  # an operator killed by another test meanwhile would not know the address of the broker any more
def test_deleting_the_namespace_of_a_running_group_ends(space: Space) -> None:
    group = space.create(**holding(200))
    group.let_end(1)
    space.kube.remove("namespace", space.kube.namespace)
    group.open_gate()
    space.kube.until(lambda: not space.kube.exists(f"/api/v1/namespaces/{space.kube.namespace}"), state=group.status)
    assert group.traces() in ([], [group.books.state])


@pytest.mark.alone
def test_a_namespace_that_holds_its_own_redis_goes_soon(system: Kube, redis: Redis, space: Space) -> None:
    """Its workers tried for minutes to store their last results; meanwhile others are served."""
    with new_space(system, redis, "its own Redis") as own:
        own.set_broker(redis_pod(own.kube))
        lost = own.create(**holding(60, maxReplicas=2))
        lost.until_run(4)
        own.kube.remove("namespace", own.kube.namespace)
        begin = time.monotonic()
        space.create(**counting(4)).until_finished()
        own.kube.until(lambda: not own.kube.exists(f"/api/v1/namespaces/{own.kube.namespace}"), state=lost.pods)
        took = time.monotonic() - begin

    assert took <= NAMESPACE_SECONDS * slowness()
    assert lost.traces() == [], "in the chart's Redis"


def test_items_can_be_appended_while_the_group_runs(space: Space) -> None:
    template = {"task": "probe.hold", "args": ["$(item)"]}
    group = space.create(items=[0, 1, 2, 3, 4, 5], template=template, workers=probe_workers())
    group.until(lambda seen: seen["active"] >= 1)
    group.change(items=[*range(6), 6, 7, 8])
    group.until(lambda seen: seen["total"] == 9)
    group.open_gate()
    status = group.until_finished()
    assert (status["total"], status["succeeded"], status["items"]["count"]) == (9, 9, 9)
    assert group.runs() == dict.fromkeys(range(9), 1)


def test_items_appended_after_the_end_are_refused_and_change_nothing(space: Space) -> None:
    group = space.create(items=[0, 1], template={"task": "numbers.square", "args": ["$(item)"]})
    end = group.until_finished()["completionTime"]
    group.change(items=[0, 1, 2])
    group.until_said("ConfigurationValid", "GroupEnded", "create a new TaskGroup")
    status = group.until_finished()
    assert (status["total"], status["completionTime"]) == (2, end)


def test_the_template_is_fixed_once_the_group_has_started(space: Space) -> None:
    group = space.create(suspend=True, **counting(2))
    group.until(lambda seen: seen["state"] == "Suspended")
    group.change(template={"args": ["$(index)"]})
    group.change(suspend=False)
    group.until(lambda seen: "startTime" in seen)
    change = json.dumps({"spec": {"template": {"args": [7]}}})
    said = space.kube.refusal("patch", "taskgroup", "group", "--type=merge", "--patch", change)
    assert "template" in said
    group.until_finished()


def _resumed(group: Group) -> Any:
    """When the group went on, as its status tells."""
    status = group.until(lambda seen: condition(seen, "Suspended")["status"] == "False")
    return condition(status, "Suspended")["lastTransitionTime"]


def _seconds_since(time: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()


def _seconds_between(first: str, second: str) -> int:
    """Of two times in a status, which are cut to whole seconds."""
    return int((datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds())
