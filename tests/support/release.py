"""The chart's release on the cluster of the end-to-end tests, which some of them install, upgrade and uninstall."""

import os
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from redis.exceptions import RedisError

from support.groups import Group
from support.kube import Kube
from support.space import REPOSITORY, SYSTEM
from support.wait import COMMAND_SECONDS, PATIENCE

RELEASE = "taskgroups"
FULLNAME = f"{RELEASE}-taskgroup-operator"
"""Of the operator's Deployment, Lease, account and roles; what belongs to them begins with it."""
OPERATOR = "app.kubernetes.io/component=operator"
"""The label of its pods and of its Service."""
LIMIT = ("--timeout", f"{PATIENCE}s")
_NOTHING: Mapping[str, str] = MappingProxyType({})


def run(system: Kube, *command: str, variables: Mapping[str, str] = _NOTHING) -> str:
    """A tool on the test cluster; AssertionError with what it said."""
    environment = {**os.environ, **variables, "KUBECONFIG": system.kubeconfig}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(system: Kube, *options: str, chart: Path | None = None) -> None:
    """As `make install`; without options it restores the installation that all other tests use."""
    variables = {"CHART": str(chart)} if chart else {}
    run(system, str(REPOSITORY / "tests/cluster/install"), *LIMIT, *options, variables=variables)


def uninstall(system: Kube) -> None:
    """As a user does it."""
    run(system, "helm", "uninstall", RELEASE, "--namespace", SYSTEM, *LIMIT)


def uninstall_beside(system: Kube, group: Group) -> None:
    """While the group runs; its items are let go once its workers shall stop, which wait for what they run."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(uninstall, system)
        system.until(lambda: done.done() or not group.replicas(), state=group.deployment)
        with suppress(RedisError):  # gone already: then the kubelet ends the workers, a minute later
            group.open_gate()
        done.result()


def left(system: Kube) -> set[str]:
    """Everything of the release, in any namespace and outside of all, as kind/name."""
    inside = (
        "deployments,statefulsets,pods,jobs,services,configmaps,secrets,serviceaccounts,roles,rolebindings,leases,"
        "networkpolicies,poddisruptionbudgets"
    )
    mine = f"--selector=app.kubernetes.io/instance={RELEASE}"
    found = system.run("get", inside, mine, "--all-namespaces", "--output", "name").split()
    return {*found, *system.run("get", "clusterroles,clusterrolebindings,crds", mine, "--output", "name").split()}
