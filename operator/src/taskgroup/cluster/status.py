"""Writing what was decided where users read it: the status subresource."""

from taskgroup.api.status import TaskGroupStatus
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.core.groups.observed import Meta


async def write(cluster: Cluster, meta: Meta, status: TaskGroupStatus, resource_version: str | None = None) -> Object:
    """Make the stored status equal to this one and return the new object.

    ConflictError when the object of that name has another uid by now or, with a resource version, when it changed
    since. A merge patch cannot do this: its uid is ignored for a status, and it keeps fields that are absent.
    """
    tests = {"/metadata/uid": meta.uid} | ({"/metadata/resourceVersion": resource_version} if resource_version else {})
    operations: list[Object] = [{"op": "test", "path": path, "value": value} for path, value in tests.items()]
    operations.append({"op": "add", "path": "/status", "value": status.dump()})
    return await cluster.json_patch(TASK_GROUPS, meta.namespace, meta.name, operations, subresource="status")
