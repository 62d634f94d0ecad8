"""The items of a group and what to run for each: the spec compiled once, then asked for one unit at a time."""

from collections.abc import Generator, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any

from taskgroup.api.signature import CallbackInput, Leaf, Signature
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.hooks import Hook, all_hooks, hook_of
from taskgroup.core.indexes import NONE, Indexes, full
from taskgroup.core.items.before import encoded_bytes
from taskgroup.core.items.chunking import ALONE, Chunking, sample_spans
from taskgroup.core.items.chunks import Chunks
from taskgroup.core.items.fingerprint import Fingerprint
from taskgroup.core.items.lanes import (
    Hooks,
    Lane,
    Stages,
    countdowns,
    lanes_of_tasks,
    lanes_of_template,
    last_units,
    running,
    running_in_hooks,
    running_in_stages,
    using_before,
    with_hooks,
    with_stages,
)
from taskgroup.core.items.matrix import MatrixItems
from taskgroup.core.items.placeholders import NO_BEFORE, NOT_YET, Scope
from taskgroup.core.items.signatures import signature_bytes
from taskgroup.core.items.sources import Items
from taskgroup.core.items.tasks import Call, Chain, CompiledTask
from taskgroup.core.stages import STAGE_UNITS, Stage, stage_of, stage_unit
from taskgroup.core.units import ITEM_UNITS, STEP_SIZE, Units, index_of, step_of, unit_of, units_of

MAX_MESSAGE_BYTES = 1024 * 1024
"""Longest message of an item, unless the operator is set otherwise."""
_LEAST_BYTES = 1_024

Steps = Generator[None, None, None]
"""Work that may be interrupted wherever it yields: at 100,000 items it takes a second."""


@dataclass(frozen=True, slots=True)
class Once:
    """What runs besides the items' own tasks."""

    stages: Stages = field(default_factory=lambda: MappingProxyType({}))
    """Once for the group."""
    hooks: Hooks = field(default_factory=lambda: MappingProxyType({}))
    """Once for each item that has ended."""


NOTHING = Once()


