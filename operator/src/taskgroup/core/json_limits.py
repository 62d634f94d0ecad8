"""What JSON of a user can be carried to a worker unchanged, and where it cannot.

The Kubernetes API keeps integers of 64 bits; of a larger one it makes a floating-point number before anybody sees it.
"""

import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

MAX_LEVELS = 250
"""Lists and objects in each other; orjson, pydantic and the workers' JSON each have a limit, all of them higher."""
_ORJSON_LEVELS = 254
_LONG_NUMBER = re.compile(rb"\d{19}")
_INT64_MAX = 2**63 - 1
_PAUSE_NODES = 1_000
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A value that cannot be carried."""

    path: Path
    sentence: str


def find_flaw(value: Any) -> Generator[None, None, Flaw | None]:
    """The first flaw of a JSON value, or None; a generator, because a value of a million bytes takes a while."""
    try:
        encoded = orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        flaw = yield from _searched(value)
        return flaw or Flaw((), f"It cannot be written as JSON: {error}. Correct it, or pass such data as text.")
    if _LONG_NUMBER.search(encoded):
        return (yield from _searched(value))
    return None


def levels_beyond(value: Any, encoded: bytes, limit: int) -> bool:
    """Whether lists and objects are in each other more than `limit` deep; `encoded` is the value's JSON."""
    if encoded.count(b"[") + encoded.count(b"{") <= limit:
        return False
    inner = _containers([value])
    for _ in range(limit):
        if not inner:
            return False
        inner = [child for part in inner for child in _containers(_children(part))]
    return bool(inner)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, (list, dict))]


def _children(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _searched(value: Any) -> Generator[None, None, Flaw | None]:
    waiting: list[tuple[Path, Any]] = [((), value)]
    count = 0
    while waiting:
        path, node = waiting.pop()
        if sentence := _sentence(node, len(path)):
            return Flaw(path, sentence)
        waiting += [((*path, key), child) for key, child in _entries(node)]
        count += 1
        if count % _PAUSE_NODES == 0:
            yield
    return None


def _entries(node: Any) -> list[tuple[str | int, Any]]:
    if isinstance(node, dict):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else []


def _sentence(node: Any, level: int) -> str:
    if isinstance(node, int) and not -_INT64_MAX - 1 <= node <= _INT64_MAX:
        return (
            f"It reads {node} here, which may not be what was written: the Kubernetes API alters whole numbers beyond"
            " 64 bits. Pass it as text, in quotes."
        )
    if isinstance(node, (list, dict)) and level >= _ORJSON_LEVELS:
        return f"It is nested too deeply (about {MAX_LEVELS} levels are possible): pass such data as text."
    return ""
