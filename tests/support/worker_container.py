"""The container of a worker pod as a process: with the command, the arguments and the variables that pods get."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.celery_versions import celery_python
from support.celery_worker import CeleryWorker
from support.wait import eventually
from taskgroup.api.backend import Backend
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.api.workers import Workers
from taskgroup.broker.keys import PoolKeys
from taskgroup.cluster.workers.manifest import worker_deployment
from taskgroup.core.meta import Meta
from taskgroup.core.pools.pool_spec import POD_NAME, PoolSpec

UID = "0f0e0d0c-1111-2222-3333-444455556666"
META = Meta(uid=UID, name="pictures", namespace="shop", generation=1)
POD = "pictures-1"
_REDIS = Backend(secret_key_ref=SecretKeyRef(name="redis"))
_TESTS = Path(__file__).parents[1]


def worker_pool(uid: str = UID, **workers: Any) -> PoolSpec:
    """The pool of a group; `workers` are fields of spec.workers."""
    keys = PoolKeys("", uid)
    fields = {"image": "any", "app": "support.celery_app", "concurrency": 1, "pool": "solo"}
    return PoolSpec(
        workers=Workers.model_validate(fields | workers),
        broker=_REDIS,
        results=_REDIS,
        queue=keys.queue,
        unacked_options=keys.worker_options(POD_NAME),
        grace_seconds=30,
        backend_hash="abc",
        result_expires_seconds=1000,
    )


def container(pool: PoolSpec) -> dict[str, Any]:
    """The container of the pool's pods, as the Deployment has it."""
    template = worker_deployment(META, pool, 1)["spec"]["template"]
    containers: list[dict[str, Any]] = template["spec"]["containers"]
    return containers[0]


@contextmanager
def worker_container(
    url: str,
    folder: Path,
    pool: PoolSpec,
    *,
    pod: str = POD,
    version: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[CeleryWorker]:
    """Run the container as the kubelet does: replace $(POD_NAME), set the variables, run command and arguments.

    `version` is one of `celery_versions.VERSIONS`; without it, the worker has the Celery of the tests. `variables` are
    added to those of the container.
    """
    worker = start_container(url, folder, pool, pod=pod, version=version, variables=variables)
    try:
        yield worker
    finally:
        worker.stop()


def start_container(
    url: str,
    folder: Path,
    pool: PoolSpec,
    *,
    pod: str = POD,
    version: str | None = None,
    variables: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
) -> CeleryWorker:
    """As `worker_container`, for a worker that the caller stops. Its log is continued when it starts once more.

    `wrapper` is a command that runs the container's command.
    """
    spec = container(pool)
    environment = dict(os.environ)
    if version is not None:
        environment["PATH"] = f"{celery_python(version).parent}:{environment['PATH']}"
    environment |= {entry["name"]: _value(entry, url) for entry in spec["env"]}
    environment |= {"POD_NAME": pod, "PYTHONPATH": f"{_TESTS}:{folder}"} | dict(variables or {})
    command = [*wrapper, *spec["command"]] + [_expanded(part, pod) for part in spec["args"]]
    path = folder / f"{pod}.log"
    with path.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    return CeleryWorker(pod, path, process)


def until_ready(worker: CeleryWorker) -> None:
    """Wait until the worker consumes; AssertionError with its log when it has ended instead."""
    eventually(lambda: " ready." in worker.log or worker.process.poll() is not None, state=lambda: worker.log)
    assert worker.process.poll() is None, worker.log


def _value(entry: Mapping[str, Any], url: str) -> str:
    return url if "secretKeyRef" in entry.get("valueFrom", {}) else str(entry.get("value", ""))


def _expanded(argument: str, pod: str) -> str:
    """Kubernetes replaces the variable, and writes one dollar sign for two."""
    return argument.replace(POD_NAME, pod).replace("$$", "$")
