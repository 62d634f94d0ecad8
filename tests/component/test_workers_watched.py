"""What the operator knows of workers without asking: the watches, and its own writes."""

from collections.abc import AsyncIterator

import pytest

from support.api_server import recorded
from support.watched_workers import make_pod, pool, until_pods, watched_workers
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.resources import PODS
from taskgroup.cluster.workers.deployments import WorkerDeployments
from taskgroup.core.meta import Meta


@pytest.fixture
async def workers(cluster: Cluster, namespace: str) -> AsyncIterator[WorkerDeployments]:
    async with watched_workers(cluster, namespace) as watched:
        yield watched


async def test_only_pods_whose_mark_is_wrong_are_written(
    cluster: Cluster, workers: WorkerDeployments, group: Meta
) -> None:
    """Marking all of 300 pods at every step of their end took 45,149 requests."""
    for name in ("a", "b"):
        await make_pod(cluster, group, name)
    await until_pods(workers, group, "a", "b")
    requests = recorded(cluster)

    await workers.mark(group, idle=["a"], busy=["b"])
    await workers.mark(group, idle=["a"], busy=["b"])
    assert len(requests) == 2
    await workers.mark(group, idle=["a", "b"], busy=[])
    assert [request.rpartition("/")[2] for request in requests[2:]] == ["b"]


async def test_a_look_makes_no_request(cluster: Cluster, workers: WorkerDeployments, group: Meta) -> None:
    """Each event of a pod took a GET and a LIST."""
    await until_pods(workers, group)
    requests = recorded(cluster)
    await make_pod(cluster, group, "p")
    await until_pods(workers, group, "p")
    await cluster.delete(PODS, group.namespace, "p")
    await until_pods(workers, group)

    assert [request.split()[0] for request in requests] == ["POST", "DELETE"], "those of the test itself"


async def test_ones_own_write_is_seen_at_once(workers: WorkerDeployments, group: Meta) -> None:
    """The watch lags behind: without its answer a write would be decided upon and made again."""
    for replicas in (1, 4, 2):
        await workers.apply(group, pool(group), replicas)
        deployment = (await workers.observe(group, None)).deployment
        assert deployment is not None
        assert deployment.replicas == replicas
    await workers.stop(group)
    deployment = (await workers.observe(group, None)).deployment
    assert deployment is not None
    assert deployment.replicas == 0
