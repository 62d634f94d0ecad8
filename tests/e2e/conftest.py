"""One operator for the whole run and a namespace of its own for every test; a failure shows what the cluster says."""

import os
import subprocess
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from redis import Redis

from support.kube import Kube, connect
from support.release import install
from support.space import REPOSITORY, SYSTEM, Space, chart_broker_url, chart_redis, new_space
from support.wait import PATIENCE


@pytest.fixture(scope="session")
def system() -> Kube:
    """The namespace of the chart's release."""
    return connect(SYSTEM)


@pytest.fixture
def broker_url(system: Kube) -> str:
    """URL of the chart's Redis, as pods use it; another one after an installation."""
    return chart_broker_url(system)


@pytest.fixture
def redis(system: Kube) -> Iterator[Redis]:
    """A client of the chart's Redis."""
    with chart_redis(system) as client:
        yield client


@pytest.fixture
def space(request: pytest.FixtureRequest, system: Kube, redis: Redis) -> Iterator[Space]:
    """The test's own namespace."""
    with new_space(system, redis, request.node.name) as space:
        yield space


@pytest.fixture
def restored(system: Kube) -> Iterator[None]:
    """Afterwards the chart is installed as before."""
    yield
    install(system)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After a failure, append what the test's namespace and the operator's say."""
    report = yield
    funcargs: dict[str, Any] = getattr(item, "funcargs", {})
    if report.when != "teardown" and report.failed and "system" in funcargs:
        kubes = [SYSTEM, *(value.kube.namespace for value in funcargs.values() if isinstance(value, Space))]
        report.sections.append(("the cluster", _dump(funcargs["system"].kubeconfig, list(reversed(kubes)))))
    return report


def _dump(kubeconfig: str, namespaces: list[str]) -> str:
    command = [str(REPOSITORY / "tests/cluster/dump"), *namespaces]
    environment = {**os.environ, "KUBECONFIG": kubeconfig, "LINES_OF_LOG": "120"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout + done.stderr
