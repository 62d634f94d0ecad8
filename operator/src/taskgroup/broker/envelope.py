"""Celery messages (task protocol 2) exactly as kombu's Redis transport stores them, built by filling a template.

Celery's own publishing costs a round trip and hundreds of microseconds a task; all but a few fields of a group's
messages are equal, so they are encoded once. Tests compare the fields with kombu's own and let a stock worker run them.
"""

import itertools
import json
import time
import uuid
from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from taskgroup.api.signature import Leaf
from taskgroup.broker.keys import kombu_priority
from taskgroup.broker.stock import RESERVED_HEADERS
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.task_id import task_id
from taskgroup.core.units import index_of

_ORIGIN = "taskgroup-operator"
_REPR_LENGTH = 64
_EMBED = orjson.dumps({"callbacks": None, "errbacks": None, "chain": None, "chord": None}) + b"]"


def check_headers(leaf: Leaf) -> None:
    """InvalidSpecError when the signature's headers would overwrite Celery's."""
    if clashes := sorted(RESERVED_HEADERS & (leaf.options.headers or {}).keys()):
        raise InvalidSpecError(
            f"options.headers of task {leaf.task} must not set '{clashes[0]}': Celery uses that header."
        )


class MessageTemplate:
    """`Template` for Redis. Not for several threads at once."""

    def __init__(self, leaf: Leaf, uid: str, queue: str, *, clock: Callable[[], float] = time.time) -> None:
        """InvalidSpecError when the signature's headers would overwrite Celery's. `clock` gives epoch seconds."""
        self._uid = uid
        self._clock = clock
        self._expires_seconds = leaf.options.expires_seconds
        # A worker finds an unacked message by its delivery tag, so no two messages may share one.
        self._unique = f"#{uuid.uuid4().hex[:12]}.".encode()
        self._counter = itertools.count()
        self._pattern = _pattern(leaf, uid, queue)

    def render(
        self, unit: int, attempt: int, args: Sequence[Any], kwargs: Mapping[str, Any], parent: str | None = None
    ) -> bytes:
        """The message of one attempt of a unit; see Template."""
        encoded_args = _encode(args)
        encoded_kwargs = _encode(kwargs) if kwargs else b"{}"
        name = task_id(self._uid, unit, attempt).encode()
        return self._pattern % (
            name,
            self._expires(),
            index_of(unit),
            name,
            b"null" if parent is None else orjson.dumps(parent),
            _short(encoded_args, tuple(args)),
            _short(encoded_kwargs, kwargs) if kwargs else b'"{}"',
            name,
            b"%b%b%d" % (name, self._unique, next(self._counter)),
            b2a_base64(b"[%b,%b,%b" % (encoded_args, encoded_kwargs, _EMBED), newline=False),
        )

    def _expires(self) -> bytes:
        """Absolute, as Celery compares it with the worker's clock."""
        if self._expires_seconds is None:
            return b"null"
        moment = datetime.fromtimestamp(self._clock() + self._expires_seconds, UTC)
        return f'"{moment.isoformat()}"'.encode()


def _encode(value: object) -> bytes:
    try:
        encoded = orjson.dumps(value)
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits and lone surrogates are JSON to the API server and to Celery, not to orjson.
        return json.dumps(value).encode()
    # It writes null for NaN and the infinities, which a task may return and Celery hands on to the next one.
    return json.dumps(value).encode() if b"null" in encoded and not _is_finite(value) else encoded


def _is_finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _short(encoded: bytes, value: object) -> bytes:
    """What logs and monitors show of the arguments, as a JSON string: Python's text of them, unless they are long."""
    if len(encoded) > _REPR_LENGTH:
        return orjson.dumps(encoded[:_REPR_LENGTH].decode(errors="ignore") + "...")
    return orjson.dumps(repr(value))


class _Marks:
    """Stand-ins for an item's own values in the template; no text of a user can equal them."""

    def __init__(self) -> None:
        token = uuid.uuid4().hex
        self.json = f"{token}-json"
        self.number = f"{token}-number"
        self.text = f"{token}-text"

    def replaced(self, encoded: bytes) -> bytes:
        """`encoded` as a pattern for the % operator."""
        pattern = encoded.replace(b"%", b"%%")
        for mark, form in ((self.json, b"%b"), (self.number, b"%d"), (self.text, b'"%b"')):
            pattern = pattern.replace(orjson.dumps(mark), form)
        return pattern


def _pattern(leaf: Leaf, uid: str, queue: str) -> bytes:
    """A message to fill with: id, expires, group_index, root_id, parent_id, argsrepr, kwargsrepr, id, tag, body."""
    marks = _Marks()
    message = {
        "headers": _headers(leaf, uid, marks),
        "properties": _properties(leaf, uid, queue, marks),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "body": marks.text,
    }
    return marks.replaced(orjson.dumps(message))


def _headers(leaf: Leaf, uid: str, marks: _Marks) -> dict[str, Any]:
    options = leaf.options
    check_headers(leaf)
    return {
        **(options.headers or {}),
        "lang": "py",
        "task": leaf.task,
        "id": marks.text,
        "shadow": options.shadow,
        "eta": None,
        "expires": marks.json,
        "group": uid,
        "group_index": marks.number,
        "retries": 0,
        "timelimit": [options.time_limit_seconds, options.soft_time_limit_seconds],
        # Not the chain's first task, as in Celery: what a task replaced itself by is found by the id of its unit.
        "root_id": marks.text,
        "parent_id": marks.json,
        "argsrepr": marks.json,
        "kwargsrepr": marks.json,
        "origin": _ORIGIN,
        # Always stored: the result key is how the operator learns the end. It deletes the value of ignoreResult items.
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }


def _properties(leaf: Leaf, uid: str, queue: str, marks: _Marks) -> dict[str, Any]:
    expires = leaf.options.expires_seconds
    # AMQP's name for a message's time to live, in milliseconds: `expires` begins anew when the message is given back.
    expiration = {} if expires is None else {"expiration": str(expires * 1000)}
    return {
        **expiration,
        "correlation_id": marks.text,
        "reply_to": uid,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": kombu_priority(leaf.options.priority),
        "body_encoding": "base64",
        "delivery_tag": marks.text,
    }
