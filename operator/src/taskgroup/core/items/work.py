"""The items of a group and what to run for each: the spec compiled once, then asked for one index at a time."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import orjson
from pyroaring import BitMap, FrozenBitMap

from taskgroup.api.signature import Leaf
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.indexes import NONE, Indexes, full
from taskgroup.core.items.fingerprint import Fingerprint
from taskgroup.core.items.placeholders import Filler, Occurrences, Scope, compile_value
from taskgroup.core.items.sizes import FilledSize, filled_size
from taskgroup.core.items.sources import Items, items_of

MAX_MESSAGE_BYTES = 1024 * 1024
"""Longest message of an item, unless the operator is set otherwise."""
_ENVELOPE_BYTES = 1_024
"""A message without its arguments, headers and names."""

Steps = Generator[None, None, None]
"""Work that may be interrupted wherever it yields: at 100,000 items it takes a second."""


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
    size: FilledSize
    overhead_bytes: int
    """Of the message, besides the arguments."""

    def fill(self, scope: Scope) -> Call:
        leaf = self.leaf
        args = self.args(scope) if self.args else leaf.args or []
        kwargs = self.kwargs(scope) if self.kwargs else leaf.kwargs or {}
        return Call(leaf, args, kwargs)

    def message_bytes(self, scope: Scope) -> int:
        """The arguments travel in base64."""
        return self.overhead_bytes + self.size.bytes_for(scope) * 4 // 3


class Work:
    """All items of a group. Build it by `compile_work`; asking for an index takes microseconds."""

    def __init__(
        self,
        group_name: str,
        items: Items | None,
        templates: list[_Template],
        kinds: tuple[Leaf, ...],
        lanes: tuple[Lane, ...],
    ) -> None:
        self._group_name = group_name
        self._items = items
        self._templates = templates
        self.total = len(templates) if items is None else len(items)
        self.lanes = lanes
        self.kinds = kinds
        """One signature for each different pair of task and options."""
        self.ignores_results = any(leaf.options.ignore_result for leaf in kinds)
        self.message_bytes = _ENVELOPE_BYTES
        """About how long an item's message is, on average; known once the work is validated."""
        self.placeholders = max((template.size.placeholders for template in templates), default=0)
        """Most values that one message is filled with."""
        self._fingerprint = Fingerprint(1 + (len(templates) if items is None else items.pieces), self._piece)
        self._running: dict[str, Indexes] = {}

    def call(self, index: int) -> Call:
        """What to run for an item; InvalidSpecError when a placeholder finds nothing."""
        return self._template(index).fill(self._scope(index))

    def leaf(self, index: int) -> Leaf:
        """The signature of an item, not filled."""
        return self._template(index).leaf

    def running(self, task: str) -> Indexes:
        """The items whose signature names this task."""
        if task not in self._running:
            shared = full(self.total) if self.leaf(0).task == task else NONE
            own = (index for index in range(self.total) if self.leaf(index).task == task)
            self._running[task] = FrozenBitMap(own) if self._items is None else shared
        return self._running[task]

    def digest(self, count: int) -> str:
        """SHA-256 over the template and the first `count` items: equal as long as items were only appended."""
        return self._fingerprint.digest(1 + count)

    def _template(self, index: int) -> _Template:
        return self._templates[index if self._items is None else 0]

    def _scope(self, index: int) -> Scope:
        if self._items is None:
            return Scope(index, self._group_name)
        return Scope(index, self._group_name, self._items.value(index))

    def _piece(self, position: int) -> bytes:
        """What tells this work from another, in parts: the template, then the items."""
        if self._items is None:
            return _leaf_bytes(self._templates[position - 1].leaf) if position else b"tasks"
        return self._items.piece(position - 1) if position else _leaf_bytes(self._templates[0].leaf)

    def check(self, max_message_bytes: int) -> Steps:
        """InvalidSpecError, which names the index, when an item cannot be filled or is too long as a message."""
        samples, total = range(self.total) if self._items is None else self._items.samples(), 0
        for index in samples:
            size = self._template(index).message_bytes(self._scope(index))
            if size > max_message_bytes:
                raise InvalidSpecError(
                    f"The message of item {index} would have {size:,} bytes, and {max_message_bytes:,} are allowed:"
                    " pass large data by reference, such as a URL, and use fewer placeholders."
                )
            total += size
            yield
        self.message_bytes = total // max(len(samples), 1)
        yield from self._fingerprint.steps()


def compile_work(spec: TaskGroupSpec, group_name: str, max_message_bytes: int = MAX_MESSAGE_BYTES) -> Work:
    """The spec's items, checked; InvalidSpecError with a sentence otherwise."""
    steps = compile_steps(spec, group_name, max_message_bytes)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            work: Work = end.value
            return work


def compile_steps(spec: TaskGroupSpec, group_name: str, max_message_bytes: int) -> Generator[None, None, Work]:
    """As `compile_work`, in small steps."""
    if spec.tasks is not None:
        items, templates = None, (yield from _templates(spec.tasks))
    elif spec.template is not None:
        items, templates = items_of(spec), [_compile(spec.template, "spec.template")]
    else:
        raise InvalidSpecError("Give spec.template, or spec.tasks with one signature for each item.")
    kinds, lanes = (yield from _kinds(templates)), _lanes(templates, items)
    work = Work(group_name, items, templates, kinds, lanes)
    yield from work.check(max_message_bytes)
    return work


def _templates(leaves: list[Leaf]) -> Generator[None, None, list[_Template]]:
    templates = []
    for index, leaf in enumerate(leaves):
        templates.append(_compile(leaf, f"spec.tasks[{index}]"))
        yield
    return templates


def _compile(leaf: Leaf, where: str) -> _Template:
    occurrences = Occurrences()
    arguments = [leaf.args or [], leaf.kwargs or {}]
    args, kwargs = (compile_value(value, occurrences) for value in arguments)
    names = [leaf.task, leaf.options.shadow, leaf.options.headers]
    overhead = _ENVELOPE_BYTES + len(orjson.dumps(names))
    return _Template(leaf, args, kwargs, filled_size(arguments, occurrences, where), overhead)


def _kinds(templates: list[_Template]) -> Generator[None, None, tuple[Leaf, ...]]:
    kinds: dict[tuple[str, str], Leaf] = {}
    for template in templates:
        leaf = template.leaf
        kinds[leaf.task, leaf.options.model_dump_json()] = leaf
        yield
    return tuple(kinds.values())


def _leaf_bytes(leaf: Leaf) -> bytes:
    # Defaults are left out, so that a field of a newer version does not change the digest of a running group.
    fields = leaf.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _lanes(templates: list[_Template], items: Items | None) -> tuple[Lane, ...]:
    if items is not None:
        return (Lane(templates[0].leaf.options.priority, full(len(items))),)
    members: dict[int, BitMap] = {}
    for index, template in enumerate(templates):
        members.setdefault(template.leaf.options.priority, BitMap()).add(index)
    return tuple(Lane(priority, FrozenBitMap(members[priority])) for priority in sorted(members, reverse=True))
