"""The chart under way: tested, upgraded, uninstalled while a group runs, installed again, removed for good.

These tests take the operator away, so they run when no other test does.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from support.groups import Group, holding
from support.kube import PODS, SECRETS, TASK_GROUPS, Kube
from support.release import LIMIT, RELEASE, install, left, run, uninstall_beside
from support.space import REDIS, SYSTEM, Space, chart_redis_service, client_of
from support.volume import claim_on
from taskgroup.api.names import FINALIZER, GROUP, LEDGER_PLURAL, PLURAL

# Each of them installs the chart several times.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(1800)]

DEFINITIONS = [
    f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}" for plural in (PLURAL, LEDGER_PLURAL)
]
ON_VOLUME = ("--set", "redis.persistence.enabled=true,redis.persistence.existingClaim=redis-data")
Object = dict[str, Any]


def password(system: Kube) -> str:
    """Of the chart's Redis, as the Secret holds it."""
    found = system.select(SECRETS, REDIS)
    return str(found[0]["data"]["password"])


@pytest.fixture
def volume(system: Kube, tmp_path: Path) -> Iterator[None]:
    """A claim `redis-data` on a directory of this machine, for a Redis that outlives its release."""
    with claim_on(system, "redis-data", tmp_path):
        yield


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

    uninstall_beside(system, group)

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

    uninstall_beside(system, group)

    system.until(lambda: not any(system.exists(path) for path in DEFINITIONS))
    space.kube.until(lambda: not group.pods() and group.deployment() is None, state=group.pods)
    system.until(lambda: not left(system), state=lambda: left(system))


def _fresh_client(system: Kube, encoded: str) -> Redis:
    service = chart_redis_service(system)
    return client_of(service, f"redis://:{base64.b64decode(encoded).decode()}@redis")
