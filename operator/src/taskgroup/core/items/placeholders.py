"""Placeholders in arguments: $(item), $(item.path), $(index), $(group.name); $$( stands for a literal $(.

A template is compiled once, then filled for every item. Alone in a string a placeholder keeps the JSON type of its
value; inside text it becomes text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from taskgroup.core.errors import InvalidSpecError

_TOKEN = re.compile(r"\$\$\(|\$\(([^()]*)\)")
_MISSING = object()
_POSITION_DIGITS = 10
"""No list has a position with so many; Python refuses to read numbers of thousands."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What placeholders of one item refer to; `item` is absent in `tasks`."""

    index: int
    group_name: str
    item: Any = _MISSING


Filler = Callable[[Scope], Any]


def compile_value(value: Any) -> Filler | None:
    """A function that fills `value` for an item; None when it holds no placeholder and can be used as it is."""
    if isinstance(value, str):
        return _compile_text(value)
    if isinstance(value, list):
        return _compile_list(value)
    if isinstance(value, dict):
        return _compile_object(value)
    return None


def _compile_list(values: list[Any]) -> Filler | None:
    fillers = [compile_value(value) for value in values]
    if not any(fillers):
        return None
    pairs = [(filler, value) for filler, value in zip(fillers, values, strict=True)]
    return lambda scope: [filler(scope) if filler else value for filler, value in pairs]


def _compile_object(values: dict[str, Any]) -> Filler | None:
    fillers = {key: compile_value(value) for key, value in values.items()}
    if not any(fillers.values()):
        return None
    triples = [(key, fillers[key], value) for key, value in values.items()]
    return lambda scope: {key: filler(scope) if filler else value for key, filler, value in triples}


def _compile_text(text: str) -> Filler | None:
    if "$(" not in text:
        return None
    whole = _TOKEN.fullmatch(text)
    if whole and whole.group(1) is not None:
        return _lookup(whole.group(1))
    parts = _parts(text)
    return lambda scope: "".join(part if isinstance(part, str) else _as_text(part(scope)) for part in parts)


def _parts(text: str) -> list[str | Filler]:
    parts: list[str | Filler] = []
    position = 0
    for match in _TOKEN.finditer(text):
        parts.append(text[position : match.start()])
        parts.append("$(" if match.group(1) is None else _lookup(match.group(1)))
        position = match.end()
    parts.append(text[position:])
    return parts


def _lookup(name: str) -> Filler:
    root, *path = name.split(".")
    if name == "index":
        return lambda scope: scope.index
    if name == "group.name":
        return lambda scope: scope.group_name
    if root == "item":
        return lambda scope: _walk(scope, path, name)
    raise InvalidSpecError(
        f"Unknown placeholder $({name}): use $(item), $(item.path), $(index) or $(group.name),"
        " or write $$( for a literal $(."
    )


def _walk(scope: Scope, path: list[str], name: str) -> Any:
    value = scope.item
    if value is _MISSING:
        raise InvalidSpecError(
            f"$({name}) has no meaning in tasks[{scope.index}]: only items and sequence have an item."
        )
    for step in path:
        value = _step(value, step)
        if value is _MISSING:
            has = f" It has {', '.join(sorted(scope.item)[:5])}." if isinstance(scope.item, dict) and scope.item else ""
            raise InvalidSpecError(f"Item {scope.index} has no {'.'.join(path)!r}: correct the item or $({name}).{has}")
    return value


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, _MISSING)
    if isinstance(value, list) and step.isdecimal() and len(step) < _POSITION_DIGITS and int(step) < len(value):
        return value[int(step)]
    return _MISSING


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
