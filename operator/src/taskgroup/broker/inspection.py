"""What live workers say about themselves through Celery's remote control.

Celery's client is synchronous and keeps global state, so it runs in a thread with an app of its own for each question.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from celery import Celery
from celery.app.control import Inspect
from kombu.exceptions import OperationalError

from taskgroup.api.spec import TransportOptions
from taskgroup.transport.errors import broker_errors
from taskgroup.transport.url import parse

_EARLY = " [acks_late=False]"
_Answer = TypeVar("_Answer")


async def active_ids(
    url: str, hostnames: Sequence[str], wait_seconds: float, options: TransportOptions | None = None
) -> dict[str, set[str]]:
    """Ids of all tasks that each worker has taken: running, waiting, or with an ETA. A silent worker is absent.

    `hostnames` are Celery's node names; `wait_seconds` bounds each of three questions. Raises BrokerError.
    """
    return await _asked(url, hostnames, wait_seconds, options, _taken) if hostnames else {}


async def early_tasks(
    url: str, hostname: str, wait_seconds: float, options: TransportOptions | None = None
) -> frozenset[str] | None:
    """Tasks whose messages this worker acknowledges before it runs them; None when it is silent. Raises BrokerError."""

    def ask(inspect: Inspect) -> frozenset[str] | None:
        answers = inspect.registered("acks_late") or {}
        return _early(answers[hostname]) if hostname in answers else None

    return await _asked(url, [hostname], wait_seconds, options, ask)


async def _asked(
    url: str,
    hostnames: Sequence[str],
    wait_seconds: float,
    options: TransportOptions | None,
    ask: Callable[[Inspect], _Answer],
) -> _Answer:
    options = options or TransportOptions()

    def call() -> _Answer:
        with _app(url, wait_seconds, options) as app, app.connection_for_write() as connection:
            # With `limit`, Celery stops waiting as soon as every worker has answered.
            return ask(app.control.inspect(list(hostnames), wait_seconds, connection=connection, limit=len(hostnames)))

    with broker_errors(parse(url).address):
        try:
            return await asyncio.to_thread(call)
        except OperationalError as error:
            raise (error.__cause__ or ConnectionError(str(error))) from None


def _early(registered: Sequence[str]) -> frozenset[str]:
    """Celery writes `name [acks_late=False]`."""
    return frozenset(line.removesuffix(_EARLY) for line in registered if line.endswith(_EARLY))


def _taken(inspect: Inspect) -> dict[str, set[str]]:
    # In the order in which a task moves on, so that none is missed between two answers.
    answers = [inspect.scheduled() or {}, inspect.reserved() or {}, inspect.active() or {}]
    complete = set.intersection(*(set(answer) for answer in answers))
    return {host: {_id(entry) for answer in answers for entry in answer[host]} for host in complete}


def _id(entry: dict[str, Any]) -> str:
    return str(entry.get("request", entry).get("id"))


def _app(url: str, wait_seconds: float, options: TransportOptions) -> Celery:
    app = Celery("taskgroup-operator", broker=url, backend=None, set_as_current=False)
    app.conf.broker_transport_options = {
        "global_keyprefix": options.global_key_prefix or "",
        "socket_timeout": options.socket_timeout_seconds or wait_seconds + 5,
        "socket_connect_timeout": options.socket_connect_timeout_seconds or 5,
        "max_retries": 0,
    }
    app.conf.broker_connection_retry = False
    return app
