"""What bears a TaskGroup's name or label and is none of its own: nothing is done to it, and it wakes nobody."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from support.api_server import new_group
from support.kubectl import new_namespace
from support.wait import eventually_async
from support.watched_workers import make_pod, manifest, watched_cache
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import NotFoundError
from taskgroup.cluster.resources import DEPLOYMENTS
from taskgroup.cluster.worker_cache import WorkerCache
from taskgroup.cluster.workers.deployments import worker_name
from taskgroup.core.meta import Meta
from taskgroup.loops.meeting import Assignment, Meetings
from taskgroup.pools.cleanup import PoolCleaner


async def is_told(pods: Sequence[str], seconds: float) -> None:
    """What the deletion says of its waiting is another test's matter."""


async def is_there(cluster: Cluster, group: Meta) -> bool:
    try:
        found = await cluster.get(DEPLOYMENTS, group.namespace, worker_name(group))
    except NotFoundError:
        return False
    return "deletionTimestamp" not in found["metadata"]


async def stopped(cluster: Cluster, group: Meta) -> None:
    """What a deletion does to the group's workers."""
    async with watched_cache(cluster, group.namespace) as cache:
        await PoolCleaner(cluster, cache, logging.getLogger("test")).stop_workers(group, is_told)


@pytest.mark.parametrize("is_owned", [False, True], ids=["nobody's", "another's"])
async def test_a_deletion_leaves_a_deployment_that_the_group_does_not_own(
    cluster: Cluster, group: Meta, *, is_owned: bool
) -> None:
    """Its name alone would take it, with all its pods."""
    foreign = manifest(group)
    other = manifest(await new_group(cluster, group.namespace, "other"))
    foreign["metadata"]["ownerReferences"] = other["metadata"]["ownerReferences"] if is_owned else []
    await cluster.create(DEPLOYMENTS, group.namespace, foreign)

    await stopped(cluster, group)

    assert await is_there(cluster, group)


async def test_a_deletion_removes_its_own(cluster: Cluster, group: Meta) -> None:
    await cluster.create(DEPLOYMENTS, group.namespace, manifest(group))

    await stopped(cluster, group)

    async def is_gone() -> bool:
        return not await is_there(cluster, group)

    await eventually_async(is_gone)


async def test_a_pod_of_another_namespace_wakes_nobody(cluster: Cluster, group: Meta) -> None:
    """Who may label a pod anywhere could keep the loops of every group busy, and its pool reading."""
    meetings = Meetings()
    meeting = meetings.of(group.uid)
    meeting.tell(Assignment(group, None, None, None))
    with new_namespace() as elsewhere:
        cache = WorkerCache((group.namespace, elsewhere.namespace), meetings.change_workers)
        watchers = [asyncio.create_task(watcher) for watcher in cache.watchers(cluster)]
        try:
            await until_known(cache, group, "mine", cluster)
            assert meeting.workers_changed
            meeting.workers_changed = False
            await until_known(cache, replace(group, namespace=elsewhere.namespace), "theirs", cluster)
            assert not meeting.workers_changed
        finally:
            for watcher in watchers:
                watcher.cancel()


async def until_known(cache: WorkerCache, meta: Meta, name: str, cluster: Cluster) -> None:
    """Make a pod and wait until the watch has told of it: whoever is woken for it was woken then."""
    await make_pod(cluster, meta, name)

    async def is_known() -> bool:
        return name in cache.pods.of(meta.namespace, meta.uid)

    await eventually_async(is_known)
