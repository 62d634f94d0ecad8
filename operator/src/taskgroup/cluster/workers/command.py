"""The command line of a Celery worker, with the settings that a group needs; they override those of the app.

Kubernetes replaces $(POD_NAME) in arguments. Every other dollar sign is doubled, which Kubernetes reads as one.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from taskgroup.api.spec import TransportOptions
from taskgroup.cluster.workers.certificates import tls_settings
from taskgroup.core.pools.pool_spec import POD_NAME, PoolSpec

CONNECT_SECONDS = 5
"""Time limit of a connection attempt. Celery has none and the kernel's is two minutes; an attempt that starts while a
Service changes its endpoints may never be answered."""
VISIBILITY_SECONDS = 2_592_000
"""30 days, so that Kombu does not redeliver: the operator requeues the items of an ended pod."""


def command() -> list[str]:
    """The container's command. It uses python3, because some Python installations have no `python`."""
    return ["python3", "-c", _boot()]


@cache
def _boot() -> str:
    return files(__package__).joinpath("boot.py").read_text()


def arguments(spec: PoolSpec) -> list[str]:
    """Celery's arguments, as a list; they are not interpreted by a shell."""
    workers, queue = spec.workers, spec.queue
    return [
        *("-A", _literal(workers.app), "worker", "-Q", queue, "-n", f"celery@{POD_NAME}"),
        *("-c", str(workers.concurrency), "-P", workers.pool.value, "-l", "INFO"),
        *("--without-gossip", "--without-mingle", "--prefetch-multiplier=1"),
        *_delivery(queue),
        *_serialization(),
        *_connections(spec),
    ]


def _delivery(queue: str) -> Iterator[str]:
    yield from ("task_acks_late=1", "worker_prefetch_multiplier=1", "worker_deduplicate_successful_tasks=1")
    yield from (f"task_default_queue={queue}", f"task_default_exchange={queue}", "task_default_exchange_type=direct")
    yield from (f"task_default_routing_key={queue}", "task_create_missing_queues=1", "task_routes=(dict){}")
    yield from ("task_ignore_result=0", "task_store_errors_even_if_ignored=1", "task_reject_on_worker_lost=0")
    yield "task_always_eager=0"


def _serialization() -> Iterator[str]:
    yield from ("task_serializer=json", "result_serializer=json", 'accept_content=(list)["json"]')
    yield "result_compression=(string)"


def _connections(spec: PoolSpec) -> Iterator[str]:
    if spec.result_expires_seconds is not None:
        yield f"result_expires=(int){spec.result_expires_seconds}"
    yield "broker_connection_retry_on_startup=(bool)1"
    # Otherwise a result that cannot be stored is later stored as a failure of the task.
    yield "result_backend_always_retry=(bool)1"
    user_options = _literal_json(_transport(spec.broker.transport_options))
    own_options = _json({"visibility_timeout": VISIBILITY_SECONDS, **spec.unacked_options})
    yield f"broker_transport_options=(dict){_joined(user_options, own_options)}"
    yield f"result_backend_transport_options=(dict){_literal_json(_prefix(spec.results.transport_options))}"
    yield from _backend_connection(spec.results.transport_options)
    yield from (f"{name}=(dict){_json(options)}" for name, options in tls_settings(spec))


def _transport(options: TransportOptions) -> dict[str, Any]:
    """The options under the names that Kombu uses."""
    by_name = {
        "socket_timeout": options.socket_timeout_seconds,
        "socket_connect_timeout": options.socket_connect_timeout_seconds or CONNECT_SECONDS,
        "socket_keepalive": options.socket_keepalive,
        "health_check_interval": options.health_check_interval_seconds,
    }
    return _prefix(options) | {name: value for name, value in by_name.items() if value is not None}


def _prefix(options: TransportOptions) -> dict[str, Any]:
    return {"global_keyprefix": options.global_key_prefix} if options.global_key_prefix else {}


def _backend_connection(options: TransportOptions) -> Iterator[str]:
    """Settings of Celery's Redis backend, which does not read them from its transport options."""
    if options.socket_timeout_seconds is not None:
        yield f"redis_socket_timeout=(float){options.socket_timeout_seconds}"
    yield f"redis_socket_connect_timeout=(float){options.socket_connect_timeout_seconds or CONNECT_SECONDS}"
    if options.socket_keepalive is not None:
        yield f"redis_socket_keepalive=(bool){int(options.socket_keepalive)}"
    if options.health_check_interval_seconds is not None:
        yield f"redis_backend_health_check_interval=(int){options.health_check_interval_seconds}"


def _joined(first: str, second: str) -> str:
    """Join two JSON objects. The members of the second come last, so they override those of the first."""
    return second if first == "{}" else f"{first[:-1]},{second[1:]}"


def _literal_json(values: Mapping[str, Any]) -> str:
    return _literal(_json(values))


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"))


def _literal(text: str) -> str:
    return text.replace("$", "$$")
