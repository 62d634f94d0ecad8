"""A group's Redis is away for some seconds, while items run, wait for their retry, and wait for a worker."""

from datetime import UTC, datetime
from typing import Any

from support.groups import Group, condition, probe_workers
from support.kube import SERVICES
from support.machine import slowness
from support.redis_pod import away, redis_pod, url
from support.space import Space, client_of

PATIENT, HELD, QUEUED = 4, 4, 12
TOTAL = PATIENT + HELD + QUEUED
COUNTDOWN = 10
AWAY_SECONDS = 6
LEAVE_SECONDS = 45
"""From the end of the group to that of its last pod, on the reference machine; see component/test_outages.py."""


def tasks() -> list[dict[str, Any]]:
    patient = [{"task": "probe.patient", "args": ["$(index)", COUNTDOWN]}] * PATIENT
    return [*patient, *[{"task": "probe.hold", "args": ["$(index)"]}] * (HELD + QUEUED)]


def has_missed_it(group: Group) -> bool:
    """The operator found it away so long ago."""
    entry = condition(group.status(), "BackendReachable")
    if entry.get("status") != "False":
        return False
    since = datetime.fromisoformat(entry["lastTransitionTime"])
    return (datetime.now(UTC) - since).total_seconds() >= AWAY_SECONDS


def test_every_item_ends_and_none_is_to_blame(space: Space) -> None:
    """Retries that workers forgot were active for ever; what they forgot to acknowledge kept their pods."""
    space.set_broker(redis_pod(space.kube, append_only=True))
    group = space.create(tasks=tasks(), workers=probe_workers(maxReplicas=2))
    group.until_run(PATIENT + HELD)

    with away(space.kube):
        space.kube.until(lambda: has_missed_it(group), state=group.status)
    group.open_gate()
    status = group.until_finished()
    group.until_no_workers(LEAVE_SECONDS * slowness())

    assert (status["succeeded"], status["failed"]) == (TOTAL, 0)
    with client_of(space.kube.read(SERVICES, "redis"), url(space.kube)) as redis:
        assert redis.hgetall(group.books.losses) == {}
        assert list(redis.scan_iter(f"{group.pool.unacked('')}*")) == []
