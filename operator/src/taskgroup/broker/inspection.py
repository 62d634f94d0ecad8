"""What live workers say about themselves through Celery's remote control."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from taskgroup.broker.pidbox import Question, read_answer
from taskgroup.broker.stock import rate
from taskgroup.core.pools.claim_history import Claims
from taskgroup.transport.answers import TooLongError
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.errors import broker_errors

_NODE = "celery@"
"""Workers are started under this name and their pod's."""
_MOST_BYTES = 8 * 1024 * 1024
"""Of all answers to one question."""
_AT_ONCE = 100
_FASTEST_SECONDS = 0.02
_SLOWEST_SECONDS = 0.2
_SLOWER = 1.5
_REVOKE_SECONDS = 60.0
"""How late a worker may still be told to end a task."""


class RedisInspection:
    """`Inspection` by Celery's own broadcast. Answers are polled for, so that no question holds a connection."""

    def __init__(self, redis: RedisConnection, prefix: str) -> None:
        """`prefix` is the user's globalKeyPrefix."""
        self._redis = redis
        self._prefix = prefix

    async def active_ids(self, pods: Sequence[str], wait_seconds: float) -> dict[str, set[str]]:
        """See Inspection."""
        if not pods:
            return {}
        answers = await self._lists(pods, wait_seconds)
        complete = set.intersection(*(set(answer) for answer in answers))
        return {pod: {name for answer in answers for name in _ids(answer[pod])} for pod in complete}

    async def claims(self, pods: Sequence[str], wait_seconds: float) -> dict[str, Claims]:
        """See Inspection. Rate limits first: what waits for its turn is on none of the lists until it is reserved."""
        if not pods:
            return {}
        registered = await self._ask("registered", {"taskinfoitems": ["rate_limit"]}, pods, wait_seconds)
        lists = await self._lists(pods, wait_seconds)
        complete = set.intersection(set(registered), *(set(answer) for answer in lists))
        return {pod: _claims(registered[pod], [answer[pod] for answer in lists]) for pod in complete}

    async def revoke(self, pods: Sequence[str], ids: Sequence[str]) -> None:
        """See Inspection; workers without processes, which cannot end a thread, go on with what runs."""
        question = Question.new(self._prefix, self._redis.database)
        arguments = {"task_id": list(ids), "terminate": True, "signal": "SIGTERM"}
        nodes = [_NODE + pod for pod in pods]
        with broker_errors(self._redis.address):
            await self._redis.client.publish(
                question.channel, question.command("revoke", arguments, nodes, _REVOKE_SECONDS)
            )

    async def _lists(self, pods: Sequence[str], wait_seconds: float) -> list[dict[str, list[Any]]]:
        """In the order in which a task moves on, so that none is missed between two answers."""
        return [await self._ask(method, {}, pods, wait_seconds) for method in ("scheduled", "reserved", "active")]

    async def _ask(
        self, method: str, arguments: Mapping[str, Any], pods: Sequence[str], wait_seconds: float
    ) -> dict[str, list[Any]]:
        """The lists that these pods' workers answered with; what is no list is no answer."""
        question = Question.new(self._prefix, self._redis.database)
        nodes = {_NODE + pod: pod for pod in pods}
        with broker_errors(self._redis.address):
            try:
                await self._publish(question, question.message(method, arguments, list(nodes), wait_seconds))
                answers = await self._collect(question, nodes, wait_seconds)
            finally:
                with suppress(RedisError, OSError):
                    await self._forget(question)
        return {nodes[node]: answer for node, answer in answers.items() if isinstance(answer, list)}

    async def _publish(self, question: Question, message: str) -> None:
        async with self._redis.client.pipeline(transaction=True) as pipe:
            for bindings in question.bindings:
                pipe.sadd(bindings, question.binding)
            pipe.publish(question.channel, message)
            await pipe.execute()

    async def _collect(self, question: Question, nodes: Mapping[str, str], wait_seconds: float) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        size, pause, clock = 0, _FASTEST_SECONDS, asyncio.get_running_loop().time
        until = clock() + wait_seconds
        while len(answers) < len(nodes) and clock() < until:
            await asyncio.sleep(pause)
            pause = min(pause * _SLOWER, _SLOWEST_SECONDS)
            popped: Any = await self._redis.client.rpop(question.answers, _AT_ONCE)
            for raw in popped:
                size += len(raw)
                if size > _MOST_BYTES:
                    raise TooLongError("the answers to a question are too long")
                answers |= {node: answer for node, answer in read_answer(raw).items() if node in nodes}
        return answers

    async def _forget(self, question: Question) -> None:
        async with self._redis.client.pipeline(transaction=True) as pipe:
            for bindings in question.bindings:
                pipe.srem(bindings, question.binding)
            pipe.delete(question.answers)
            await pipe.execute()


def _ids(entries: Sequence[Any]) -> set[str]:
    """Scheduled tasks have their id one level deeper."""
    requests = (entry.get("request", entry) for entry in entries if isinstance(entry, dict))
    return {str(request.get("id")) for request in requests if isinstance(request, dict)}


def _claims(registered: Sequence[Any], lists: Sequence[list[Any]]) -> Claims:
    ids = frozenset(name for entries in lists for name in _ids(entries))
    rates = dict(pair for line in registered if isinstance(line, str) and (pair := _rate(line)))
    return Claims(ids=ids, running=len(lists[-1]), rates=rates)


def _rate(line: str) -> tuple[str, float] | None:
    """Celery writes `name [rate_limit=10/m]`; None for a task without one."""
    name, found, text = line.removesuffix("]").partition(" [rate_limit=")
    if not found:
        return None
    try:
        return name, rate(text)
    except (ValueError, KeyError):
        return name, 0.0
