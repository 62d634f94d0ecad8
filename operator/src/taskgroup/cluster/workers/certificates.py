"""How workers get the certificates that a spec names: files from Secrets, and Celery's settings that name the files."""

from collections.abc import Iterator
from typing import Any

from taskgroup.api.backend import Backend
from taskgroup.core.pools.pool_spec import PoolSpec

_FOLDER = "/etc/taskgroup/certificates"
_CA, _CLIENT, _KEY = "ca.crt", "tls.crt", "tls.key"
_READABLE = 0o444
"""A worker's user is not known; nobody else is in its container."""


def volumes(spec: PoolSpec) -> list[dict[str, Any]]:
    """A volume for each backend that has certificates."""
    return [_projected(role, backend) for role, backend in _roles(spec)]


def of_broker(broker: Backend) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str | None]:
    """Volumes and mounts of a pod that talks to the broker alone, and the folder with the files."""
    if not (broker.ca_secret_key_ref or broker.client_certificate_secret_ref):
        return [], [], None
    folder = f"{_FOLDER}/broker"
    return [_projected("broker", broker)], [_mount("broker")], folder


def mounts(spec: PoolSpec) -> list[dict[str, Any]]:
    """Where the container sees them."""
    return [_mount(role) for role, _ in _roles(spec)]


def _projected(role: str, backend: Backend) -> dict[str, Any]:
    return {"name": _volume(role), "projected": {"defaultMode": _READABLE, "sources": list(_sources(backend))}}


def _mount(role: str) -> dict[str, Any]:
    return {"name": _volume(role), "mountPath": f"{_FOLDER}/{role}", "readOnly": True}


def tls_settings(spec: PoolSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Celery's settings, of the broker and of the results."""
    names = {"broker": "broker_use_ssl", "results": "redis_backend_use_ssl"}
    for role, backend in _roles(spec):
        yield names[role], _options(f"{_FOLDER}/{role}", backend)


def _roles(spec: PoolSpec) -> Iterator[tuple[str, Backend]]:
    for role, backend in (("broker", spec.broker), ("results", spec.results)):
        if backend.ca_secret_key_ref or backend.client_certificate_secret_ref:
            yield role, backend


def _options(folder: str, backend: Backend) -> dict[str, Any]:
    options: dict[str, Any] = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    if backend.ca_secret_key_ref:
        options["ssl_ca_certs"] = f"{folder}/{_CA}"
    if backend.client_certificate_secret_ref:
        options |= {"ssl_certfile": f"{folder}/{_CLIENT}", "ssl_keyfile": f"{folder}/{_KEY}"}
    return options


def _sources(backend: Backend) -> Iterator[dict[str, Any]]:
    if authority := backend.ca_secret_key_ref:
        yield _source(authority.name, {authority.key: _CA})
    if client := backend.client_certificate_secret_ref:
        yield _source(client.name, {_CLIENT: _CLIENT, _KEY: _KEY})


def _source(name: str, files: dict[str, str]) -> dict[str, Any]:
    return {"secret": {"name": name, "items": [{"key": key, "path": path} for key, path in files.items()]}}


def _volume(role: str) -> str:
    return f"taskgroup-{role}-certificates"
