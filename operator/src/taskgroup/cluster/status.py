"""Writing what was decided where users read it: the status subresource."""

from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.core.observed import Meta

_FIELDS = tuple(field.alias or name for name, field in TaskGroupStatus.model_fields.items())


async def write(cluster: Cluster, meta: Meta, status: TaskGroupStatus, resource_version: str | None = None) -> Object:
    """Make the stored status equal to this one and return the new object.

    With a resource version the write is a compare-and-set: ConflictError when the object changed since. The uid is sent
    in any case, so that a new TaskGroup of the same name never gets the old one's status.
    """
    body: Object = {"metadata": {"uid": meta.uid}, "status": _whole(status)}
    if resource_version is not None:
        body["metadata"]["resourceVersion"] = resource_version
    return await cluster.merge_patch(TASK_GROUPS, meta.namespace, meta.name, body, subresource="status")


def _whole(status: TaskGroupStatus) -> Object:
    """Absent fields as null: a merge patch keeps what it does not name."""
    return dict.fromkeys(_FIELDS) | status.dump()
