"""Workers on a real API server as the operator has them: what the watches tell is in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support.wait import eventually_async
from taskgroup.api.backend import Backend
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.api.workers import Workers
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.resources import PODS
from taskgroup.cluster.worker_cache import WorkerCache
from taskgroup.cluster.workers.deployments import WorkerDeployments
from taskgroup.cluster.workers.manifest import worker_deployment
from taskgroup.core.meta import Meta
from taskgroup.core.pools.observed import WorkerFacts
from taskgroup.core.pools.pool_spec import PoolSpec

REDIS = Backend(secret_key_ref=SecretKeyRef(name="redis", key="url"))


def pool(meta: Meta, **workers: Any) -> PoolSpec:
    """A pool of this group."""
    return PoolSpec(
        workers=Workers.model_validate({"image": "localhost/none:1", "app": "shop.celery", **workers}),
        broker=REDIS,
        results=REDIS,
        queue=f"taskgroup-{meta.uid}",
        unacked_options={"unacked_key": f"{meta.uid}:unacked:$(POD_NAME)"},
        grace_seconds=30,
        backend_hash="abc",
        result_expires_seconds=3600,
    )


def manifest(meta: Meta, **workers: Any) -> Object:
    """Its Deployment with two pods."""
    return worker_deployment(meta, pool(meta, **workers), 2)


async def make_pod(cluster: Cluster, meta: Meta, name: str) -> None:
    """A pod as the Deployment would make it."""
    template = manifest(meta)["spec"]["template"]
    metadata = {**template["metadata"], "name": name}
    await cluster.create(PODS, meta.namespace, {"metadata": metadata, "spec": template["spec"]})


@asynccontextmanager
async def watched_cache(cluster: Cluster, namespace: str) -> AsyncIterator[WorkerCache]:
    """What two watches of the namespace tell."""
    cache = WorkerCache((namespace,), lambda *_: None)
    tasks = [asyncio.create_task(watcher) for watcher in cache.watchers(cluster)]
    try:
        yield cache
    finally:
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def watched_workers(cluster: Cluster, namespace: str) -> AsyncIterator[WorkerDeployments]:
    """The store that reads from it."""
    async with watched_cache(cluster, namespace) as cache:
        yield WorkerDeployments(cluster, cache)


async def until_seen(workers: WorkerDeployments, meta: Meta, *, replicas: int, settled: bool) -> None:
    """The watch has told it."""

    async def is_seen() -> bool:
        deployment = (await workers.observe(meta, pool(meta))).deployment
        return deployment is not None and (deployment.replicas, deployment.settled) == (replicas, settled)

    await eventually_async(is_seen)


async def until_pods(workers: WorkerDeployments, meta: Meta, *names: str) -> WorkerFacts:
    """The watch has told of exactly these."""

    async def are_seen() -> WorkerFacts | None:
        facts = await workers.observe(meta, None)
        return facts if [pod.name for pod in facts.pods] == sorted(names) else None

    facts = await eventually_async(are_seen)
    assert facts is not None
    return facts
