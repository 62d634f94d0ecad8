"""Status writes and events against a real API server."""

import json
import logging
from typing import Any

import pytest

from support.api_server import connected, meta_of, new_group
from support.kubectl import Kubectl
from taskgroup.api.names import EventReason, State
from taskgroup.api.status import Condition, FailureStatus, TaskGroupStatus
from taskgroup.cluster import event_poster, status_writer
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ConflictError, NotFoundError
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.core.groups.plan import Event
from taskgroup.core.meta import Meta

TIME = "2027-01-15T08:00:00Z"
READY = Condition(type="Ready", status="False", reason="Pending", message="Soon.", last_transition_time=TIME)
RICH = TaskGroupStatus(
    state=State.RUNNING,
    total=10,
    succeeded=3,
    failed_indexes="4",
    failures=[FailureStatus(reason="ValueError", message="bad", count=1, indexes="4", last_time=TIME)],
    conditions=[READY, READY.model_copy(update={"type": "Finished"})],
)
POOR = TaskGroupStatus(state=State.RUNNING, total=10, succeeded=4, conditions=[READY])


async def test_the_stored_status_is_the_written_one(cluster: Cluster, group: Meta) -> None:
    written = await status_writer.write(cluster, group, RICH)

    assert "spec" not in written, "the answer is not the whole object, which may have a million bytes"
    assert (await cluster.get(TASK_GROUPS, group.namespace, group.name))["status"] == RICH.dump()
    assert written["metadata"]["generation"] == group.generation


async def test_fields_that_are_no_longer_there_go(cluster: Cluster, group: Meta) -> None:
    await status_writer.write(cluster, group, RICH)

    await status_writer.write(cluster, group, POOR)

    assert (await cluster.get(TASK_GROUPS, group.namespace, group.name))["status"] == POOR.dump()


async def test_the_same_status_again_is_no_new_version(cluster: Cluster, group: Meta) -> None:
    first = await status_writer.write(cluster, group, RICH)
    second = await status_writer.write(cluster, group, RICH)

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_write_with_an_old_version_is_a_conflict(cluster: Cluster, group: Meta) -> None:
    stored = await status_writer.write(cluster, group, RICH)
    version = stored["metadata"]["resourceVersion"]
    await cluster.merge_patch(TASK_GROUPS, group.namespace, group.name, {"spec": {"suspend": True}})

    with pytest.raises(ConflictError):
        await status_writer.write(cluster, group, POOR, version)
    assert (await cluster.get(TASK_GROUPS, group.namespace, group.name))["status"] == RICH.dump()


async def test_a_write_with_the_newest_version_is_stored(cluster: Cluster, group: Meta) -> None:
    stored = await status_writer.write(cluster, group, RICH)

    await status_writer.write(cluster, group, POOR, stored["metadata"]["resourceVersion"])

    assert (await cluster.get(TASK_GROUPS, group.namespace, group.name))["status"] == POOR.dump()


async def test_a_new_object_of_the_same_name_keeps_its_own_status(cluster: Cluster, group: Meta) -> None:
    await cluster.delete(TASK_GROUPS, group.namespace, group.name)
    newer = await new_group(cluster, group.namespace, group.name)

    with pytest.raises(ConflictError):
        await status_writer.write(cluster, group, RICH)
    assert newer == meta_of(stored := await cluster.get(TASK_GROUPS, group.namespace, group.name))
    assert stored["status"] == {"observedGeneration": -1}, "the CRD's default alone"


async def test_a_deleted_object_is_not_found(cluster: Cluster, group: Meta) -> None:
    await cluster.delete(TASK_GROUPS, group.namespace, group.name)

    with pytest.raises(NotFoundError):
        await status_writer.write(cluster, group, RICH)


def events_of(kubectl: Kubectl, group: Meta) -> list[dict[str, Any]]:
    """The group's events, selected as `kubectl describe` does."""
    process = kubectl("get", "events", f"--field-selector=involvedObject.uid={group.uid}", "--output=json")
    items: list[dict[str, Any]] = json.loads(process.stdout)["items"]
    return items


async def test_an_event_is_found_by_its_object(cluster: Cluster, group: Meta, restricted: Kubectl) -> None:
    await event_poster.post(
        cluster, group, Event(EventReason.ITEM_FAILED, "Item 4 failed.", warning=True), "operator-1"
    )

    (event,) = events_of(restricted, group)
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "ItemFailed", "Item 4 failed.")
    assert event["reportingComponent"] == "taskgroup-operator"
    assert event["reportingInstance"] == "operator-1"


async def test_an_event_is_shown_by_kubectl_describe(cluster: Cluster, group: Meta, restricted: Kubectl) -> None:
    await event_poster.post(cluster, group, Event(EventReason.STARTED, "Started with 10 items."))

    shown = restricted("describe", "taskgroup", group.name).stdout

    assert "Started with 10 items." in shown
    assert "taskgroup-operator" in shown


async def test_a_long_event_is_cut(cluster: Cluster, group: Meta, restricted: Kubectl) -> None:
    await event_poster.post(cluster, group, Event(EventReason.FAILED, "long " * 1000))

    (event,) = events_of(restricted, group)
    assert len(event["message"]) == event_poster.MAX_MESSAGE


async def test_an_event_that_cannot_be_posted_is_only_logged(group: Meta, caplog: pytest.LogCaptureFixture) -> None:
    async with connected(user="nobody") as powerless:
        with caplog.at_level(logging.WARNING):
            await event_poster.post(powerless, group, Event(EventReason.STARTED, "Started."))

    assert "The operator may not create events" in caplog.text
