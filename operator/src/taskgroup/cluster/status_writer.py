"""Writes the status of a TaskGroup."""

from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.core.meta import Meta


async def write(cluster: Cluster, meta: Meta, status: TaskGroupStatus, resource_version: str | None = None) -> Object:
    """Replace the stored status and return the object's new metadata.

    Raises ConflictError when the object has another uid or, with `resource_version`, another resource version. A merge
    patch would not do: the API server ignores its uid in a write of the status, and it keeps absent fields.
    """
    tests = {"/metadata/uid": meta.uid} | ({"/metadata/resourceVersion": resource_version} if resource_version else {})
    operations: list[Object] = [{"op": "test", "path": path, "value": value} for path, value in tests.items()]
    operations.append({"op": "add", "path": "/status", "value": status.dump()})
    return await cluster.json_patch(
        TASK_GROUPS, meta.namespace, meta.name, operations, subresource="status", metadata_only=True
    )
