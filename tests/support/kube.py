"""The cluster of the end-to-end tests: kubectl as its users call it, and cheap reads for what is looked at often."""

import json
import os
from collections.abc import Callable
from typing import Any

from kubernetes import client, config

from support.kubectl import Kubectl
from support.wait import PATIENCE, eventually
from taskgroup.cluster.resources import CONFIG_MAPS, DEPLOYMENTS, EVENTS, PODS, SECRETS, TASK_GROUPS, Resource

__all__ = ["CONFIG_MAPS", "DEPLOYMENTS", "EVENTS", "PODS", "SECRETS", "SERVICES", "TASK_GROUPS", "Kube", "connect"]

SERVICES = Resource("v1", "Service", "services")
LOOK_SECONDS = 0.2
"""Between two looks: several tests run at once on few cores."""
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
        """What kubectl printed; AssertionError with its words when it refused."""
        done = self(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def refusal(self, *arguments: str, given: Object | None = None) -> str:
        """Why kubectl refused; AssertionError when it did not."""
        done = self(*arguments, given=given)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} was accepted: {done.stdout}"
        return done.stderr

    def apply(self, manifest: Object) -> None:
        """Create the object, or bring it to this state."""
        self.run("apply", "--filename", "-", given=manifest)

    def patch(self, kind: str, name: str, change: Object) -> None:
        """Merge the change into the object."""
        self.run("patch", kind, name, "--type", "merge", "--patch", json.dumps(change))

    def remove(self, kind: str, name: str, *options: str) -> None:
        """Ask for its deletion; it may be gone already."""
        self.run("delete", kind, name, "--ignore-not-found", "--wait=false", *options)

    def find(self, resource: Resource, name: str) -> Object | None:
        """The object, or None."""
        return self._read(resource.path(self.namespace, name))

    def read(self, resource: Resource, name: str) -> Object:
        """The object; AssertionError when there is none."""
        found = self.find(resource, name)
        assert found is not None, f"no {resource.label(self.namespace, name)}"
        return found

    def select(self, resource: Resource, selector: str = "") -> list[Object]:
        """The objects whose labels fit."""
        found = self._read(resource.path(self.namespace), [("labelSelector", selector)])
        items: list[Object] = found["items"] if found else []
        return items

    def exists(self, path: str) -> bool:
        """Whether there is something at an absolute path of the API."""
        return self._read(path) is not None

    def until(
        self, holds: Callable[[], Any], seconds: float = PATIENCE, state: Callable[[], object] | None = None
    ) -> Any:
        """The first truthy value of `holds`; AssertionError with the last state after `seconds`."""
        return eventually(holds, seconds, state, step=LOOK_SECONDS)

    def _read(self, path: str, query: list[tuple[str, str]] | None = None) -> Object | None:
        request = self._api.param_serialize("GET", path, query_params=query, auth_settings=["BearerToken"])
        answer = self._api.call_api(*request, _request_timeout=PATIENCE)
        text = answer.read()
        if answer.status == _NOT_FOUND:
            return None
        assert answer.status < 300, f"GET {path}: {answer.status} {text[:500]!r}"
        found: Object = json.loads(text)
        return found


def connect(namespace: str) -> Kube:
    """The cluster that `make e2e` brought up; nothing else is ever read or written."""
    path = os.environ.get("TASKGROUP_E2E_KUBECONFIG")
    assert path, "TASKGROUP_E2E_KUBECONFIG is not set: run make e2e, which brings the cluster up and sets it."
    settings = client.Configuration()
    settings.proxy = None
    api = config.new_client_from_config(path, client_configuration=settings)  # type: ignore[no-untyped-call]
    return Kube(path, namespace, api)
