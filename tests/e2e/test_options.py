"""The options of a signature, as a stock worker obeys them."""

from typing import Any

from support.groups import SECRET, probe_workers, workers
from support.kube import SERVICES
from support.redis_pod import PASSWORD, redis_pod, url
from support.space import Space, client_of
from support.wait import PATIENCE

ENDLESS = 10 * PATIENCE
"""Seconds that no test would wait for."""


def digest(status: dict[str, Any]) -> dict[str, str]:
    """The failures: reason to indexes."""
    return {failure["reason"]: failure["indexes"] for failure in status["failures"]}


def sleep(seconds: float, **options: Any) -> dict[str, Any]:
    """A task that only takes time."""
    return {"task": "numbers.sleep", "args": [seconds], "options": options}


def test_time_limits_end_an_item_and_spare_the_others(space: Space) -> None:
    hard = sleep(ENDLESS, timeLimitSeconds=1)
    soft = sleep(ENDLESS, softTimeLimitSeconds=1, timeLimitSeconds=ENDLESS)
    tasks = [hard, soft, sleep(0.1)]
    status = space.create(tasks=tasks).until_finished("Failed")
    assert digest(status) == {"TimeLimitExceeded": "0", "SoftTimeLimitExceeded": "1"}
    assert status["completedIndexes"] == "2"


def test_an_item_that_nobody_started_in_time_expires(space: Space) -> None:
    tasks = [sleep(3), sleep(0.1, expiresSeconds=1), sleep(0.1, expiresSeconds=3600)]
    status = space.create(tasks=tasks, workers=workers(concurrency=1)).until_finished("Failed")
    assert digest(status) == {"Expired": "1"}
    assert status["completedIndexes"] == "0,2"


def test_urgent_items_run_first(space: Space) -> None:
    priorities = [0, 9, 4, 9, 1, 5, 8, 0, 3, 7]
    tasks = [
        {"task": "probe.count", "args": ["$(index)"], "options": {"priority": priority}} for priority in priorities
    ]
    group = space.create(tasks=tasks, workers=probe_workers(concurrency=1))
    group.until_finished()
    urgency = sorted(range(len(priorities)), key=lambda index: (-priorities[index], index))
    assert group.order() == urgency


def test_values_that_nobody_wants_are_not_kept(space: Space) -> None:
    tasks = [{"task": "numbers.square", "args": [n], "options": {"ignoreResult": n != 1}} for n in range(4)]
    group = space.create(tasks=tasks)
    status = group.until_finished()
    assert status["succeeded"] == 4
    kept = [f"celery-task-meta-{group.uid}.1"]
    space.kube.until(lambda: group.traces("celery-task-meta") == kept, state=lambda: group.traces("celery-task-meta"))


def test_the_task_sees_headers_and_shadow(space: Space) -> None:
    options = {"headers": {"tenant": "harbor"}, "shadow": "counting of boats"}
    tasks = [{"task": "probe.request", "args": ["tenant"], "options": options}]
    group = space.create(tasks=tasks, workers=probe_workers())
    group.until_finished()
    assert group.values() == [{"header": "harbor", "shadow": "counting of boats"}]


def test_a_service_beside_the_group_needs_no_more_than_its_name(space: Space) -> None:
    """Workers find it by themselves; the operator lives in another namespace."""
    redis_pod(space.kube, "queue")
    space.set_broker(f"redis://:{PASSWORD}@queue:6379/0")
    group = space.create(sequence={"count": 3}, template={"task": "numbers.square", "args": ["$(item)"]})
    group.until_finished()
    assert group.values() == [0, 1, 4]
    assert group.traces() == [], "in the chart's Redis"


def test_messages_and_results_may_live_in_two_places(space: Space) -> None:
    space.set_broker(redis_pod(space.kube, "results"), "results")
    prefix = {"globalKeyPrefix": "team-a:"}
    broker = {"secretKeyRef": {"name": SECRET}, "transportOptions": prefix}
    backend = {"secretKeyRef": {"name": "results"}, "transportOptions": prefix}
    template = {"task": "numbers.square", "args": ["$(item)"]}
    group = space.create(sequence={"count": 4}, template=template, broker=broker, resultBackend=backend)
    group.until_finished()
    assert group.values() == [0, 1, 4, 9]
    assert all(key.startswith(("team-a:taskgroup:", "team-a:_kombu.")) for key in group.traces())
    with client_of(space.kube.read(SERVICES, "results"), url(space.kube)) as results:
        assert sorted(results.keys(f"*{group.uid}*")) == [
            f"team-a:celery-task-meta-{group.uid}.{n}".encode() for n in range(4)
        ]
        space.kube.run("delete", "taskgroup", "group", f"--timeout={PATIENCE}s")
        assert results.keys(f"*{group.uid}*") == []
    assert group.traces() == [f"team-a:{group.books.state}"], "only the tombstone stays, for a day"
