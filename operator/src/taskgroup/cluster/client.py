"""Requests to the Kubernetes API: objects are plain dicts, every request has a time limit, failures are ApiError.

The Kubernetes client loads kubeconfigs, rotates tokens and keeps the TLS connections. Its typed models are not used:
they drop fields that only a newer API server knows, and they cost more time than the request.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from kubernetes import aio

from taskgroup.api.names import MANAGER
from taskgroup.cluster.errors import ApiError, from_response
from taskgroup.cluster.request_metrics import UNMEASURED, measured
from taskgroup.cluster.resources import LEDGERS, Resource
from taskgroup.cluster.turns import Turns
from taskgroup.cluster.wire import api_errors, decoded, lines, proxy_of

REQUEST_SECONDS = 10.0
CONNECTIONS = 16
"""Most connections at once: more of them are not faster, and each has TLS buffers."""
PAGE = 500
"""Most objects in one page of a list."""
WATCH_SECONDS = 90
"""After which the API server ends a watch. Of a kind that never changes it tells nothing until then, no bookmark."""
SILENT_SECONDS = WATCH_SECONDS + 15.0
"""A watch that tells nothing for this time, not even its end, is broken."""

Object = dict[str, Any]
_Body = Object | Sequence[Object] | None
_client: Any = aio.client
_config: Any = aio.config
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_PATCH = "application/json-patch+json"
_JSON = "application/json"
_METADATA = f"{_JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{_JSON}"
_METADATA_LIST = f"{_JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,{_JSON}"


async def connect(
    kubeconfig: str | None = None, context: str | None = None, *, connections: int = CONNECTIONS, watches: int = 0
) -> "Cluster":
    """Return a client of the cluster in the kubeconfig; without one, of the cluster that this pod runs in.

    It opens at most `connections`, and as many more as there may be watches. Raises ApiError when the configuration
    cannot be read. The user's default kubeconfig is never used.
    """
    settings = _client.Configuration(connection_pool_maxsize=connections + watches)
    try:
        if kubeconfig:
            for path in kubeconfig.split(os.pathsep):
                _check_kubeconfig(path)
            await _config.load_kube_config(kubeconfig, context=context, client_configuration=settings)
        else:
            _config.load_incluster_config(client_configuration=settings)
    except (_config.ConfigException, OSError) as error:
        source = f"the kubeconfig {kubeconfig}" if kubeconfig else "this pod's service account"
        raise ApiError(f"The cluster's address cannot be read from {source}: {error}") from None
    settings.proxy = settings.proxy or proxy_of(settings.host)
    settings.client_session_kwargs = {"trust_env": False}
    return Cluster(_client.ApiClient(settings), connections)


def _check_kubeconfig(path: str) -> None:
    """Raise OSError for a file that is not a kubeconfig; the client would fail with a stack trace."""
    with Path(path).open(encoding="utf-8") as file:
        try:
            content = yaml.safe_load(file)
        except (yaml.YAMLError, UnicodeDecodeError):
            raise OSError("it is not YAML; name another file with --kubeconfig") from None
    if not isinstance(content, dict):
        raise OSError("it is empty or no kubeconfig; name another file with --kubeconfig")


class Cluster:
    """A client for the kinds in `resources`. Close it after use, or use it as an asynchronous context manager."""

    def __init__(self, api: Any, connections: int, timeout: float = REQUEST_SECONDS) -> None:
        self._api = api
        self._timeout = timeout
        # A request's time begins when it has its connection: in a storm a thousand wait for one.
        self.turns = Turns(connections)
        self.metrics = UNMEASURED

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def get(self, resource: Resource, namespace: str, name: str, *, metadata_only: bool = False) -> Object:
        """Return one object, or its metadata alone. Raises NotFoundError when it does not exist."""
        return await self._call("get", "GET", resource, namespace, name, accept=_METADATA if metadata_only else _JSON)

    async def list_all(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", metadata_only: bool = False
    ) -> list[Object]:
        """Return all objects, or their metadata, that match the label and field selectors; reads page by page."""
        objects, _ = await self.list_versioned(
            resource, namespace, labels=labels, fields=fields, metadata_only=metadata_only
        )
        return objects

    async def list_versioned(
        self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "", metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        """As `list_all`, and the version from which a watch goes on."""
        query = {"limit": str(PAGE), "labelSelector": labels, "fieldSelector": fields}
        accept = _METADATA_LIST if metadata_only else _JSON
        objects: list[Object] = []
        while True:
            page = await self._call("list", "GET", resource, namespace, query=query, accept=accept)
            # null, and no empty list, where only metadata are asked for and there are none.
            objects += page["items"] or []
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return objects, page["metadata"]["resourceVersion"]

    async def watch(
        self, resource: Resource, namespace: str, version: str, *, labels: str = ""
    ) -> AsyncIterator[tuple[str, Object]]:
        """What changes after `version`, as type (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR) and object.

        It ends after some minutes, and when the connection breaks; another watch goes on from the last version. Takes
        one connection. Raises ApiError when the API server refuses or cannot be reached.
        """
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, "labelSelector": labels}
        query["timeoutSeconds"] = str(WATCH_SECONDS)
        limit = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=SILENT_SECONDS)
        label, path = resource.label(namespace, None), resource.path(namespace)
        with api_errors(f"watch {label}", SILENT_SECONDS):
            response = await self._request("GET", path, list(query.items()), None, {"Accept": _JSON}, limit)
            try:
                if response.status != 200:
                    raise from_response(response.status, await response.read(), "watch", resource.plural, label)
                async for line in lines(response.response.content):
                    event = decoded(line)
                    yield event["type"], event["object"]
            finally:
                response.close()
                response.response.close()

    async def create(self, resource: Resource, namespace: str, body: Object, *, metadata_only: bool = False) -> Object:
        """Create an object and return it, or its metadata alone. Raises ConflictError when the name is taken."""
        query, accept = {"fieldManager": MANAGER}, _METADATA if metadata_only else _JSON
        return await self._call(
            "create", "POST", resource, namespace, body=_typed(resource, body), query=query, accept=accept
        )

    async def apply(self, resource: Resource, body: Object, *, force: bool = True) -> Object:
        """Server-side apply: set the fields of `body`, also those that others changed, and leave all other fields.

        Without `force`, raises ConflictError when another has set one of them to something else.
        """
        meta = body["metadata"]
        query = {"fieldManager": MANAGER, "force": str(force).lower()}
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
        """Replace the whole object and return it, or its metadata alone.

        Raises ConflictError when its resourceVersion is not the newest.
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
        """Merge patch (RFC 7386): null removes a field, lists are replaced as a whole.

        With a metadata.resourceVersion in the body, raises ConflictError when the object has another one.
        """
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
        metadata_only: bool = False,
    ) -> Object:
        """JSON patch (RFC 6902): all operations or none; returns the object, or its metadata alone.

        Raises ConflictError when a `test` operation fails."""
        query, body = {"fieldManager": MANAGER}, list(operations)
        return await self._call(
            "patch",
            "PATCH",
            resource,
            namespace,
            name,
            subresource=subresource,
            body=body,
            query=query,
            media=_PATCH,
            accept=_METADATA if metadata_only else _JSON,
        )

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None
    ) -> bool:
        """Delete an object; the garbage collector deletes its children. Returns False when it did not exist.

        With `uid`, raises ConflictError when the object has another uid. `grace_seconds` replaces a pod's own.
        """
        body: Object = {"propagationPolicy": "Background"}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
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
        label, path = resource.label(namespace, name or _name(body)), resource.path(namespace, name, subresource)
        plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
        filled = [(key, value) for key, value in (query or {}).items() if value]
        headers = {"Accept": accept, "Content-Type": media, "User-Agent": MANAGER}
        async with self.turns.turn(namespace, begins=method == "POST" and resource is LEDGERS):
            with measured(self.metrics, verb, plural) as outcome:
                outcome.code, data = await self._send(f"{verb} {label}", method, path, filled, body, headers)
        if not 200 <= outcome.code <= 299:
            raise from_response(outcome.code, data, verb, plural, label)
        return decoded(data)

    async def _send(
        self, action: str, method: str, path: str, query: list[tuple[str, str]], body: _Body, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        with api_errors(action, self._timeout):
            response = await self._request(method, path, query, body, headers, self._timeout)
            return response.status, await response.read()

    async def _request(
        self, method: str, path: str, query: list[tuple[str, str]], body: _Body, headers: dict[str, str], limit: Any
    ) -> Any:
        parts = await self._api.param_serialize(method, path, None, query, headers, body, auth_settings=["BearerToken"])
        return await self._api.call_api(*parts, _request_timeout=limit)


def _typed(resource: Resource, body: Object) -> Object:
    return {**body, "apiVersion": resource.api_version, "kind": resource.kind}


def _name(body: _Body) -> str | None:
    return body.get("metadata", {}).get("name") if isinstance(body, dict) else None