class Work:
    """All items of a group. Build it by `compile_steps`; asking for a unit takes microseconds."""

    def __init__(
        self,
        group_name: str,
        items: Items | None,
        signatures: list[Signature],
        chains: list[Chain],
        kinds: tuple[Leaf, ...],
        once: Once = NOTHING,
        callback_input: CallbackInput = CallbackInput.NONE,
        chunking: Chunking = ALONE,
        before: Any = NO_BEFORE,
        *,
        from_before: bool = False,
    ) -> None:
        self._group_name = group_name
        self._before = before
        self.awaits_items = from_before and before is NOT_YET
        """The items are the result of spec.before, which nobody knows yet."""
        self.found_items = from_before and not self.awaits_items
        """The items are its result, and known."""
        self._items = items
        self._signatures = signatures
        self._chains = chains
        self.total = len(chains) if items is None else len(items) * len(chains)
        self.stages = once.stages
        self.hooks = once.hooks
        self.chunking = chunking
        """Whether the task takes lists, and what becomes of what it returns."""
        self._cut(Chunks(chunking.size))
        self.steps = max(map(len, chains), default=1)
        """Most units of one item."""
        self.kinds = kinds
        """One task for each different pair of name and options."""
        self.ignores_results = any(leaf.options.ignore_result for leaf in kinds)
        self.forgets = self.ignores_results or self.steps > 1 or bool(self.hooks)
        """Some values are deleted as soon as they are counted."""
        succeeded = self.hooks.get(Hook.ON_ITEM_SUCCESS)
        self.hooks_take_results = succeeded is not None and succeeded.takes_result
        """The results of items are wanted until the hooks after them have ended."""
        self.has_countdowns = any(leaf.options.countdown_seconds for leaf in kinds)
        self.message_bytes = _LEAST_BYTES
        """About how long a message is, on average; known once the work is validated."""
        own = chain.from_iterable([*chains, self.hooks.values()])
        self.placeholders = max((task.size.placeholders for task in own), default=0)
        """Most values that one message is filled with."""
        self.most_message_bytes = MAX_MESSAGE_BYTES
        """How long a message may be."""
        self._fingerprint = Fingerprint(1 + (len(chains) if items is None else items.pieces), self._piece)
        self.callback_input = callback_input

    def _cut(self, chunks: Chunks) -> None:
        """The units of these chunks."""
        self.chunks = chunks
        """Which items are in one message."""
        self.entries: Indexes = chunks.entries(self.total)
        """The first item of each message: the one that its units are named after."""
        is_template = self._items is not None
        lanes = lanes_of_template(self._chains, self.entries) if is_template else lanes_of_tasks(self._chains)
        self.lanes: tuple[Lane, ...] = with_hooks(with_stages(lanes, self.stages), self.hooks, self.entries)
        self.units: Units = Units.union(NONE, *(lane.units for lane in self.lanes))
        """All units that there are."""
        self.last: Units = last_units(self._chains, self.entries)
        """The last unit of each item or chunk: its success is the item's."""
        self.countdowns = countdowns(self._chains, self.entries)
        """Seconds that first tasks are held after the start, and the items that have such."""
        self.using_before = using_before(self.stages, self.hooks, self.entries)
        """Units of stages and hooks that have the result of spec.before in their arguments."""
        self._running: dict[str, Units] = {}
        self._cuts: dict[Chunks, Work] = {}

    def cut(self, chunks: Chunks) -> "Work":
        """The same, in other chunks."""
        if chunks == self.chunks:
            return self
        if chunks not in self._cuts:
            work = copy(self)
            work._cut(chunks)  # noqa: SLF001 - its own class
            self._cuts = {chunks: work}
        return self._cuts[chunks]

    def call(self, unit: int) -> Call:
        """What to run for a unit; InvalidSpecError when a placeholder finds nothing."""
        return self._task(unit).fill(self._scope(unit))

    def leaf(self, unit: int) -> Leaf:
        """The task of a unit, not filled."""
        return self._task(unit).leaf

    def takes_result(self, unit: int) -> bool:
        """Whether the result of the step before goes in front of its arguments."""
        return self._task(unit).takes_result

    def place(self, unit: int) -> tuple[int, int]:
        """Which step of how many of its chain a unit is, counted from 0."""
        stage = stage_of(unit)
        if stage is not None:
            return stage[1], len(self.stages[stage[0]])
        if hook_of(unit) is not None:
            return 0, 1
        return step_of(unit), len(self._chain(index_of(unit)))

    def stage(self, stage: Stage) -> Units:
        """The units of a stage, none when the group has no such stage."""
        return Units(stage_unit(stage, step) for step in range(len(self.stages.get(stage, ()))))

    def running(self, task: str) -> Units:
        """The units that run this task."""
        if task not in self._running:
            others = running_in_stages(self.stages, task) | running_in_hooks(self.hooks, task, self.entries)
            self._running[task] = running(self._chains, task, self.entries) | others
        return self._running[task]

    def steps_of(self, index: int) -> int:
        """How many units an item has."""
        return len(self._chain(index))

    def first(self, count: int) -> "Work":
        """The same without the items from `count` on, which were appended too late."""
        items = full(count)
        kept = units_of(items, self.steps) | STAGE_UNITS | all_hooks(items)
        work = copy(self)
        work.total, work.last, work.units = count, self.last & kept, self.units & kept
        work.entries = self.entries & items
        work.lanes = tuple(Lane(lane.priority, lane.indexes & items, lane.later & kept) for lane in self.lanes)
        return work

    def last_in_order(self) -> Iterator[int]:
        """The last unit of each item or chunk, by index."""
        return (unit_of(index, len(self._chain(index)) - 1) for index in self.entries)

    def digest(self, count: int) -> str:
        """SHA-256 over the template and the first `count` items: equal as long as items were only appended."""
        return self._fingerprint.digest(1 + (count if self._items is None else count // len(self._chains)))

    def _chain(self, index: int) -> Chain:
        return self._chains[index % len(self._chains)]

    def _task(self, unit: int) -> CompiledTask:
        if unit >= STEP_SIZE and unit not in ITEM_UNITS:
            stage, hook = stage_of(unit), hook_of(unit)
            if hook is not None:
                return self.hooks[hook]
            if stage is not None:
                return self.stages[stage[0]][stage[1]]
        return self._chain(index_of(unit))[step_of(unit)]

    def _scope(self, unit: int) -> Scope:
        stage = stage_of(unit) if unit >= STEP_SIZE else None
        if stage is not None:
            return self._stage_scope(stage[0])
        index = index_of(unit)
        if self._items is None:
            return Scope(index, self._group_name, before=self._before)
        if self.chunking.takes_items:
            return self._list_scope(self._items, *self.chunks.span(index, self.total))
        value = self._items.value(index // len(self._chains))
        return Scope(index, self._group_name, value, before=self._before)

    def _stage_scope(self, stage: Stage) -> Scope:
        # When the group has failed there may be no result.
        before = NO_BEFORE if stage in (Stage.BEFORE, Stage.ON_FAILURE) else self._before
        return Scope(None, self._group_name, before=before, stage=stage)

    def _list_scope(self, items: Items, first: int, end: int) -> Scope:
        values = [items.value(index) for index in range(first, end)]
        return Scope(first, self._group_name, items=values, before=self._before)

    def _piece(self, position: int) -> bytes:
        """What tells this work from another, in parts: the template, then the items."""
        if self._items is None:
            return signature_bytes(self._signatures[position - 1]) if position else b"tasks"
        return self._items.piece(position - 1) if position else signature_bytes(self._signatures[0])

    def check(self, max_message_bytes: int) -> Steps:
        """InvalidSpecError, which names the index, when an item cannot be filled or is too long as a message."""
        self.most_message_bytes = max_message_bytes
        count, total, taken = 0, 0, encoded_bytes(self._before) * 4 // 3
        for scope in self._samples():
            own = (*self._chain(scope.index or 0), *self.hooks.values())
            size = max(task.message_bytes(scope) + taken * task.takes_before for task in own)
            _check_length(f"item {scope.index}", size, max_message_bytes)
            count, total = count + 1, total + size
            yield
        for stage, tasks in self.stages.items():
            size = max(task.message_bytes(self._stage_scope(stage)) for task in tasks)
            _check_length(f"spec.{stage}", size, max_message_bytes)
        if isinstance(self._items, MatrixItems):
            for task in chain.from_iterable([*self._chains, self.hooks.values()]):
                yield from self._check_combined(self._items, task, max_message_bytes - taken * task.takes_before)
        if count:
            self.message_bytes = total // count
        yield from self._fingerprint.steps()

    def _samples(self) -> Iterator[Scope]:
        """Messages that stand for all others."""
        if self._items is None or not self.chunking.takes_items:
            return map(self._scope, self._sample_indexes())
        spans = sample_spans(self._items, self.entries, self.chunks)
        return (self._list_scope(self._items, *span) for span in spans)

    def _sample_indexes(self) -> Iterable[int]:
        if self._items is None:
            return range(self.total)
        each = len(self._chains)
        return (index * each + member for index in self._items.samples() for member in range(each))

    def _check_combined(self, items: MatrixItems, task: CompiledTask, max_message_bytes: int) -> Steps:
        """The longest values may be together in none of the samples."""
        last, name, before = self.total - 1, self._group_name, self._before
        if self.chunking.takes_items:
            longest = yield from items.largest(
                lambda item: task.size.bytes_for(Scope(last, name, items=[item], before=before))
            )
            longest = task.size.bytes_of_list(longest, self.chunks.size)
        else:
            longest = yield from items.largest(lambda item: task.size.bytes_for(Scope(last, name, item, before=before)))
        _check_length("the longest values of spec.matrix", task.message_of(longest), max_message_bytes)


def _check_length(what: str, size: int, most: int) -> None:
    if size > most:
        raise InvalidSpecError(
            f"The message of {what} would have {size:,} bytes, and {most:,} are allowed: pass large data by reference,"
            " such as a URL, and use fewer placeholders."
        )
