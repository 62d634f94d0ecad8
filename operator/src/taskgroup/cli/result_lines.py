"""The results of a group as lines: where the value of each item stands, also when one message had several items."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskgroup.cli.line import line_of
from taskgroup.core.indexes import Indexes, format_indexes, full
from taskgroup.core.items.chunks import Chunks
from taskgroup.core.ledger import Ledger
from taskgroup.core.task_id import newest_id
from taskgroup.core.units import index_of
from taskgroup.results.decode import StoredResult
from taskgroup.results.port import Results

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Which unit has the value of which items."""

    total: int
    last_unit: Callable[[int], int]
    """Of the message that begins with this item."""
    chunks: Chunks
    flattens: bool
    """A value is a list with one result for each item of its chunk."""


async def lines(
    shape: Shape, results: Results, uid: str, ledger: Ledger, attempts: Mapping[int, int]
) -> AsyncIterator[dict[str, Any]]:
    """One line for each item, or for each chunk whose result is one."""
    entries: Indexes = shape.chunks.entries(shape.total)
    for start in range(0, len(entries), _AT_ONCE):
        units = [shape.last_unit(index) for index in entries[start : start + _AT_ONCE]]
        ids = [newest_id(uid, unit, attempts) for unit in units]
        for unit, stored in zip(units, await results.values(ids), strict=True):
            for line in _of_message(shape, unit, stored, ledger):
                yield line


def _of_message(shape: Shape, unit: int, stored: StoredResult | None, ledger: Ledger) -> Sequence[dict[str, Any]]:
    first, end = shape.chunks.span(index_of(unit), shape.total)
    is_chain = unit != first
    if shape.flattens:
        parts = [_part(stored, position, end - first) for position in range(end - first)]
        return [line_of(first + at, part, ledger, is_chain=is_chain) for at, part in enumerate(parts)]
    line = line_of(first, stored, ledger, is_chain=is_chain)
    if end - first > 1:
        line = {"index": first, "indexes": format_indexes(full(end) - full(first), 64)[0], **line}
    return [line]


def _part(stored: StoredResult | None, position: int, size: int) -> StoredResult | None:
    """The result of one item of a chunk; of a value that is no such list the whole."""
    if stored is None or stored.status != "SUCCESS" or not isinstance(stored.value, list) or len(stored.value) != size:
        return stored
    return StoredResult(stored.status, stored.value[position])
