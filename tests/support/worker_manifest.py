"""The Deployment of a group's workers and where to look in it, for the files that test it by topic."""

from typing import Any

from taskgroup.api.backend import Backend, TransportOptions
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.api.workers import Workers
from taskgroup.cluster.workers.manifest import worker_deployment
from taskgroup.core.meta import Meta
from taskgroup.core.pools.pool_spec import PoolSpec

META = Meta(uid="0f0e0d0c-1111-2222-3333-444455556666", name="thumbnails", namespace="shop", generation=1)
QUEUE = "taskgroup-0f0e"
OPTIONS = {"unacked_key": "taskgroup:0f0e:unacked:$(POD_NAME)"}


def backend(name: str = "redis", **options: Any) -> Backend:
    """A Redis whose URL is in the Secret of that name."""
    return Backend(
        secret_key_ref=SecretKeyRef(name=name, key="url"), transport_options=TransportOptions.model_validate(options)
    )


def build(broker: Backend | None = None, results: Backend | None = None, **workers: Any) -> dict[str, Any]:
    """The Deployment of three workers; fields of spec.workers can be named."""
    pool_spec = PoolSpec(
        workers=Workers.model_validate({"image": "shop:1", "app": "shop.celery", **workers}),
        broker=broker or backend(),
        results=results or backend(),
        queue=QUEUE,
        unacked_options=OPTIONS,
        grace_seconds=90,
        backend_hash="abc",
        result_expires_seconds=3600,
    )
    return worker_deployment(META, pool_spec, 3)


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    """The spec of the Deployment's pods."""
    spec: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return spec


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    """The worker's container."""
    containers: list[dict[str, Any]] = pod(manifest)["containers"]
    assert len(containers) == 1
    return containers[0]


def setting(manifest: dict[str, Any], name: str) -> str:
    """The value of a setting on the command line."""
    (value,) = (part.split("=", 1)[1] for part in container(manifest)["args"] if part.startswith(f"{name}="))
    return str(value)
