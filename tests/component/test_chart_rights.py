"""What the chart's roles allow on a real API server: the operator keeps ledgers, and a tenant does not reach them."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.api_server import connected
from support.helm import FULLNAME, of_kind, render
from support.kubectl import Kubectl
from support.wait import eventually_async
from taskgroup.cluster import ledger_store
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ApiError, ForbiddenError
from taskgroup.cluster.resources import LEDGERS, TASK_GROUPS, Resource
from taskgroup.core.meta import Meta

CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
TENANT = "somebody"


@pytest.fixture
def operator(restricted: Kubectl) -> str:
    """The operator's account, with the rights that the chart gives it in the test's namespace."""
    namespace = restricted.namespace
    manifests = render({"crds": {"install": False}, "watchNamespaces": [namespace]}, namespace)
    for manifest in of_kind(manifests, "Role", "RoleBinding"):
        if manifest["metadata"]["name"] == FULLNAME:
            assert restricted.create(manifest) == ""
    return f"system:serviceaccount:{namespace}:{FULLNAME}"


@pytest.fixture
def tenant(restricted: Kubectl) -> Iterator[str]:
    """A user with the cluster's role admin in the test's namespace, to which the chart adds TaskGroups."""
    roles = [role for role in _cluster_roles(restricted.namespace) if _is_aggregated(role)]
    assert roles
    for role in roles:
        assert restricted.create(role) == ""
    done = restricted("create", "rolebinding", "tenant", "--clusterrole=admin", f"--user={TENANT}")
    assert done.returncode == 0, done.stderr
    yield TENANT
    restricted("delete", "clusterrole", *(role["metadata"]["name"] for role in roles))


def _cluster_roles(namespace: str) -> list[dict[str, Any]]:
    return of_kind(render({"crds": {"install": False}}, namespace), "ClusterRole")


def _is_aggregated(role: dict[str, Any]) -> bool:
    return any(label.startswith("rbac.authorization.k8s.io/") for label in role["metadata"]["labels"])


async def test_the_operator_keeps_ledgers_and_may_do_no_more_with_them(group: Meta, operator: str) -> None:
    async with connected(user=operator) as cluster:
        await eventually_async(lambda: _may_read_ledgers(cluster, group))
        assert await ledger_store.load(cluster, group) is None
        first = await ledger_store.save(cluster, group, b"one", None)
        second = await ledger_store.save(cluster, group, b"two", first)
        assert await ledger_store.load(cluster, group) == (b"two", second)

        with pytest.raises(ForbiddenError):
            await cluster.list_all(LEDGERS, group.namespace)
        with pytest.raises(ForbiddenError):
            await cluster.delete(LEDGERS, group.namespace, ledger_store.ledger_name(group))


async def test_the_operator_has_no_right_on_config_maps(group: Meta, operator: str) -> None:
    async with connected(user=operator) as cluster:
        await eventually_async(lambda: _may_read_ledgers(cluster, group))
        with pytest.raises(ForbiddenError):
            await cluster.get(CONFIG_MAPS, group.namespace, "settings")
        with pytest.raises(ForbiddenError):
            await cluster.create(CONFIG_MAPS, group.namespace, {"metadata": {"name": "settings"}})


async def test_who_administers_a_namespace_reaches_its_groups_and_not_their_ledgers(
    cluster: Cluster, group: Meta, tenant: str
) -> None:
    version = await ledger_store.save(cluster, group, b"one", None)
    async with connected(user=tenant) as theirs:
        await eventually_async(lambda: _may_read(theirs, group))
        with pytest.raises(ForbiddenError):
            await ledger_store.load(theirs, group)
        with pytest.raises(ForbiddenError):
            await ledger_store.save(theirs, group, b"two", version)


async def _may_read(cluster: Cluster, group: Meta) -> bool:
    """The cluster adds the chart's rules to its roles a moment later."""
    try:
        await cluster.get(TASK_GROUPS, group.namespace, group.name)
    except ApiError:
        return False
    return True


async def _may_read_ledgers(cluster: Cluster, group: Meta) -> bool:
    """The API server learns of a new role a moment after it was stored."""
    try:
        await ledger_store.load(cluster, group)
    except ForbiddenError:
        return False
    return True
