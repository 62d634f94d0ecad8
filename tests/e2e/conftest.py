"""One operator for the whole run and a namespace of its own for every test; a failure shows what the cluster says."""

import base64
import os
import subprocess
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from support.groups import PROBE
from support.kube import SECRETS, SERVICES, Kube, connect
from support.kubectl import RESTRICTED
from support.space import REPOSITORY, SYSTEM, Space, broker_secret, client_of
from support.wait import PATIENCE

APPS = (Path(__file__).parent / "apps/probe.py", REPOSITORY / "tests/images/awkward/awkward.py")
Object = dict[str, Any]


@pytest.fixture(scope="session")
def system() -> Kube:
    """The namespace of the chart's release."""
    return connect(SYSTEM)


@pytest.fixture
def broker_url(system: Kube) -> str:
    """URL of the chart's Redis, as pods use it; another one after an installation."""
    name = _redis_service(system)["metadata"]["name"]
    return base64.b64decode(system.read(SECRETS, name)["data"]["url"]).decode()


@pytest.fixture
def redis(system: Kube, broker_url: str) -> Iterator[Redis]:
    """A client of the chart's Redis; Services of the local cluster can be reached from the machine itself."""
    with client_of(_redis_service(system), broker_url) as client:
        yield client


@pytest.fixture
def space(request: pytest.FixtureRequest, system: Kube, redis: Redis, broker_url: str) -> Iterator[Space]:
    """The test's own namespace; its deletion is not waited for."""
    kube = system.within(f"e2e-{uuid.uuid4().hex[:8]}")
    kube.run("create", "--filename", "-", given=_contents(kube.namespace, request.node.name, broker_url))
    yield Space(kube, redis)
    kube.remove("namespace", kube.namespace)


def _contents(namespace: str, test: str, broker_url: str) -> Object:
    """The namespace and what is in it, in one list: every call of kubectl costs a moment."""
    labels = {name: value for name, value in RESTRICTED.items() if name.endswith("/enforce")}
    metadata = {"name": namespace, "labels": labels, "annotations": {"test": test}}
    data = {path.name: path.read_text() for path in APPS}
    objects: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        broker_secret(broker_url),
        broker_secret(broker_url, PROBE),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROBE}, "data": data},
    ]
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def _redis_service(system: Kube) -> Object:
    return system.select(SERVICES, "app.kubernetes.io/component=redis")[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After a failure, append what the test's namespace and the operator's say."""
    report = yield
    funcargs: dict[str, Any] = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed and "system" in funcargs:
        kubes = [SYSTEM, *(value.kube.namespace for value in funcargs.values() if isinstance(value, Space))]
        report.sections.append(("the cluster", _dump(funcargs["system"].kubeconfig, list(reversed(kubes)))))
    return report


def _dump(kubeconfig: str, namespaces: list[str]) -> str:
    command = [str(REPOSITORY / "tests/cluster/dump"), *namespaces]
    environment = {**os.environ, "KUBECONFIG": kubeconfig, "LINES_OF_LOG": "120"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout + done.stderr
