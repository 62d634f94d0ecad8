"""Requests with TaskGroups to the API server of the CRD tests; each is accepted, or refused with a message."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config

from support.crd.objects import LEAST, task_group
from support.kubectl import kubeconfig
from support.wait import PATIENCE, eventually

CRDS = Path(__file__).resolve().parents[3] / "crds"
CRD = CRDS / "taskgroups.yaml"
NAMESPACE = "crd-tests"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
COLLECTION = f"/apis/taskgroups.dev/v1alpha1/namespaces/{NAMESPACE}/taskgroups"
LEDGERS = f"/apis/taskgroups.dev/v1alpha1/namespaces/{NAMESPACE}/taskgroupledgers"
LEDGER: dict[str, Any] = {
    "apiVersion": "taskgroups.dev/v1alpha1",
    "kind": "TaskGroupLedger",
    "metadata": {"name": "ledger"},
    "snapshot": "Ynl0ZXM=",
}
_config: Any = config


@dataclass(frozen=True, slots=True)
class Answer:
    """Response of the API server: the stored object, or the message of a refusal."""

    stored: dict[str, Any] | None
    message: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the request was accepted."""
        return self.stored is not None

    @property
    def body(self) -> dict[str, Any]:
        """The stored object; AssertionError with the message when the request was refused."""
        assert self.stored is not None, self.message
        return self.stored


class TaskGroups:
    """TaskGroups of one namespace; writes refuse unknown fields unless `validation` says otherwise."""

    def __init__(self, kubeconfig: str) -> None:
        """Needs the CRDs to be served; see `install`."""
        self._http: Any = _config.new_client_from_config(kubeconfig)

    def install(self) -> None:
        """Applies the committed CRDs and the namespace, and waits until the CRDs are served."""
        for path in sorted(CRDS.glob("*.yaml")):
            self._apply(DEFINITIONS, yaml.safe_load(path.read_text(encoding="utf-8")))
        self._apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self._until_accepted(COLLECTION, task_group(LEAST))
        self._until_accepted(LEDGERS, LEDGER)

    def _until_accepted(self, collection: str, body: Mapping[str, Any]) -> None:
        eventually(
            lambda: self.ask("POST", collection, body).accepted,
            state=lambda: self.ask("POST", collection, body).message,
        )

    def create(self, body: Mapping[str, Any], *, keep: bool = False, validation: str = "Strict") -> Answer:
        """A create; nothing is stored unless `keep`."""
        return self.ask("POST", COLLECTION, body, keep=keep, validation=validation)

    def replace(self, body: Mapping[str, Any], *, keep: bool = False) -> Answer:
        """A replace of the object that the body names."""
        return self.ask("PUT", f"{COLLECTION}/{body['metadata']['name']}", body, keep=keep)

    def replace_status(self, body: Mapping[str, Any], *, keep: bool = False) -> Answer:
        """A replace of the status subresource."""
        return self.ask("PUT", f"{COLLECTION}/{body['metadata']['name']}/status", body, keep=keep)

    def delete(self, name: str) -> None:
        """Removes one, if it is there."""
        self.ask("DELETE", f"{COLLECTION}/{name}", keep=True)

    def get(self, path: str, accept: str = "application/json", **query: str) -> Any:
        """Any read as parsed JSON; AssertionError with the server's message when it fails."""
        return self._request("GET", path, query, {"Accept": accept}).body

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        keep: bool = False,
        validation: str = "Strict",
        content: str = "application/json",
        **query: str,
    ) -> Answer:
        """Any write; a dry run unless `keep`."""
        query |= {"fieldValidation": validation} if body else {}
        query |= {} if keep else {"dryRun": "All"}
        return self._request(method, path, query, {"Content-Type": content, "Accept": "application/json"}, body)

    def _apply(self, collection: str, body: Mapping[str, Any]) -> None:
        path = f"{collection}/{body['metadata']['name']}"
        content = "application/apply-patch+yaml"
        answer = self.ask("PATCH", path, body, keep=True, content=content, fieldManager="crd-tests", force="true")
        assert answer.accepted, answer.message

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: dict[str, str],
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        parts = self._http.param_serialize(
            method, path, query_params=list(query.items()), header_params=headers, auth_settings=["BearerToken"]
        )
        response = self._http.rest_client.pool_manager.request(
            parts[0],
            parts[1],
            headers=parts[2],
            body=json.dumps(body) if body else None,
            timeout=PATIENCE,
            retries=False,
        )
        if response.status >= 300:
            return Answer(stored=None, message=_message(response.data))
        return Answer(stored=json.loads(response.data))


def _message(response: bytes) -> str:
    """The message of a refusal; for a path that is not served, it is plain text."""
    try:
        return str(json.loads(response)["message"])
    except ValueError:
        return response.decode()


@functools.cache
def shared_task_groups() -> TaskGroups:
    """The TaskGroups of the test API server, with the committed CRDs installed once a run."""
    groups = TaskGroups(kubeconfig())
    groups.install()
    return groups
