"""What has to happen before the chart goes: nobody is left that would wait for the operator, and nothing runs on.

TaskGroups, ledgers and what is in Redis stay as they are, so that a new installation goes on with them.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import TextIO

from taskgroup.api.names import FINALIZER, LABEL_MANAGED_BY, MANAGER
from taskgroup.cluster.client import Cluster, Object, connect
from taskgroup.cluster.errors import KindMissingError, NotFoundError
from taskgroup.cluster.resources import DEPLOYMENTS, PODS, TASK_GROUPS, Resource

_SECONDS = 80.0
_POLL_SECONDS = 0.5
_WORKERS = f"{LABEL_MANAGED_BY}={MANAGER},taskgroups.dev/uid"
ALL_NAMESPACES = ""


async def uninstall(deployment: str, namespace: str, watched: Sequence[str], out: TextIO) -> None:
    """Operator to 0, workers to 0, finalizers off; everything may be gone already."""
    async with await connect() as cluster:
        await _stop_operator(cluster, namespace, deployment)
        print(f"Operator {namespace}/{deployment} has stopped.", file=out)
        for where in watched or [ALL_NAMESPACES]:
            workers, held = await _workers(cluster, where), await _held(cluster, where)
            for found in workers:
                await _to_zero(cluster, found)
            for found in held:
                await _free(cluster, found)
            print(f"{len(workers)} worker Deployments at 0, {len(held)} TaskGroups freed.", file=out)


async def _stop_operator(cluster: Cluster, namespace: str, name: str) -> None:
    """Until its last pod is gone, for a stopping operator would put the finalizers back; RuntimeError after a time."""
    deadline = time.monotonic() + _SECONDS
    try:
        found = await cluster.get(DEPLOYMENTS, namespace, name)
    except NotFoundError:
        return
    await _to_zero(cluster, found)
    labels = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"]["matchLabels"].items())
    while pods := await cluster.list_all(PODS, namespace, labels=labels):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The operator's pod {pods[0]['metadata']['name']} has not ended after {_SECONDS:g} s.")
        await asyncio.sleep(_POLL_SECONDS)


async def _workers(cluster: Cluster, namespace: str) -> list[Object]:
    return await cluster.list_all(DEPLOYMENTS, namespace, labels=_WORKERS)


async def _held(cluster: Cluster, namespace: str) -> list[Object]:
    found = await _existing(cluster, TASK_GROUPS, namespace)
    return [group for group in found if FINALIZER in group["metadata"].get("finalizers", ())]


async def _existing(cluster: Cluster, resource: Resource, namespace: str) -> list[Object]:
    """Nothing when the kind itself is gone."""
    try:
        return await cluster.list_all(resource, namespace)
    except KindMissingError:
        return []


async def _to_zero(cluster: Cluster, found: Object) -> None:
    meta = found["metadata"]
    await cluster.merge_patch(DEPLOYMENTS, meta["namespace"], meta["name"], {"spec": {"replicas": 0}})


async def _free(cluster: Cluster, found: Object) -> None:
    meta = found["metadata"]
    left = [name for name in meta["finalizers"] if name != FINALIZER]
    body = {"metadata": {"finalizers": left, "uid": meta["uid"]}}
    await cluster.merge_patch(TASK_GROUPS, meta["namespace"], meta["name"], body)
