"""What the chart's roles allow on a real API server: the operator keeps ledgers, and a tenant does not reach them."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.api_server import connected
from support.helm import FULLNAME, of_kind, render
from support.kubectl import Kubectl
from support.wait import eventually_async
from taskgroup.cluster import ledger_store
from taskgroup.cluster.access_review import Access, MetricsAccess
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ApiError, ForbiddenError
from taskgroup.cluster.resources import LEDGERS, SUBJECT_ACCESS_REVIEWS, TASK_GROUPS, TOKEN_REVIEWS, Resource
from taskgroup.core.meta import Meta
from taskgroup.serve.metrics.server import PATH

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
def reviewer(restricted: Kubectl, operator: str) -> Iterator[str]:
    """The operator's account where the metrics are secured; the account `prometheus` is bound to the chart's reader."""
    namespace = restricted.namespace
    values = {"crds": {"install": False}, "watchNamespaces": [namespace], "metrics": {"secure": {"enabled": True}}}
    found = of_kind(render(values, namespace), "ClusterRole", "ClusterRoleBinding")
    wanted = [m for m in found if m["metadata"]["name"].startswith((f"{FULLNAME}-review:", f"{FULLNAME}-metrics-"))]
    assert [restricted.create(manifest) for manifest in wanted] == ["", "", ""]
    names = [manifest["metadata"]["name"] for manifest in wanted]
    reader = next(name for name in names if "metrics-reader" in name)
    account = f"--serviceaccount={namespace}:prometheus"
    assert restricted("create", "clusterrolebinding", reader, f"--clusterrole={reader}", account).returncode == 0
    yield operator
    restricted("delete", "clusterroles,clusterrolebindings", *set(names))


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


async def test_the_operator_asks_who_reads_the_metrics_where_they_are_secured(
    restricted: Kubectl, reviewer: str
) -> None:
    tokens = {}
    for name in ("prometheus", "stranger"):
        assert restricted("create", "serviceaccount", name).returncode == 0
        tokens[name] = restricted("create", "token", name).stdout.strip()
    async with connected(user=reviewer) as cluster:
        await eventually_async(lambda: _is_allowed(cluster, tokens["prometheus"]))
        assert await MetricsAccess(cluster, PATH).check(tokens["stranger"]) == Access.DENIED
        assert await MetricsAccess(cluster, PATH).check("garbage") == Access.UNKNOWN


async def test_the_operator_may_ask_for_no_review_where_metrics_are_not_secured(group: Meta, operator: str) -> None:
    async with connected(user=operator) as cluster:
        await eventually_async(lambda: _may_read_ledgers(cluster, group))
        for resource in (TOKEN_REVIEWS, SUBJECT_ACCESS_REVIEWS):
            with pytest.raises(ForbiddenError):
                await cluster.create(resource, "", {"spec": {}})


async def _is_allowed(cluster: Cluster, token: str) -> bool:
    """Asked anew each time: an answer is remembered."""
    return await MetricsAccess(cluster, PATH).check(token) == Access.ALLOWED


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
