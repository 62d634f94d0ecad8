"""One operator for the whole run and a namespace of its own for every test; a failure shows what the cluster says."""

import base64
import os
import subprocess
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from support.groups import PROBE, SECRET, Group, manifest
from support.kube import SECRETS, SERVICES, Kube, connect
from support.kubectl import RESTRICTED

SYSTEM = "taskgroup-system"
REPOSITORY = Path(__file__).parents[2]
APPS = (Path(__file__).parent / "apps/probe.py", REPOSITORY / "tests/images/awkward/awkward.py")
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace that admits restricted pods only, with the broker's Secret and the probe app in it."""

    kube: Kube
    redis: Redis

    def create(self, name: str = "group", **spec: Any) -> Group:
        """A new TaskGroup; see `support.groups.manifest`."""
        self.kube.run("create", "--filename", "-", given=manifest(name, **spec))
        return self.group(name)

    def group(self, name: str) -> Group:
        """A TaskGroup that is there."""
        found = self.kube.get("taskgroup", name)
        return Group(self.kube, self.redis, name, found["metadata"]["uid"])

    def set_broker(self, url: str, name: str = SECRET) -> None:
        """Write the Secret with the broker's URL."""
        self.kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"url": url}})


@pytest.fixture(scope="session")
def system() -> Kube:
    """The namespace of the chart's release."""
    return connect(SYSTEM)


@pytest.fixture(scope="session")
def broker_url(system: Kube) -> str:
    """URL of the chart's Redis, as pods use it."""
    name = _redis_service(system)["metadata"]["name"]
    return base64.b64decode(system.read(SECRETS, name)["data"]["url"]).decode()


@pytest.fixture(scope="session")
def redis(system: Kube, broker_url: str) -> Iterator[Redis]:
    """A client of the chart's Redis; Services of the local cluster can be reached from the machine itself."""
    with client_of(_redis_service(system), broker_url) as client:
        yield client


@pytest.fixture
def space(request: pytest.FixtureRequest, system: Kube, redis: Redis, broker_url: str) -> Iterator[Space]:
    """The test's own namespace; its deletion is not waited for."""
    kube = system.within(f"e2e-{uuid.uuid4().hex[:8]}")
    labels = {name: value for name, value in RESTRICTED.items() if name.endswith("/enforce")}
    metadata = {"name": kube.namespace, "labels": labels, "annotations": {"test": request.node.name}}
    kube.run("create", "--filename", "-", given={"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    made = Space(kube, redis)
    made.set_broker(broker_url)
    data = {path.name: path.read_text() for path in APPS}
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROBE}, "data": data})
    yield made
    kube.remove("namespace", kube.namespace)


def client_of(service: Object, url: str) -> Redis:
    """A client of a Redis behind a Service, with the password of its URL."""
    return Redis(host=service["spec"]["clusterIP"], password=urlsplit(url).password, socket_timeout=10)


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
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr
