"""Placeholders in arguments: $(item), $(item.path), $(items), $(index), $(before.result), $(group.name).

A template is compiled once, then filled for every item. Alone in a string a placeholder keeps the JSON type of its
value; inside text it becomes text.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from taskgroup.core.errors import InvalidSpecError

_TOKEN = re.compile(r"\$\$\(|\$\(([^()]*)\)")
_MISSING = object()
BEFORE = "before"
"""How the names of placeholders begin that stand for a result of spec.before."""
ITEMS = "items"
"""The placeholder of a task that takes a list."""
NO_BEFORE = object()
"""In place of the result of spec.before: there is none to be had."""
NOT_YET = object()
"""The same: nobody knows it yet. Placeholders for it stand for themselves."""
_QUOTES = 2
_POSITION_DIGITS = 10
"""No list has a position with so many; Python refuses to read numbers of thousands."""


@dataclass(slots=True)
class Scope:
    """What placeholders of one message refer to; `item` is absent in `tasks`, and `index` in what runs once for all.

    Not frozen, which would cost as much time as to fill the message.
    """

    index: int | None
    group_name: str
    item: Any = _MISSING
    items: list[Any] | None = None
    """All items of a chunk; there is no `item` then, and `index` is the first one's."""
    before: Any = NO_BEFORE
    stage: str = ""
    """Field of the spec that runs once for all."""


Filler = Callable[[Scope], Any]


@dataclass(slots=True)
class Occurrences:
    """What was met while a value was compiled: from this follows how long it is filled, before it is filled."""

    times: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """How often each placeholder occurs, by its name and whether it stands alone."""
    lookups: dict[str, Filler] = field(default_factory=dict)
    replaced_bytes: int = 0
    """Bytes of the value's JSON that are not in the filled one."""
    deepest: int = 0
    """Most lists and objects around a placeholder that stands alone."""

    def add(self, name: str, level: int, *, alone: bool) -> Filler:
        """One more; InvalidSpecError when there is no such placeholder."""
        if name not in self.lookups:
            self.lookups[name] = _lookup(name)
        self.times[name, alone] += 1
        self.replaced_bytes += len(orjson.dumps(f"$({name})")) - (0 if alone else _QUOTES)
        if alone:
            self.deepest = max(self.deepest, level)
        return self.lookups[name]


def compile_value(value: Any, occurrences: Occurrences, level: int = 0) -> Filler | None:
    """A function that fills `value` for an item; None when it holds no placeholder and can be used as it is."""
    if isinstance(value, str):
        return _compile_text(value, occurrences, level)
    if isinstance(value, list):
        return _compile_list(value, occurrences, level + 1)
    if isinstance(value, dict):
        return _compile_object(value, occurrences, level + 1)
    return None


def _compile_list(values: list[Any], occurrences: Occurrences, level: int) -> Filler | None:
    fillers = [compile_value(value, occurrences, level) for value in values]
    if not any(fillers):
        return None
    pairs = [(filler, value) for filler, value in zip(fillers, values, strict=True)]
    return lambda scope: [filler(scope) if filler else value for filler, value in pairs]


def _compile_object(values: dict[str, Any], occurrences: Occurrences, level: int) -> Filler | None:
    fillers = {key: compile_value(value, occurrences, level) for key, value in values.items()}
    if not any(fillers.values()):
        return None
    triples = [(key, fillers[key], value) for key, value in values.items()]
    return lambda scope: {key: filler(scope) if filler else value for key, filler, value in triples}


def _compile_text(text: str, occurrences: Occurrences, level: int) -> Filler | None:
    if "$(" not in text:
        return None
    whole = _TOKEN.fullmatch(text)
    if whole and whole.group(1) is not None:
        return occurrences.add(whole.group(1), level, alone=True)
    parts = _parts(text, occurrences, level)
    return lambda scope: "".join(part if isinstance(part, str) else _as_text(part(scope)) for part in parts)


def _parts(text: str, occurrences: Occurrences, level: int) -> list[str | Filler]:
    parts: list[str | Filler] = []
    position = 0
    for match in _TOKEN.finditer(text):
        parts.append(text[position : match.start()])
        if match.group(1) is None:
            occurrences.replaced_bytes += len("$$(") - len("$(")
            parts.append("$(")
        else:
            parts.append(occurrences.add(match.group(1), level, alone=False))
        position = match.end()
    parts.append(text[position:])
    return parts


def _lookup(name: str) -> Filler:
    root, *path = name.split(".")
    if name == "index":
        return _index
    if name == "group.name":
        return lambda scope: scope.group_name
    if root == "item":
        return lambda scope: _walk(scope, path, name)
    if name == ITEMS:
        return _items
    if name == "before.result" or name.startswith("before.result."):
        return lambda scope: _of_before(scope, path[1:], name)
    raise InvalidSpecError(
        f"Unknown placeholder $({name}): use $(item), $(item.path), $(items), $(index), $(before.result),"
        " $(before.result.path) or $(group.name), or write $$( for a literal $(."
    )


def _index(scope: Scope) -> int:
    if scope.index is None:
        raise InvalidSpecError(f"$(index) has no meaning in spec.{scope.stage}: it runs once for all items.")
    return scope.index


def _items(scope: Scope) -> list[Any]:
    if scope.items is None:
        raise _meaningless(scope, ITEMS)
    return scope.items


def _meaningless(scope: Scope, name: str) -> InvalidSpecError:
    """What to say of a placeholder where there is no item."""
    if scope.index is None:
        return InvalidSpecError(f"$({name}) has no meaning in spec.{scope.stage}: it runs once for all items.")
    if scope.items is not None:
        return InvalidSpecError(f"$({name}) has no meaning beside $({ITEMS}): a message has several items then.")
    return InvalidSpecError(
        f"$({name}) has no meaning in tasks[{scope.index}]: only items, sequence, matrix and itemsFrom have items."
    )


def _of_before(scope: Scope, path: list[str], name: str) -> Any:
    value = scope.before
    if value is NO_BEFORE:
        where = f" in spec.{scope.stage}" if scope.stage else ""
        raise InvalidSpecError(
            f"$({name}) has no meaning{where}: it is the result of spec.before, for what runs later."
        )
    if value is NOT_YET:
        return f"$({name})"
    for step in path:
        has = _fields(value)
        value = _step(value, step)
        if value is _MISSING:
            raise InvalidSpecError(f"The result of spec.before has no {'.'.join(path)!r} for $({name}).{has}")
    return value


def _fields(value: Any) -> str:
    return f" It has {', '.join(sorted(value)[:5])}." if isinstance(value, dict) and value else ""


def _walk(scope: Scope, path: list[str], name: str) -> Any:
    value = scope.item
    if value is _MISSING:
        raise _meaningless(scope, name)
    for step in path:
        value = _step(value, step)
        if value is _MISSING:
            has = _fields(scope.item)
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
