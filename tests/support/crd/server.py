"""The API server that judges TaskGroups in the CRD tests: each request is accepted, or refused with a sentence."""

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

CRD = Path(__file__).resolve().parents[3] / "crds/taskgroups.yaml"
NAMESPACE = "crd-tests"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
COLLECTION = f"/apis/taskgroups.dev/v1alpha1/namespaces/{NAMESPACE}/taskgroups"
_config: Any = config


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said: the stored object, or the message of its refusal."""

    stored: dict[str, Any] | None
    message: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it was taken."""
        return self.stored is not None

    @property
    def kept(self) -> dict[str, Any]:
        """The object as stored; AssertionError with the refusal's message when there is none."""
        assert self.stored is not None, self.message
        return self.stored


class TaskGroups:
    """TaskGroups of one namespace; writes are strict about unknown fields unless told otherwise."""

    def __init__(self, kubeconfig: str) -> None:
        """Needs the CRD to be served; see `install`."""
        self._http: Any = _config.new_client_from_config(kubeconfig)

    def install(self) -> None:
        """Puts the committed CRD and the namespace there, and waits until objects are judged by it."""
        crd = yaml.safe_load(CRD.read_text(encoding="utf-8"))
        self._apply(CRDS, crd)
        self._apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        eventually(
            lambda: self.create(task_group(LEAST)).accepted, state=lambda: self.create(task_group(LEAST)).message
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
        """Any read as parsed JSON; AssertionError with the server's words when it fails."""
        return self._request("GET", path, query, {"Accept": accept}).kept

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


def _message(refusal: bytes) -> str:
    """The sentence of a refusal; a path that is not served is answered in plain text."""
    try:
        return str(json.loads(refusal)["message"])
    except ValueError:
        return refusal.decode()


@functools.cache
def shared_task_groups() -> TaskGroups:
    """The TaskGroups of the test API server, with the committed CRD installed once a run."""
    groups = TaskGroups(kubeconfig())
    groups.install()
    return groups
