"""Namespaces that go: nobody will read what their pods could still store, and their own Redis goes with them."""

from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import NotFoundError
from taskgroup.cluster.resources import NAMESPACES


async def is_terminating(cluster: Cluster, namespace: str) -> bool:
    """Whether the namespace goes, or is gone."""
    try:
        stored = await cluster.get(NAMESPACES, "", namespace)
    except NotFoundError:
        return True
    return "deletionTimestamp" in stored["metadata"]
