"""Prepares the uninstallation of the chart: stops the operator and all workers, and removes the finalizers.

TaskGroups, ledgers and the data in Redis are kept, so that a later installation continues with them.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import TextIO

from taskgroup.api.names import FINALIZER, LABEL_MANAGED_BY, LABEL_UID, MANAGER
from taskgroup.cluster.client import Cluster, Object, connect
from taskgroup.cluster.errors import KindMissingError, NotFoundError
from taskgroup.cluster.resources import DEPLOYMENTS, PODS, TASK_GROUPS

_SECONDS = 80.0
_POLL_SECONDS = 0.5
_WORKERS = f"{LABEL_MANAGED_BY}={MANAGER},{LABEL_UID}"
ALL_NAMESPACES = ""


async def uninstall(deployment: str, namespace: str, watched: Sequence[str], out: TextIO) -> None:
    """Scale the operator and all worker Deployments to 0 and remove the finalizer from all TaskGroups.

    `watched` are the namespaces to clean, all when empty. Objects that do not exist are skipped.
    """
    async with await connect() as cluster:
        await _stop_operator(cluster, namespace, deployment)
        print(f"Operator {namespace}/{deployment} has stopped.", file=out)
        for watched_namespace in watched or [ALL_NAMESPACES]:
            deployments = await cluster.list_all(DEPLOYMENTS, watched_namespace, labels=_WORKERS)
            groups = await _finalized_groups(cluster, watched_namespace)
            for workers in deployments:
                await _scale_to_zero(cluster, workers)
            for group in groups:
                await _remove_finalizer(cluster, group)
            print(f"Scaled {len(deployments)} worker Deployments to 0.", file=out)
            print(f"Removed the finalizer of {len(groups)} TaskGroups.", file=out)


async def _stop_operator(cluster: Cluster, namespace: str, name: str) -> None:
    """Scale the operator to 0 and wait until its last pod is gone: a running one would add the finalizers again.

    Raises RuntimeError after 80 seconds.
    """
    deadline = time.monotonic() + _SECONDS
    try:
        deployment = await cluster.get(DEPLOYMENTS, namespace, name)
    except NotFoundError:
        return
    await _scale_to_zero(cluster, deployment)
    labels = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())
    while pods := await cluster.list_all(PODS, namespace, labels=labels):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The operator's pod {pods[0]['metadata']['name']} has not ended after {_SECONDS:g} s.")
        await asyncio.sleep(_POLL_SECONDS)


async def _finalized_groups(cluster: Cluster, namespace: str) -> list[Object]:
    """The TaskGroups with the finalizer; none when the CRD is not installed."""
    try:
        groups = await cluster.list_all(TASK_GROUPS, namespace)
    except KindMissingError:
        return []
    return [group for group in groups if FINALIZER in group["metadata"].get("finalizers", ())]


async def _scale_to_zero(cluster: Cluster, deployment: Object) -> None:
    meta = deployment["metadata"]
    await cluster.merge_patch(DEPLOYMENTS, meta["namespace"], meta["name"], {"spec": {"replicas": 0}})


async def _remove_finalizer(cluster: Cluster, group: Object) -> None:
    meta = group["metadata"]
    others = [name for name in meta["finalizers"] if name != FINALIZER]
    body = {"metadata": {"finalizers": others, "uid": meta["uid"]}}
    await cluster.merge_patch(TASK_GROUPS, meta["namespace"], meta["name"], body)
