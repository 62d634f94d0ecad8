"""What live workers say about themselves through Celery's remote control, when items are missing.

Celery's client is synchronous and keeps global state, so it runs in a thread with an app of its own for each question.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from celery import Celery
from celery.app.control import Inspect
from kombu.exceptions import OperationalError

from taskgroup.api.spec import TransportOptions
from taskgroup.broker.errors import broker_errors
from taskgroup.broker.url import parse


async def active_ids(
    url: str, hostnames: Sequence[str], wait_seconds: float, options: TransportOptions | None = None
) -> dict[str, set[str]]:
    """Ids of all tasks that each worker has taken: running, waiting, or with an ETA. A silent worker is absent.

    `hostnames` are Celery's node names; `wait_seconds` bounds each of three questions. Raises BrokerError.
    """
    if not hostnames:
        return {}

    def ask() -> dict[str, set[str]]:
        with _app(url, wait_seconds, options or TransportOptions()) as app, app.connection_for_write() as connection:
            # With `limit`, Celery stops waiting as soon as every worker has answered.
            return _taken(
                app.control.inspect(list(hostnames), wait_seconds, connection=connection, limit=len(hostnames))
            )

    with broker_errors(parse(url).address):
        try:
            return await asyncio.to_thread(ask)
        except OperationalError as error:
            raise (error.__cause__ or ConnectionError(str(error))) from None


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
