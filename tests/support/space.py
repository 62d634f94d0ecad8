"""The namespace of one end-to-end test, and the objects that the test creates in it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import Redis

from support.groups import SECRET, Group, manifest
from support.kube import Kube
from support.wait import PATIENCE

Object = dict[str, Any]
SYSTEM = "taskgroup-system"
"""Namespace of the chart's release."""
REPOSITORY = Path(__file__).parents[2]


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


def client_of(service: Object, url: str) -> Redis:
    """A client of a Redis behind a Service, with the password of its URL."""
    return Redis(host=service["spec"]["clusterIP"], password=urlsplit(url).password, socket_timeout=PATIENCE)


def broker_secret(url: str, name: str = SECRET) -> Object:
    """The Secret that a group's spec names."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"url": url}}
