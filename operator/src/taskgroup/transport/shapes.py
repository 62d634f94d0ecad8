"""What the answer to a command must look like. A server that answers otherwise is no Redis, or lies.

Each function takes an answer as `answers` reads it and returns what the operator works with; InvalidResponse for
anything else.
"""

from collections.abc import Callable, Mapping
from typing import Any

from redis.exceptions import InvalidResponse

_MOST = 2**53
"""No number that Redis tells the operator comes near it."""


def _misshapen() -> InvalidResponse:
    return InvalidResponse("the answer has another shape than the command's")


def count(answer: Any, **_: Any) -> int:
    """A number that is not negative."""
    if type(answer) is not int or not 0 <= answer <= _MOST:
        raise _misshapen()
    return answer


def text(answer: Any, **_: Any) -> bytes:
    """Bytes."""
    if type(answer) is not bytes:
        raise _misshapen()
    return answer


def text_or_none(answer: Any, **_: Any) -> bytes | None:
    """Bytes, or None for what is not there."""
    return None if answer is None else text(answer)


def texts(answer: Any, **_: Any) -> list[bytes]:
    """A list of bytes."""
    if type(answer) is not list or any(type(element) is not bytes for element in answer):
        raise _misshapen()
    return answer


def counts(answer: Any, **_: Any) -> list[int]:
    """A list of numbers that are not negative."""
    return [count(element) for element in _list(answer)]


def counts_or_none(answer: Any, **_: Any) -> list[int] | None:
    """A list of numbers, or None where the script refuses."""
    return None if answer is None else counts(answer)


def pair(answer: Any) -> list[Any]:
    """A list of two."""
    if len(_list(answer)) != 2:
        raise _misshapen()
    return _list(answer)


def triple(answer: Any) -> list[Any]:
    """A list of three."""
    if len(_list(answer)) != 3:
        raise _misshapen()
    return _list(answer)


def rows(answer: Any, *, width: int) -> list[list[bytes]]:
    """A list of lists of so many bytes values each."""
    found = [texts(row) for row in _list(answer)]
    if any(len(row) != width for row in found):
        raise _misshapen()
    return found


def pairs(answer: Any, **_: Any) -> dict[bytes, bytes]:
    """Fields and values in turn."""
    flat = texts(answer)
    if len(flat) % 2:
        raise _misshapen()
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _list(answer: Any) -> list[Any]:
    if type(answer) is not list:
        raise _misshapen()
    return answer


def _one_count(answer: Any, **_: Any) -> list[int]:
    if len(found := counts(answer)) != 1:
        raise _misshapen()
    return found


def _texts_or_nones(answer: Any, **_: Any) -> list[bytes | None]:
    return [text_or_none(element) for element in _list(answer)]


def _members(answer: Any, **_: Any) -> set[bytes]:
    return set(texts(answer))


def _scanned(answer: Any, **_: Any) -> tuple[int, list[bytes]]:
    """The cursor and the keys of one step."""
    first, second = pair(answer)
    cursor, keys = text(first), texts(second)
    if not cursor.isdigit() or len(cursor) > 20:
        raise _misshapen()
    return int(cursor), keys


def _range(answer: Any, withscores: bool = False, **_: Any) -> list[Any]:
    if not withscores:
        return texts(answer)
    return [(member, _score(score)) for member, score in pairs(answer).items()]


def _score(value: bytes) -> float:
    try:
        return float(value)
    except ValueError:
        raise _misshapen() from None


def _popped(answer: Any, **_: Any) -> list[bytes]:
    """Some of a list's elements; with a number of them asked for, None says that there are none."""
    return [] if answer is None else texts(answer)


def _digest(answer: Any, **_: Any) -> str:
    try:
        return text(answer).decode("ascii")
    except UnicodeDecodeError:
        raise _misshapen() from None


def _is_pong(answer: Any, **_: Any) -> bool:
    if answer != b"PONG":
        raise _misshapen()
    return True


CALLBACKS: Mapping[str, Callable[..., Any]] = {
    "DEL": count,
    "EXPIRE": count,
    "GETRANGE": text,
    "HDEL": count,
    "HGET": text_or_none,
    "HGETALL": pairs,
    "HLEN": count,
    "HMGET": _texts_or_nones,
    "HSET": count,
    "LLEN": count,
    "MGET": _texts_or_nones,
    "PING": _is_pong,
    "PUBLISH": count,
    "RPOP": _popped,
    "SADD": count,
    "SCAN": _scanned,
    "SCRIPT EXISTS": _one_count,
    "SCRIPT LOAD": _digest,
    "SMEMBERS": _members,
    "SRANDMEMBER": texts,
    "SREM": count,
    "STRLEN": count,
    "UNLINK": count,
    "ZRANGE": _range,
    "ZREM": count,
}
"""Every command that the operator may send, except scripts, whose callers say the shape."""
