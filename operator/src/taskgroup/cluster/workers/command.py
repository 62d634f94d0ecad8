"""The command line of a Celery worker, with the settings that a group needs; they override those of the app.

Kubernetes replaces $(POD_NAME) in arguments. Every other dollar sign is doubled, which Kubernetes reads as one.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from taskgroup.api.backend import TransportOptions
from taskgroup.api.workers import Pool
from taskgroup.cluster.workers.certificates import tls_settings
from taskgroup.core.pools.pool_spec import POD_NAME, VISIBILITY_SECONDS, PoolSpec

CONNECT_SECONDS = 5
"""Time limit of a connection attempt. Celery has none and the kernel's is two minutes; an attempt that starts while a
Service changes its endpoints may never be answered."""

PUBLISH_RETRY = {"max_retries": None, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 2}
"""Of a task that sends a retry or a subtask: it waits for Redis as its worker does."""


def command() -> list[str]:
    """The container's command. It uses python3, because some Python installations have no `python`."""
    return ["python3", "-c", _text("boot.py")]


def stop_command() -> list[str]:
    """What runs in the container before it gets SIGTERM. `-I -S` spares it what an image does when Python starts."""
    return ["python3", "-I", "-S", "-c", _text("stop.py")]


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text()


def arguments(spec: PoolSpec) -> list[str]:
    """Celery's arguments, as a list; they are not interpreted by a shell."""
    workers, queue = spec.workers, spec.queue
    return [
        *("-A", _literal(workers.app), "worker", "-Q", queue, "-n", f"celery@{POD_NAME}"),
        *("-c", str(workers.concurrency), "-P", _pool(workers.pool), "-l", "INFO"),
        *("--without-gossip", "--without-mingle", "--prefetch-multiplier=1"),
        *_delivery(queue),
        *_serialization(),
        *_connections(spec),
    ]


def _pool(pool: Pool) -> str:
    """As the command line calls it: it takes `prefork` for its default, which an app's `worker_pool` overrides."""
    return "processes" if pool is Pool.PREFORK else pool.value


def _delivery(queue: str) -> Iterator[str]:
    yield from ("task_acks_late=1", "worker_prefetch_multiplier=1", "worker_deduplicate_successful_tasks=1")
    yield from (f"task_default_queue={queue}", f"task_default_exchange={queue}", "task_default_exchange_type=direct")
    yield from (f"task_default_routing_key={queue}", "task_create_missing_queues=1", "task_routes=(dict){}")
    yield from ("task_ignore_result=0", "task_store_errors_even_if_ignored=1", "task_reject_on_worker_lost=0")
    yield from ("task_always_eager=0", "worker_disable_prefetch=(bool)0", "worker_pool_start_method=(string)fork")
    yield "task_create_missing_queue_exchange_type=(string)direct"
    # The operator asks workers what they run, and finds them under this name.
    yield from ("worker_enable_remote_control=1", "control_exchange=(string)celery")


def _serialization() -> Iterator[str]:
    yield from ("task_serializer=json", "result_serializer=json", 'accept_content=(list)["json"]')
    yield from ('result_accept_content=(list)["json"]', "result_compression=(string)")


def _connections(spec: PoolSpec) -> Iterator[str]:
    if spec.result_expires_seconds is not None:
        yield f"result_expires=(int){spec.result_expires_seconds}"
        yield f"result_failure_expires=(int){spec.result_expires_seconds}"
    yield from _outages()
    user_options = _literal_json(_transport(spec.broker.transport_options))
    own_options = _json({"visibility_timeout": VISIBILITY_SECONDS, **spec.unacked_options})
    yield f"broker_transport_options=(dict){_joined(user_options, own_options)}"
    yield f"result_backend_transport_options=(dict){_literal_json(_prefix(spec.results.transport_options))}"
    yield from _backend_connection(spec.results.transport_options)
    yield from (f"{name}=(dict){_json(options)}" for name, options in tls_settings(spec))


def _outages() -> Iterator[str]:
    """A worker waits until Redis is back, for as long as it takes, and goes on with what it ran."""
    yield from ("broker_connection_retry=1", "broker_connection_retry_on_startup=(bool)1")
    yield from (
        "broker_connection_max_retries=(json)null",
        "worker_cancel_long_running_tasks_on_connection_loss=(bool)0",
    )
    # Otherwise a retry or a subtask that cannot be sent ends the task after less than a second.
    yield from ("task_publish_retry=1", f"task_publish_retry_policy=(dict){_json(PUBLISH_RETRY)}")
    # Otherwise a result that cannot be stored is later stored as a failure of the task.
    yield from ("result_backend_always_retry=(bool)1", "result_backend_max_retries=(float)inf")
    yield "result_backend_max_sleep_between_retries_ms=10000"
    # With a limit, the connection that reads and the one that is told of changes wait for each other.
    yield "redis_max_connections=(json)null"


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
