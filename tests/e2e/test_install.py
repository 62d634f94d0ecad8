"""The chart under way: tested, upgraded, uninstalled while a group runs, installed again, removed for good.

These tests take the operator away, so they run when no other test does.
"""

import base64
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from support.groups import Group, holding
from support.kube import PODS, SECRETS, SERVICES, TASK_GROUPS, Kube
from support.space import REPOSITORY, SYSTEM, Space, client_of
from support.wait import COMMAND_SECONDS, PATIENCE
from taskgroup.api.names import FINALIZER, GROUP, LEDGER_PLURAL, PLURAL

# Each of them installs the chart several times.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]

RELEASE = "taskgroup"
DEFINITIONS = [
    f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}" for plural in (PLURAL, LEDGER_PLURAL)
]
LIMIT = ("--timeout", f"{PATIENCE}s")
ON_VOLUME = ("--set", "redis.persistence.enabled=true,redis.persistence.existingClaim=redis-data")
Object = dict[str, Any]


def run(system: Kube, *command: str) -> str:
    """A tool on the test cluster; AssertionError with what it said."""
    environment = {**os.environ, "KUBECONFIG": system.kubeconfig}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(system: Kube, *options: str) -> None:
    """As `make install`; without options it restores the installation that all other tests use."""
    run(system, str(REPOSITORY / "tests/cluster/install"), *LIMIT, *options)


def uninstall(system: Kube, group: Group) -> None:
    """Beside a running group; its items are let go once its workers shall stop, which wait for what they run."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run, system, "helm", "uninstall", RELEASE, "--namespace", SYSTEM, *LIMIT)
        system.until(lambda: done.done() or not group.replicas(), state=group.deployment)
        with suppress(RedisError):  # gone already: then the kubelet ends the workers, a minute later
            group.open_gate()
        done.result()


def password(system: Kube) -> str:
    """Of the chart's Redis, as the Secret holds it."""
    found = system.select(SECRETS, "app.kubernetes.io/component=redis")
    return str(found[0]["data"]["password"])


@pytest.fixture
def restored(system: Kube) -> Iterator[None]:
    """Afterwards the chart is installed as before."""
    yield
    install(system)


@pytest.fixture
def volume(system: Kube, tmp_path: Path) -> Iterator[None]:
    """A claim `redis-data` on a directory of this machine, for a Redis that outlives its release."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    claim = spec | {"resources": {"requests": {"storage": "1Gi"}}, "volumeName": "redis-data"}
    owner = {"namespace": SYSTEM, "name": "redis-data"}
    place = spec | {"capacity": {"storage": "1Gi"}, "hostPath": {"path": str(tmp_path)}, "claimRef": owner}
    for kind, body in (("PersistentVolume", place), ("PersistentVolumeClaim", claim)):
        system.apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": "redis-data"}, "spec": body})
    yield
    system.remove("pvc", "redis-data")
    system.remove("pv", "redis-data")


def test_helm_test_runs_a_tiny_group(system: Kube) -> None:
    assert "Succeeded" in run(system, "helm", "test", RELEASE, "--namespace", SYSTEM, *LIMIT)
    system.until(lambda: not system.select(TASK_GROUPS), state=lambda: system.select(TASK_GROUPS))


@pytest.mark.usefixtures("restored")
def test_an_upgrade_keeps_the_password_of_redis(system: Kube) -> None:
    before = password(system)
    install(system, "--set", "logLevel=DEBUG")
    assert password(system) == before


@pytest.mark.usefixtures("restored", "volume")
def test_an_uninstall_stops_a_running_group_and_a_reinstall_goes_on_with_it(
    system: Kube, request: pytest.FixtureRequest
) -> None:
    install(system, *ON_VOLUME)
    space: Space = request.getfixturevalue("space")
    group = space.create(**holding(60))
    group.let_end(6)
    secret = password(system)

    uninstall(system, group)

    system.until(lambda: not group.pods() and not system.select(PODS), state=lambda: system.select(PODS))
    stopped = space.kube.get("taskgroup", "group")
    assert FINALIZER not in stopped["metadata"].get("finalizers", ())
    assert stopped["status"]["succeeded"] == 6

    install(system, *ON_VOLUME)
    assert password(system) == secret
    again = Group(space.kube, _fresh_client(system, secret), group.name, group.uid)
    again.open_gate()
    status = again.until_finished()
    assert status["succeeded"] == status["total"] == 60
    assert set(again.runs()) == set(range(60))
    assert sum(again.runs().values()) <= 62, "only what ran during the uninstall may have been run again"
    again.until_no_workers()


@pytest.mark.usefixtures("restored")
def test_an_uninstall_without_keep_leaves_nothing(system: Kube, space: Space) -> None:
    install(system, "--set", "crds.keep=false")
    group = space.create(**holding(200))
    group.let_end(1)

    uninstall(system, group)

    system.until(lambda: not any(system.exists(path) for path in DEFINITIONS))
    space.kube.until(lambda: not group.pods() and group.deployment() is None, state=group.pods)
    system.until(lambda: _left(system) == "", state=lambda: _left(system))


def _fresh_client(system: Kube, encoded: str) -> Redis:
    service = system.select(SERVICES, "app.kubernetes.io/component=redis")[0]
    return client_of(service, f"redis://:{base64.b64decode(encoded).decode()}@redis")


def _left(system: Kube) -> str:
    """Everything of the release, in any namespace and outside of all."""
    kinds = "deployments,statefulsets,pods,jobs,services,configmaps,secrets,serviceaccounts,roles,rolebindings,leases"
    mine = f"--selector=app.kubernetes.io/instance={RELEASE}"
    inside = system.run("get", kinds, mine, "--all-namespaces", "--output", "name")
    return inside + system.run("get", "clusterroles,clusterrolebindings,crds", mine, "--output", "name")
