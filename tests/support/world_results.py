"""What the tasks in the world return: nothing, or one result for each item of a chunk."""

from taskgroup.core.items.work import Work
from taskgroup.core.stages import STAGE_UNITS
from taskgroup.core.task_id import TaskId
from taskgroup.core.units import index_of


def returned(work: Work, name: str, short_chunks: frozenset[int]) -> list[int] | None:
    """The indexes of a chunk's items, one too few where its first item is in `short_chunks`."""
    item = TaskId.parse(name)
    if item is None or not work.chunking.takes_items or item.unit in STAGE_UNITS:
        return None
    first, end = work.chunks.span(index_of(item.unit), work.total)
    return list(range(first, end - (first in short_chunks)))
