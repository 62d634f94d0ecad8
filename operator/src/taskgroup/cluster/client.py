"""The only door to the Kubernetes API: plain dicts in and out, a time limit on every request, our errors.

The typed models of the client are left aside on purpose: they drop fields that a newer API server knows, and cost more
than the request itself. What the client gives is the part worth having: kubeconfigs, tokens that rotate, TLS, pooling.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
import orjson
import yaml
from kubernetes import aio

from taskgroup.api.names import MANAGER
from taskgroup.cluster.errors import ApiError, from_response
from taskgroup.cluster.resources import Resource

REQUEST_SECONDS = 10.0
CONNECTIONS = 32
"""Each costs up to 256 KB for its TLS buffers; the API server answers no faster over more."""
PAGE = 500
"""Objects per answer of a list."""

Object = dict[str, Any]
_Body = Object | Sequence[Object] | None
_client: Any = aio.client
_config: Any = aio.config
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_PATCH = "application/json-patch+json"
_JSON = "application/json"
_METADATA = f"{_JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{_JSON}"


async def connect(kubeconfig: str | None = None, context: str | None = None) -> "Cluster":
    """A client of the cluster that a kubeconfig names, or of the one this process runs in when there is none.

    Raises ApiError when neither can be read; the user's default kubeconfig is never looked at.
    """
    settings = _client.Configuration(connection_pool_maxsize=CONNECTIONS)
    try:
        if kubeconfig:
            for path in kubeconfig.split(os.pathsep):
                _check(path)
            await _config.load_kube_config(kubeconfig, context=context, client_configuration=settings)
        else:
            _config.load_incluster_config(client_configuration=settings)
    except (_config.ConfigException, OSError) as error:
        place = f"the kubeconfig {kubeconfig}" if kubeconfig else "this pod's service account"
        raise ApiError(f"The cluster's address cannot be read from {place}: {error}") from None
    return Cluster(_client.ApiClient(settings))


def _check(path: str) -> None:
    """What the client would answer with a stack trace: OSError for a file that is no kubeconfig."""
    with Path(path).open(encoding="utf-8") as file:
        try:
            found = yaml.safe_load(file)
        except (yaml.YAMLError, UnicodeDecodeError):
            raise OSError("it is not YAML; name another file with --kubeconfig") from None
    if not isinstance(found, dict):
        raise OSError("it is empty or no kubeconfig; name another file with --kubeconfig")


class Cluster:
    """Requests for the few resources of `resources`. Close it, or use it as a context."""

    def __init__(self, api: Any, timeout: float = REQUEST_SECONDS) -> None:
        self._api = api
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """One object; NotFoundError when there is none."""
        return await self._call("get", "GET", resource, namespace, name)

    async def list_all(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        """All objects that match both selectors, read page by page."""
        query = {"limit": str(PAGE), "labelSelector": labels, "fieldSelector": fields}
        found: list[Object] = []
        while True:
            page = await self._call("list", "GET", resource, namespace, query=query)
            found += page["items"]
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return found

    async def create(self, resource: Resource, namespace: str, body: Object, *, metadata_only: bool = False) -> Object:
        """Make a new object and return it, or its metadata alone; ConflictError when the name is taken."""
        query, accept = {"fieldManager": MANAGER}, _METADATA if metadata_only else _JSON
        return await self._call(
            "create", "POST", resource, namespace, body=_typed(resource, body), query=query, accept=accept
        )

    async def apply(self, resource: Resource, body: Object) -> Object:
        """Server-side apply: these fields become so, whoever changed them; all others are left alone."""
        meta = body["metadata"]
        query = {"fieldManager": MANAGER, "force": "true"}
        return await self._call(
            "patch",
            "PATCH",
            resource,
            meta["namespace"],
            meta["name"],
            body=_typed(resource, body),
            query=query,
            media=_APPLY,
        )

    async def replace(self, resource: Resource, body: Object, *, metadata_only: bool = False) -> Object:
        """Write the whole object and return it, or its metadata alone.

        ConflictError when its resourceVersion is not the newest.
        """
        meta, query = body["metadata"], {"fieldManager": MANAGER}
        return await self._call(
            "update",
            "PUT",
            resource,
            meta["namespace"],
            meta["name"],
            body=_typed(resource, body),
            query=query,
            accept=_METADATA if metadata_only else _JSON,
        )

    async def merge_patch(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        """RFC 7386: null removes a field, lists are replaced. A metadata.resourceVersion in the body is a condition."""
        query = {"fieldManager": MANAGER}
        return await self._call("patch", "PATCH", resource, namespace, name, body=body, query=query, media=_MERGE)

    async def json_patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        operations: Sequence[Object],
        *,
        subresource: str | None = None,
    ) -> Object:
        """RFC 6902: all operations or none; ConflictError when a `test` among them does not hold."""
        query, body = {"fieldManager": MANAGER}, list(operations)
        return await self._call(
            "patch", "PATCH", resource, namespace, name, subresource=subresource, body=body, query=query, media=_PATCH
        )

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete in the foreground of nobody: children go by garbage collection. False when it is gone already."""
        body: Object = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._call("delete", "DELETE", resource, namespace, name, body=body)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _call(
        self,
        verb: str,
        method: str,
        resource: Resource,
        namespace: str,
        name: str | None = None,
        *,
        subresource: str | None = None,
        body: _Body = None,
        query: Mapping[str, str] | None = None,
        media: str = _JSON,
        accept: str = _JSON,
    ) -> Object:
        what = resource.label(namespace, name or _name(body))
        status, data = await self._send(
            f"{verb} {what}",
            method,
            resource.path(namespace, name, subresource),
            [(key, value) for key, value in (query or {}).items() if value],
            body,
            {"Accept": accept, "Content-Type": media, "User-Agent": MANAGER},
        )
        if not 200 <= status <= 299:
            plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
            raise from_response(status, data, verb, plural, what)
        return _decoded(data)

    async def _send(
        self, doing: str, method: str, path: str, query: list[tuple[str, str]], body: _Body, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            parts = await self._api.param_serialize(
                method, path, None, query, headers, body, auth_settings=["BearerToken"]
            )
            response = await self._api.call_api(*parts, _request_timeout=self._timeout)
            return response.status, await response.read()
        except TimeoutError:
            text = f"The Kubernetes API did not answer within {self._timeout:g} s ({doing})."
            raise ApiError(text, retryable=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(f"The Kubernetes API cannot be reached ({doing}): {error}.", retryable=True) from None


def _typed(resource: Resource, body: Object) -> Object:
    return {**body, "apiVersion": resource.api_version, "kind": resource.kind}


def _decoded(data: bytes) -> Object:
    try:
        answer: Object = orjson.loads(data)
    except orjson.JSONDecodeError:
        # It gives up at 1,024 levels, the API server takes 10,000.
        answer = json.loads(data)
    return answer


def _name(body: _Body) -> str | None:
    return body.get("metadata", {}).get("name") if isinstance(body, dict) else None
