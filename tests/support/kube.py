"""A cluster of the tests: kubectl for writes, and for frequent reads requests without it, as each costs a process."""

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from kubernetes import client, config

from support.kubectl import Kubectl
from support.wait import PATIENCE, eventually
from taskgroup.cluster.resources import DEPLOYMENTS, EVENTS, LEDGERS, PODS, SECRETS, TASK_GROUPS, Resource

__all__ = ["DEPLOYMENTS", "EVENTS", "LEDGERS", "PODS", "SECRETS", "SERVICES", "TASK_GROUPS", "Kube", "connect"]

SERVICES = Resource("v1", "Service", "services")
LOOK_SECONDS = 0.2
"""Between two reads: several tests run at once on few cores."""
_NOT_FOUND = 404

Object = dict[str, Any]


class Kube(Kubectl):
    """One namespace of the full cluster."""

    def __init__(self, kubeconfig: str, namespace: str, api: Any) -> None:
        """`api` is a connection that all namespaces of a test run share."""
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self._api = api

    def within(self, namespace: str) -> "Kube":
        """The same cluster, another namespace."""
        return Kube(self.kubeconfig, namespace, self._api)

    def run(self, *arguments: str, given: Object | None = None) -> str:
        """Standard output of kubectl; AssertionError with its message when it fails."""
        process = self(*arguments, given=given)
        assert process.returncode == 0, f"kubectl {' '.join(arguments)}: {process.stderr}"
        return process.stdout

    def refusal(self, *arguments: str, given: Object | None = None) -> str:
        """Standard error of a kubectl call that must fail; AssertionError when it succeeds."""
        process = self(*arguments, given=given)
        assert process.returncode != 0, f"kubectl {' '.join(arguments)} was accepted: {process.stdout}"
        return process.stderr

    def apply(self, manifest: Object) -> None:
        """Create the object or apply the manifest to it."""
        self.run("apply", "--filename", "-", given=manifest)

    def patch(self, kind: str, name: str, change: Object) -> None:
        """Merge the change into the object."""
        self.run("patch", kind, name, "--type", "merge", "--patch", json.dumps(change))

    def remove(self, kind: str, name: str, *options: str) -> None:
        """Delete the object without waiting; it need not exist."""
        self.run("delete", kind, name, "--ignore-not-found", "--wait=false", *options)

    def find(self, resource: Resource, name: str) -> Object | None:
        """The object, or None."""
        return self._read(resource.path(self.namespace, name))

    def read(self, resource: Resource, name: str) -> Object:
        """The object; AssertionError when there is none."""
        body = self.find(resource, name)
        assert body is not None, f"no {resource.label(self.namespace, name)}"
        return body

    def select(self, resource: Resource, selector: str = "") -> list[Object]:
        """The objects that match the label selector."""
        page = self._read(resource.path(self.namespace), [("labelSelector", selector)])
        items: list[Object] = page["items"] if page else []
        return items

    def exists(self, path: str) -> bool:
        """Whether an absolute path of the API exists."""
        return self._read(path) is not None

    def until(
        self, holds: Callable[[], Any], seconds: float = PATIENCE, state: Callable[[], object] | None = None
    ) -> Any:
        """The first truthy value of `holds`; AssertionError with the last state after `seconds`."""
        return eventually(holds, seconds, state, step=LOOK_SECONDS)

    def _read(self, path: str, query: list[tuple[str, str]] | None = None) -> Object | None:
        request = self._api.param_serialize("GET", path, query_params=query, auth_settings=["BearerToken"])
        response = self._api.call_api(*request, _request_timeout=PATIENCE)
        text = response.read()
        if response.status == _NOT_FOUND:
            return None
        assert response.status < 300, f"GET {path}: {response.status} {text[:500]!r}"
        body: Object = json.loads(text)
        return body


def connect(namespace: str) -> Kube:
    """The cluster that `make e2e` started; no other one is read or written."""
    path = os.environ.get("TASKGROUP_E2E_KUBECONFIG")
    assert path, "TASKGROUP_E2E_KUBECONFIG is not set: run make e2e, which starts the cluster and sets it."
    return kube_of(path, namespace)


def kube_of(path: str, namespace: str) -> Kube:
    """A namespace of the cluster that a kubeconfig names."""
    return Kube(path, namespace, _api(path))


@cache
def _api(path: str) -> Any:
    settings = client.Configuration()
    settings.proxy = None
    return config.new_client_from_config(path, client_configuration=settings)  # type: ignore[no-untyped-call]
