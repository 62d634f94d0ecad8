"""A group's life: suspended, resumed, ended by time, removed, grown."""

from datetime import UTC, datetime

import pytest

from support.groups import assert_counts_add_up, condition, counting, probe_workers
from support.space import Space

pytestmark = pytest.mark.timeout(200)


def test_suspend_takes_queued_items_back_and_lets_running_ones_finish(space: Space) -> None:
    group = space.create(**counting(24, seconds=1.5, maxReplicas=2))
    group.until(lambda seen: seen["succeeded"] >= 1 and group.queued())
    group.change(suspend=True)

    space.kube.until(lambda: not group.queued(), 5, group.queued)
    status = group.until(lambda seen: seen["state"] == "Suspended" and not seen["active"], 20)

    assert condition(status, "Suspended")["reason"] == "JobSuspended"
    assert_counts_add_up(status)
    assert status["succeeded"] == len(group.runs()) < 24
    group.until_no_workers()
    assert group.status()["succeeded"] == status["succeeded"]

    group.change(suspend=False)
    status = group.until_finished(seconds=90)
    assert status["succeeded"] == status["total"] == 24
    assert group.runs() == dict.fromkeys(range(24), 1)
    assert {"Suspended", "Resumed"} <= set(group.events())


def test_a_group_made_suspended_starts_when_it_is_resumed(space: Space) -> None:
    group = space.create(suspend=True, **counting(3))
    status = group.until(lambda seen: seen["state"] == "Suspended", 20)
    assert "startTime" not in status
    assert status["pending"] == 3
    assert group.deployment() is None
    assert group.traces() == []
    group.change(suspend=False)
    assert group.until_finished()["startTime"]
    assert group.runs() == dict.fromkeys(range(3), 1)


def test_the_deadline_ends_a_group_and_stops_its_workers(space: Space) -> None:
    group = space.create(activeDeadlineSeconds=8, **counting(60, seconds=1.0))
    status = group.until_finished("Failed")
    assert condition(status, "Failed")["reason"] == "DeadlineExceeded"
    assert "activeDeadlineSeconds (8 s)" in condition(status, "Failed")["message"]
    assert status["active"] == status["pending"] == 0
    assert status["cancelled"] == 60 - status["succeeded"] > 0
    space.kube.until(lambda: not group.in_broker(), 15, group.traces)
    group.until_no_workers(30)
    assert group.status()["succeeded"] == status["succeeded"], "the outcome is frozen at the end"


def test_the_deadline_does_not_count_suspended_time(space: Space) -> None:
    group = space.create(activeDeadlineSeconds=20, **counting(14, seconds=1.0))
    group.until(lambda seen: seen["succeeded"] >= 2)
    group.change(suspend=True)
    started = group.until(lambda seen: seen["state"] == "Suspended")["startTime"]
    group.until(lambda _: _seconds_since(started) > 22, 30)
    group.change(suspend=False)
    group.until_finished("Complete")


def test_a_finished_group_is_removed_after_its_time_to_live(space: Space) -> None:
    group = space.create(ttlSecondsAfterFinished=2, **counting(4))
    group.until(lambda seen: seen["state"] == "Complete")
    space.kube.until(lambda: not group.status(), 30, group.status)
    space.kube.until(lambda: group.deployment() is None and group.ledger() is None and not group.pods(), 30, group.pods)
    assert group.traces() == [group.books.state], "only the tombstone stays, for a day"


def test_deleting_a_running_group_removes_workers_queue_and_keys(space: Space) -> None:
    group = space.create(**counting(200, seconds=0.5, maxReplicas=2))
    group.until(lambda seen: seen["succeeded"] >= 4)
    space.kube.run("delete", "taskgroup", "group", "--timeout=60s")
    assert group.pods() == []
    assert group.traces() == [group.books.state], "only the tombstone stays, for a day"
    assert group.redis.hgetall(group.books.state) == {b"nonce": b"deleted"}
    assert group.redis.ttl(group.books.state) > 80_000


@pytest.mark.alone  # an operator killed by another test meanwhile would not know the address of the broker any more
def test_deleting_the_namespace_of_a_running_group_ends(space: Space) -> None:
    group = space.create(**counting(200, seconds=0.5))
    group.until(lambda seen: seen["succeeded"] >= 1)
    space.kube.run("delete", "namespace", space.kube.namespace, "--timeout=58s")
    assert group.traces() in ([], [group.books.state])


def test_items_can_be_appended_while_the_group_runs(space: Space) -> None:
    template = {"task": "probe.hold", "args": ["$(item)"]}
    group = space.create(items=[0, 1, 2, 3, 4, 5], template=template, workers=probe_workers())
    group.until(lambda seen: seen["active"] >= 1)
    group.change(items=[*range(6), 6, 7, 8])
    group.open_gate()
    status = group.until_finished()
    assert (status["total"], status["succeeded"], status["items"]["count"]) == (9, 9, 9)
    assert group.runs() == dict.fromkeys(range(9), 1)


def test_items_appended_after_the_end_are_refused_and_change_nothing(space: Space) -> None:
    group = space.create(items=[0, 1], template={"task": "numbers.square", "args": ["$(item)"]})
    end = group.until_finished()["completionTime"]
    group.change(items=[0, 1, 2])
    message = group.until_said("ConfigurationValid", "False", "GroupEnded")
    assert "create a new TaskGroup" in message
    status = group.until_finished()
    assert (status["total"], status["completionTime"]) == (2, end)


def test_the_template_is_fixed_once_the_group_has_started(space: Space) -> None:
    group = space.create(suspend=True, **counting(2, seconds=0.5))
    group.until(lambda seen: seen["state"] == "Suspended", 20)
    group.change(template={"args": ["$(item)", 2]})
    group.change(suspend=False)
    group.until(lambda seen: "startTime" in seen)
    change = '{"spec":{"template":{"args":["$(item)", 3]}}}'
    said = space.kube.refusal("patch", "taskgroup", "group", "--type=merge", "--patch", change)
    assert "template" in said
    group.until_finished()


def _seconds_since(time: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()
