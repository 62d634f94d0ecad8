"""The items of a group and what to run for each: the spec compiled once, then asked for one index at a time."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from pyroaring import BitMap, FrozenBitMap

from taskgroup.api.signature import Leaf
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.indexes import Indexes, full
from taskgroup.core.items.placeholders import Filler, Scope, compile_value
from taskgroup.core.items.sources import InlineItems, Items, items_of

_ENVELOPE_BYTES = 1_024
"""A message without its arguments."""


@dataclass(frozen=True, slots=True)
class Call:
    """One item, ready to be sent: its signature and the filled arguments."""

    leaf: Leaf
    args: list[Any]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lane:
    """The items of one priority, in the order of their dispatch."""

    priority: int
    indexes: Indexes


@dataclass(frozen=True, slots=True)
class _Template:
    leaf: Leaf
    args: Filler | None
    kwargs: Filler | None

    def fill(self, scope: Scope) -> Call:
        leaf = self.leaf
        args = self.args(scope) if self.args else leaf.args or []
        kwargs = self.kwargs(scope) if self.kwargs else leaf.kwargs or {}
        return Call(leaf, args, kwargs)


class Work:
    """All items of a group. Build it by `compile_work`; asking for an index takes microseconds."""

    def __init__(self, group_name: str, items: Items | None, templates: list[_Template]) -> None:
        self._group_name = group_name
        self._items = items
        self._templates = templates
        self.total = len(templates) if items is None else len(items)
        self.lanes = _lanes(templates, self.total, shared=items is not None)
        self.kinds = _kinds(templates)
        """One signature for each different pair of task and options."""
        self.ignores_results = any(leaf.options.ignore_result for leaf in self.kinds)
        self.message_bytes = _ENVELOPE_BYTES
        """About how long an item's message is, on average; known once the work is validated."""
        self._digests: dict[int, str] = {}

    def call(self, index: int) -> Call:
        """What to run for an item; InvalidSpecError when a placeholder finds nothing."""
        if self._items is None:
            return self._templates[index].fill(Scope(index, self._group_name))
        return self._templates[0].fill(Scope(index, self._group_name, self._items.value(index)))

    def leaf(self, index: int) -> Leaf:
        """The signature of an item, not filled."""
        return self._templates[index if self._items is None else 0].leaf

    def digest(self, count: int) -> str:
        """SHA-256 over the template and the first `count` items: equal as long as items were only appended."""
        if count not in self._digests:
            self._digests[count] = self._compute_digest(count)
        return self._digests[count]

    def _compute_digest(self, count: int) -> str:
        digest = hashlib.sha256()
        for position, piece in enumerate(self._pieces()):
            if position > count:
                break
            digest.update(len(piece).to_bytes(8, "big") + piece)
        return digest.hexdigest()

    def _pieces(self) -> Iterator[bytes]:
        if self._items is None:
            yield b"tasks"
            yield from (_leaf_bytes(template.leaf) for template in self._templates)
        else:
            yield _leaf_bytes(self._templates[0].leaf)
            yield from self._items.fingerprint()

    def validate(self) -> None:
        """InvalidSpecError when some item cannot be filled; it names the index."""
        needed = self.total if self._items is None or isinstance(self._items, InlineItems) else 1
        arguments = sum(_argument_bytes(self.call(index), index) for index in range(needed))
        self.message_bytes = _ENVELOPE_BYTES + arguments * 4 // 3 // max(needed, 1)


def compile_work(spec: TaskGroupSpec, group_name: str) -> Work:
    """The spec's items, checked; InvalidSpecError with a sentence otherwise."""
    if spec.tasks is not None:
        work = Work(group_name, None, [_compile(leaf) for leaf in spec.tasks])
    elif spec.template is not None:
        work = Work(group_name, items_of(spec), [_compile(spec.template)])
    else:
        raise InvalidSpecError("Give spec.template, or spec.tasks with one signature for each item.")
    work.validate()
    return work


def _argument_bytes(call: Call, index: int) -> int:
    try:
        return len(json.dumps([call.args, call.kwargs]))
    except RecursionError:
        raise InvalidSpecError(
            f"The arguments of item {index} are nested too deeply: pass such data as text."
        ) from None


def _compile(leaf: Leaf) -> _Template:
    return _Template(leaf, compile_value(leaf.args or []), compile_value(leaf.kwargs or {}))


def _kinds(templates: list[_Template]) -> tuple[Leaf, ...]:
    leaves = (template.leaf for template in templates)
    return tuple({(leaf.task, leaf.options.model_dump_json()): leaf for leaf in leaves}.values())


def _leaf_bytes(leaf: Leaf) -> bytes:
    # Defaults are left out, so that a field of a newer version does not change the digest of a running group.
    fields = leaf.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _lanes(templates: list[_Template], total: int, *, shared: bool) -> tuple[Lane, ...]:
    if shared:
        return (Lane(templates[0].leaf.options.priority, full(total)),)
    members: dict[int, BitMap] = {}
    for index, template in enumerate(templates):
        members.setdefault(template.leaf.options.priority, BitMap()).add(index)
    return tuple(Lane(priority, FrozenBitMap(members[priority])) for priority in sorted(members, reverse=True))
