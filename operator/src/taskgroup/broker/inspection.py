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
_NODE = "celery@"
"""Workers are started under this name and their pod's."""
_Answer = TypeVar("_Answer")


class CeleryInspection:
    """`Inspection` by Celery's own broadcast."""

    def __init__(self, url: str, options: TransportOptions | None = None) -> None:
        self._url = url
        self._options = options or TransportOptions()

    async def active_ids(self, pods: Sequence[str], wait_seconds: float) -> dict[str, set[str]]:
        """See Inspection."""
        return await self._ask(pods, wait_seconds, _active_ids) if pods else {}

    async def early_ack_tasks(self, pod: str, wait_seconds: float) -> frozenset[str] | None:
        """See Inspection."""

        def question(inspect: Inspect) -> frozenset[str] | None:
            answers = inspect.registered("acks_late") or {}
            return _early(answers[_NODE + pod]) if _NODE + pod in answers else None

        return await self._ask([pod], wait_seconds, question)

    async def _ask(self, pods: Sequence[str], wait_seconds: float, question: Callable[[Inspect], _Answer]) -> _Answer:
        nodes = [_NODE + pod for pod in pods]

        def call() -> _Answer:
            with self._app(wait_seconds) as app, app.connection_for_write() as connection:
                # With `limit`, Celery stops waiting as soon as every worker has answered.
                return question(app.control.inspect(nodes, wait_seconds, connection=connection, limit=len(nodes)))

        with broker_errors(parse(self._url).address):
            try:
                return await asyncio.to_thread(call)
            except OperationalError as error:
                raise (error.__cause__ or ConnectionError(str(error))) from None

    def _app(self, wait_seconds: float) -> Celery:
        app = Celery("taskgroup-operator", broker=self._url, backend=None, set_as_current=False)
        app.conf.broker_transport_options = {
            "global_keyprefix": self._options.global_key_prefix or "",
            "socket_timeout": self._options.socket_timeout_seconds or wait_seconds + 5,
            "socket_connect_timeout": self._options.socket_connect_timeout_seconds or 5,
            "max_retries": 0,
        }
        app.conf.broker_connection_retry = False
        return app


def _early(registered: Sequence[str]) -> frozenset[str]:
    """Celery writes `name [acks_late=False]`."""
    return frozenset(line.removesuffix(_EARLY) for line in registered if line.endswith(_EARLY))


def _active_ids(inspect: Inspect) -> dict[str, set[str]]:
    # In the order in which a task moves on, so that none is missed between two answers.
    answers = [inspect.scheduled() or {}, inspect.reserved() or {}, inspect.active() or {}]
    complete = set.intersection(*(set(answer) for answer in answers))
    return {node.removeprefix(_NODE): {_id(entry) for answer in answers for entry in answer[node]} for node in complete}


def _id(entry: dict[str, Any]) -> str:
    return str(entry.get("request", entry).get("id"))
