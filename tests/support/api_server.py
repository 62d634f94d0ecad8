"""The operator's client on the API server of the component tests, and TaskGroups for the tests."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.crd.objects import LEAST, task_group
from support.crd.server import shared_task_groups
from support.kubectl import Kubectl, kubeconfig, new_namespace
from support.wait import PATIENCE
from taskgroup.cluster.client import Cluster, connect
from taskgroup.cluster.resources import TASK_GROUPS
from taskgroup.core.meta import Meta


@asynccontextmanager
async def connected(*, user: str | None = None) -> AsyncIterator[Cluster]:
    """The operator's client with all rights, or with those of another user."""
    cluster = await connect(kubeconfig())
    cluster._timeout = PATIENCE  # noqa: SLF001
    if user:
        cluster._api.set_default_header("Impersonate-User", user)  # noqa: SLF001
    async with cluster:
        yield cluster


def recorded(cluster: Cluster) -> list[str]:
    """Method and path of every request that this client makes from now on."""
    requests: list[str] = []
    send = cluster._request  # noqa: SLF001

    async def sent(method: str, path: str, *rest: Any) -> Any:
        requests.append(f"{method} {path}")
        return await send(method, path, *rest)

    cluster._request = sent  # type: ignore[method-assign, assignment]  # noqa: SLF001
    return requests


async def new_group(cluster: Cluster, namespace: str, name: str = "pictures") -> Meta:
    """Create a TaskGroup and return its Meta."""
    shared_task_groups()
    stored = await cluster.create(TASK_GROUPS, namespace, task_group(LEAST, name=name))
    return meta_of(stored)


def meta_of(stored: dict[str, object]) -> Meta:
    """Return the Meta of a stored TaskGroup, as the operator reads it."""
    metadata = stored["metadata"]
    assert isinstance(metadata, dict)
    return Meta(
        uid=metadata["uid"],
        name=metadata["name"],
        namespace=metadata["namespace"],
        generation=metadata["generation"],
    )


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """The client with all rights."""
    async with connected() as client:
        yield client


@pytest.fixture
def restricted() -> Iterator[Kubectl]:
    """A new namespace that admits only restricted pods."""
    with new_namespace() as kubectl:
        yield kubectl


@pytest.fixture
def namespace(restricted: Kubectl) -> str:
    """Name of the test's namespace."""
    return restricted.namespace


@pytest.fixture
async def group(cluster: Cluster, namespace: str) -> Meta:
    """A TaskGroup in the test's namespace."""
    return await new_group(cluster, namespace)
