"""Prints the results of a group from its result backend; outside the cluster, through a port-forward."""

import json
import math
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from taskgroup.api.backend import TransportOptions
from taskgroup.api.secret_keys import SecretKeyRef
from taskgroup.api.spec import ChunkResult, TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.api.taskgroup import TaskGroup
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.cli.result_lines import Shape, lines
from taskgroup.cluster.children import child_name
from taskgroup.cluster.client import Cluster, connect
from taskgroup.cluster.errors import ForbiddenError, NotFoundError
from taskgroup.cluster.ledger_store import load
from taskgroup.cluster.port_forward import forwarded, in_cluster
from taskgroup.cluster.resources import DEPLOYMENTS, TASK_GROUPS
from taskgroup.cluster.secrets import read_text
from taskgroup.connections.linking import read_certificates
from taskgroup.core.items.chunks import chunks_of
from taskgroup.core.ledger import Ledger
from taskgroup.core.meta import Meta
from taskgroup.core.snapshot import decode
from taskgroup.core.status.read_back import ledger_of
from taskgroup.core.units import unit_of
from taskgroup.results.failures import clean
from taskgroup.results.redis_results import RedisResults
from taskgroup.transport.network import Network
from taskgroup.transport.shares import Shares
from taskgroup.transport.tls import PLAIN
from taskgroup.transport.url import in_namespace, parse

_ANSWER_BYTES = 1024 * 1024 * 1024
"""Of fifty results, which are read at once."""
NOT_JSON = "NaN and Infinity are shown as texts: JSON has no such numbers"


async def print_results(name: str, namespace: str, kubeconfig: str | None, context: str | None, out: TextIO) -> None:
    """Print one JSON object a line: index, status, and result or error.

    Raises ApiError, BrokerError or ValueError with a sentence.
    """
    path = kubeconfig or _kubeconfig()
    async with await connect(path, context) as cluster:
        async for line in _lines(cluster, namespace, name, path, context):
            print(json_line(line), file=out)


def json_line(line: dict[str, Any]) -> str:
    """One line of JSON. NaN and the infinities, which Celery stores and JSON does not have, become texts."""
    try:
        text = json.dumps(line, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_without_nan(line) | {"note": NOT_JSON}, ensure_ascii=False, allow_nan=False)
    return clean(text)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return value


def _kubeconfig() -> str | None:
    """The path that kubectl would use; None inside a pod."""
    if "KUBECONFIG" in os.environ:
        return os.environ["KUBECONFIG"]
    return None if in_cluster() else str(Path.home() / ".kube" / "config")


async def _lines(
    cluster: Cluster, namespace: str, name: str, kubeconfig: str | None, context: str | None
) -> AsyncIterator[dict[str, Any]]:
    body = await cluster.get(TASK_GROUPS, namespace, name)
    group = TaskGroup.model_validate({key: body[key] for key in ("spec", "status") if key in body})
    uid, status = body["metadata"]["uid"], group.status or TaskGroupStatus()
    broker_url, results_url = await _urls(cluster, namespace, name, uid)
    broker_options = group.spec.broker.transport_options if group.spec.broker else TransportOptions()
    results_options = group.spec.result_backend.transport_options if group.spec.result_backend else broker_options
    read = partial(read_text, cluster)
    broker_certificates, results_certificates = [
        await read_certificates(read, namespace, backend) if backend else PLAIN
        for backend in (group.spec.broker, group.spec.result_backend or group.spec.broker)
    ]
    async with AsyncExitStack() as stack:
        servers = {(url.host, url.port) for url in map(parse, (broker_url, results_url))}
        ports = {
            server: await stack.enter_async_context(forwarded(server, namespace, kubeconfig, context))
            for server in servers
        }
        network = _roomy_network({server: port for server, port in ports.items() if port is not None})
        attempts = await _attempts(RedisBroker(broker_url, broker_options, network, broker_certificates), uid)
        ledger = await _ledger(cluster, body, status)
        backend = RedisResults(results_url, results_options, network, results_certificates)
        stack.push_async_callback(backend.close)
        async for line in lines(_shape(group.spec, status), backend, uid, ledger, attempts):
            yield line


def _shape(spec: TaskGroupSpec, status: TaskGroupStatus) -> Shape:
    """The written status knows how the items were cut."""
    chunks = chunks_of(status.items)
    takes_items = status.items is not None and status.items.chunk_size is not None
    flattens = takes_items and spec.chunk_result is ChunkResult.FLATTEN
    return Shape(status.total or 0, partial(last_unit, spec), chunks, flattens)


async def _urls(cluster: Cluster, namespace: str, name: str, uid: str) -> tuple[str, str]:
    """The URLs of broker and result backend, from the Secrets that the group's workers use."""
    try:
        deployment = await cluster.get(DEPLOYMENTS, namespace, child_name(name, uid))
    except NotFoundError:
        raise ValueError(f"TaskGroup {namespace}/{name} has not started: it has no workers and no results.") from None
    variables = {entry["name"]: entry for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    references = [
        SecretKeyRef.model_validate(
            {key: variables[variable]["valueFrom"]["secretKeyRef"][key] for key in ("name", "key")}
        )
        for variable in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
    ]
    broker, backend = [in_namespace(await read_text(cluster, namespace, ref), namespace) for ref in references]
    return broker, backend


def _roomy_network(forwards: Mapping[tuple[str, int], int]) -> Network:
    """Whole results come in one answer, and only the memory of the person who asks is at stake."""
    return Network(shares=Shares(longest_bytes=_ANSWER_BYTES), forwards=forwards)


async def _ledger(cluster: Cluster, body: dict[str, Any], status: TaskGroupStatus) -> Ledger:
    """The ledger that the operator saved; what the status tells of it for those who may not read it."""
    metadata = body["metadata"]
    meta = Meta(uid=metadata["uid"], name=metadata["name"], namespace=metadata["namespace"])
    try:
        saved = await load(cluster, meta)
    except ForbiddenError:
        return ledger_of(status)
    return decode(saved[0]) if saved else Ledger()


async def _attempts(broker: RedisBroker, uid: str) -> Mapping[int, int]:
    try:
        return (await broker.groups.books(uid)).attempts
    finally:
        await broker.close()


def last_unit(spec: TaskGroupSpec, index: int) -> int:
    """The unit whose result is the item's: the last one of a chain."""
    signatures = spec.tasks or (spec.template.members() if spec.template else ())
    return unit_of(index, len(signatures[index % len(signatures)].leaves()) - 1 if signatures else 0)
