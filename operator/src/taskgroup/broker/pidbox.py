"""Celery's remote control as kombu keeps it in Redis: a question is published to all workers, each answers into a list.

kombu's own client bounds neither the size of an answer nor the time that a server may take for it, and it blocks a
thread; here the same messages go over the operator's bounded connections.
"""

import base64
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskgroup.transport.json_text import read_json

_EXCHANGE = "celery.pidbox"
_REPLY_EXCHANGE = "reply.celery.pidbox"
_SEPARATOR = "\x06\x16"


@dataclass(frozen=True, slots=True)
class Question:
    """One question to some workers, and where they answer. `prefix` is the user's globalKeyPrefix."""

    prefix: str
    database: int
    id: str

    @classmethod
    def new(cls, prefix: str, database: int) -> "Question":
        """One whose answers cannot be taken for another's."""
        return cls(prefix, database, str(uuid.uuid4()))

    @property
    def channel(self) -> str:
        """Where every worker listens."""
        return f"{self.prefix}/{self.database}.{_EXCHANGE}"

    @property
    def answers(self) -> str:
        """The list of answers."""
        return f"{self.prefix}{self._queue}"

    @property
    def bindings(self) -> tuple[str, str]:
        """The sets in which workers look up where an answer goes; kombu 5.7 keeps a second one."""
        return (
            f"{self.prefix}_kombu.binding.{_REPLY_EXCHANGE}",
            f"{self.prefix}_kombu.binding_permanent.{_REPLY_EXCHANGE}",
        )

    @property
    def binding(self) -> str:
        """The entry in those sets."""
        return _SEPARATOR.join((self.id, "", self._queue))

    @property
    def _queue(self) -> str:
        return f"{self.id}.{_REPLY_EXCHANGE}"

    def message(self, method: str, arguments: Mapping[str, Any], nodes: Sequence[str], seconds: float) -> str:
        """What is published; workers ignore it when `seconds` are over."""
        return self._message(method, arguments, nodes, seconds, {"exchange": _REPLY_EXCHANGE, "routing_key": self.id})

    def command(self, method: str, arguments: Mapping[str, Any], nodes: Sequence[str], seconds: float) -> str:
        """The same for what nobody answers."""
        return self._message(method, arguments, nodes, seconds, None)

    def _message(
        self,
        method: str,
        arguments: Mapping[str, Any],
        nodes: Sequence[str],
        seconds: float,
        reply_to: Mapping[str, str] | None,
    ) -> str:
        body = {
            "method": method,
            "arguments": arguments,
            "destination": list(nodes),
            "pattern": None,
            "matcher": None,
            "ticket": self.id,
            "reply_to": reply_to,
        }
        return json.dumps(
            {
                "body": base64.b64encode(json.dumps(body).encode()).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": {"clock": 1, "expires": time.time() + seconds},
                "properties": {
                    "delivery_mode": 1,
                    "delivery_info": {"exchange": _EXCHANGE, "routing_key": ""},
                    "priority": 0,
                    "body_encoding": "base64",
                    "delivery_tag": str(uuid.uuid4()),
                },
            }
        )


def read_answer(raw: bytes) -> dict[str, Any]:
    """Node to what it answered; empty for what no worker has written."""
    try:
        message = read_json(raw)
        body = message["body"]
        is_encoded = message["properties"].get("body_encoding") == "base64"
        answer = read_json(base64.b64decode(body) if is_encoded else body.encode())
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}
    return answer if isinstance(answer, dict) else {}
