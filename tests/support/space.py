"""The namespace of one end-to-end test, and the objects that the test creates in it."""

import base64
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from support.groups import PROBE, SECRET, Group, manifest
from support.kube import SECRETS, SERVICES, Kube
from support.kubectl import RESTRICTED
from support.wait import PATIENCE

Object = dict[str, Any]
SYSTEM = "taskgroups"
"""Namespace of the chart's release."""
REDIS = "app.kubernetes.io/component=redis"
"""The label of all that belongs to the chart's Redis."""
REPOSITORY = Path(__file__).parents[2]
_APPS = (
    REPOSITORY / "tests/e2e/apps/probe.py",
    REPOSITORY / "tests/e2e/apps/shop.py",
    REPOSITORY / "tests/images/awkward/awkward.py",
)


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace that admits restricted pods only, with the broker's Secret and the probe app in it."""

    kube: Kube
    redis: Redis

    def create(self, name: str = "group", **spec: Any) -> Group:
        """Create a TaskGroup; see `support.groups.manifest`."""
        output = self.kube.run("create", "--output", "json", "--filename", "-", given=manifest(name, **spec))
        return Group(self.kube, self.redis, name, json.loads(output)["metadata"]["uid"])

    def group(self, name: str) -> Group:
        """An existing TaskGroup."""
        body = self.kube.get("taskgroup", name)
        return Group(self.kube, self.redis, name, body["metadata"]["uid"])

    def set_broker(self, url: str, name: str = SECRET) -> None:
        """Write the Secret with the broker's URL."""
        self.kube.apply(broker_secret(url, name))


@contextmanager
def new_space(system: Kube, redis: Redis, test: str, prefix: str = "e2e") -> Iterator[Space]:
    """A namespace for a test; its deletion is not waited for."""
    kube = system.within(f"{prefix}-{uuid.uuid4().hex[:8]}")
    kube.run("create", "--filename", "-", given=_contents(kube.namespace, test, chart_broker_url(system)))
    yield Space(kube, redis)
    kube.remove("namespace", kube.namespace)


def _contents(namespace: str, test: str, broker_url: str) -> Object:
    """The namespace and what is in it, in one list: every call of kubectl costs a moment."""
    labels = {name: value for name, value in RESTRICTED.items() if name.endswith("/enforce")}
    metadata = {"name": namespace, "labels": labels, "annotations": {"test": test}}
    data = {path.name: path.read_text() for path in _APPS}
    objects: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        broker_secret(broker_url),
        broker_secret(broker_url, PROBE),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROBE}, "data": data},
    ]
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def chart_redis(system: Kube) -> Redis:
    """A client of the chart's Redis; Services of the local cluster can be reached from the machine itself."""
    return client_of(chart_redis_service(system), chart_broker_url(system))


def chart_broker_url(system: Kube) -> str:
    """URL of the chart's Redis, as pods use it; another one after an installation."""
    name = chart_redis_service(system)["metadata"]["name"]
    return base64.b64decode(system.read(SECRETS, name)["data"]["url"]).decode()


def chart_redis_service(system: Kube) -> Object:
    """Where it is reached."""
    return system.select(SERVICES, REDIS)[0]


def client_of(service: Object, url: str) -> Redis:
    """A client of a Redis behind a Service, with the password of its URL."""
    return Redis(host=service["spec"]["clusterIP"], password=urlsplit(url).password, socket_timeout=PATIENCE)


def broker_secret(url: str, name: str = SECRET) -> Object:
    """The Secret that a group's spec names."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"url": url}}
