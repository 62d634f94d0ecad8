"""The command line of a stock Celery worker with the settings that make it safe for a group, whatever its app says.

Kubernetes replaces $(POD_NAME) in arguments; every other dollar sign is doubled so that it stays one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from taskgroup.api.spec import Backend, TransportOptions
from taskgroup.api.workers import Workers

POD_NAME = "$(POD_NAME)"
"""Stands for the pod's name in arguments of the worker."""
CONNECT_SECONDS = 5
"""Celery has no limit of its own, and the kernel gives up after two minutes: a connection that is begun while a Service
changes its endpoints may go nowhere, with all its repetitions."""
VISIBILITY_SECONDS = 2_592_000
"""Redis' own redelivery is put off for 30 days: the operator gives back what an ended pod held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Everything that a group's workers are made of, besides how many there are."""

    workers: Workers
    broker: Backend
    results: Backend
    queue: str
    unacked_options: Mapping[str, str]
    """Transport options that name the pod's own unacked keys, without the user's prefix; they hold POD_NAME."""
    grace_seconds: int
    """How long a stopped worker may finish what it runs."""
    backend_hash: str
    """Changes when the URL in a Secret does."""
    result_expires_seconds: int | None = None
    """Least time that results must stay; None leaves it to the app."""


def command() -> list[str]:
    """What the container runs. Every Python installation has a python3; some have no python."""
    return ["python3", "-c", _boot()]


@cache
def _boot() -> str:
    return files(__package__).joinpath("boot.py").read_text()


def arguments(settings: WorkerSettings) -> list[str]:
    """Celery's arguments, one element each; no shell reads them."""
    workers, queue = settings.workers, settings.queue
    return [
        *("-A", _literal(workers.app), "worker", "-Q", queue, "-n", f"celery@{POD_NAME}"),
        *("-c", str(workers.concurrency), "-P", workers.pool.value, "-l", "INFO"),
        *("--without-gossip", "--without-mingle", "--prefetch-multiplier=1"),
        *_delivery(queue),
        *_serialization(),
        *_connections(settings),
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


def _connections(settings: WorkerSettings) -> Iterator[str]:
    if settings.result_expires_seconds is not None:
        yield f"result_expires=(int){settings.result_expires_seconds}"
    yield "broker_connection_retry_on_startup=(bool)1"
    # A result that cannot be stored would be stored as the task's own failure once the backend is back.
    yield "result_backend_always_retry=(bool)1"
    chosen = _cast(_transport(settings.broker.transport_options))
    own = _json({"visibility_timeout": VISIBILITY_SECONDS, **settings.unacked_options})
    yield f"broker_transport_options=(dict){_joined(chosen, own)}"
    yield f"result_backend_transport_options=(dict){_cast(_prefix(settings.results.transport_options))}"
    yield from _backend_connection(settings.results.transport_options)


def _transport(options: TransportOptions) -> dict[str, Any]:
    """Kombu's names of the listed options."""
    named = {
        "socket_timeout": options.socket_timeout_seconds,
        "socket_connect_timeout": options.socket_connect_timeout_seconds or CONNECT_SECONDS,
        "socket_keepalive": options.socket_keepalive,
        "health_check_interval": options.health_check_interval_seconds,
    }
    return _prefix(options) | {name: value for name, value in named.items() if value is not None}


def _prefix(options: TransportOptions) -> dict[str, Any]:
    return {"global_keyprefix": options.global_key_prefix} if options.global_key_prefix else {}


def _backend_connection(options: TransportOptions) -> Iterator[str]:
    """Celery's Redis backend takes these as settings of their own, not from its transport options."""
    if options.socket_timeout_seconds is not None:
        yield f"redis_socket_timeout=(float){options.socket_timeout_seconds}"
    yield f"redis_socket_connect_timeout=(float){options.socket_connect_timeout_seconds or CONNECT_SECONDS}"
    if options.socket_keepalive is not None:
        yield f"redis_socket_keepalive=(bool){int(options.socket_keepalive)}"
    if options.health_check_interval_seconds is not None:
        yield f"redis_backend_health_check_interval=(int){options.health_check_interval_seconds}"


def _joined(first: str, second: str) -> str:
    """Two JSON objects as one; the members of the second come last and so win."""
    return second if first == "{}" else f"{first[:-1]},{second[1:]}"


def _cast(values: Mapping[str, Any]) -> str:
    return _literal(_json(values))


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"))


def _literal(text: str) -> str:
    return text.replace("$", "$$")
