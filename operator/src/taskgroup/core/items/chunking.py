"""Tasks that take lists: what the spec says of them, and how their messages are measured before the group starts."""

from collections.abc import Iterable
from dataclasses import dataclass

from taskgroup.api.spec import ChunkResult, TaskGroupSpec
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.errors import InvalidSpecError
from taskgroup.core.indexes import Indexes
from taskgroup.core.items.chunks import Chunks, chunks_of
from taskgroup.core.items.placeholders import ITEMS
from taskgroup.core.items.sources import Items


@dataclass(frozen=True, slots=True)
class Chunking:
    """How a task takes its items."""

    size: int = 1
    takes_items: bool = False
    """The task gets a list, even of a single item."""
    flattens: bool = False
    """It returns a list with one result for each item."""


ALONE = Chunking()


def chunking_of(spec: TaskGroupSpec, *, takes_items: bool) -> Chunking:
    """InvalidSpecError when there are chunks and no task takes a list, or tasks that take turns with the items."""
    if spec.template is not None and spec.template.group and (takes_items or spec.chunk_size > 1):
        raise InvalidSpecError(
            f"Each task of spec.template.group gets one item at a time: write $(item) for $({ITEMS}), and leave"
            " spec.chunkSize out."
        )
    if spec.chunk_size > 1 and not takes_items:
        raise InvalidSpecError(
            f"spec.chunkSize is {spec.chunk_size}, and no task of the template takes a list: write $({ITEMS}) into its"
            " args or kwargs."
        )
    if spec.tasks is not None or not takes_items:
        return ALONE
    return Chunking(spec.chunk_size, True, spec.chunk_result is ChunkResult.FLATTEN)


def chunks_now(chunking: Chunking, status: TaskGroupStatus, total: int) -> Chunks:
    """How the items are cut: as they were when the group started, with those behind that were appended since."""
    if status.start_time is None or status.items is None:
        return Chunks(chunking.size)
    known = chunks_of(status.items)
    return known.grown(status.items.count, total) if known.size == chunking.size else Chunks(chunking.size)


def sample_spans(items: Items, entries: Indexes, chunks: Chunks) -> Iterable[tuple[int, int]]:
    """Runs of items that stand for the longest messages, and for every item that may be nested too deeply."""
    total, samples = len(items), items.samples()
    if len(samples) == total:
        return (chunks.span(index, total) for index in entries)
    ends = [(0, min(chunks.size, total)), (max(0, total - chunks.size), total)]
    return [*((index, index + 1) for index in samples), *ends]
