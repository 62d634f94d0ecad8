"""What the tasks in the world return: nothing, or one result for each item of a chunk."""

from typing import Any

from taskgroup.core.items.work import Work
from taskgroup.core.stages import Stage, stage_units
from taskgroup.core.task_id import TaskId
from taskgroup.core.units import ITEM_UNITS, index_of

FOUND: list[Any] = [{"name": "a"}, None, 2, "three", [4]]
"""What a task before the items returns."""
_BEFORE = stage_units(Stage.BEFORE)


def returned(work: Work, name: str, short_chunks: frozenset[int], found: list[Any]) -> list[Any] | None:
    """The indexes of a chunk's items, a result too few where the first is in `short_chunks`; `found` before items."""
    item = TaskId.parse(name)
    if item is not None and item.unit in _BEFORE:
        return found
    if item is None or not work.chunking.takes_items or item.unit not in ITEM_UNITS:
        return None
    first, end = work.chunks.span(index_of(item.unit), work.total)
    return list(range(first, end - (first in short_chunks)))
