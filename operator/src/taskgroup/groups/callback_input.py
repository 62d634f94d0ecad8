"""The first argument of a callback: the results of all items, a summary, or a reference where they are too long."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from taskgroup.api.signature import CallbackInput
from taskgroup.core.indexes import Indexes, format_indexes, full
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.task_id import newest_id, task_id
from taskgroup.core.units import index_of, step_of
from taskgroup.results.port import Results

_PART = 1_000
"""Results that are asked for at once."""
_MOST_EXCEPTIONS = 5_000
"""Ids in a reference that differ from the others."""
_LONGEST_ABSENT = 100_000
"""Most characters that tell which items have no result."""

_MOST_CHUNKS = 50_000
"""First indexes of chunks in a reference."""


class ResultsGoneError(Exception):
    """The result of an item is not in the backend any more: a list without it would be wrong."""


class TooManyResultsError(Exception):
    """Not even a reference to the results fits into a message."""


async def callback_input(results: Results, uid: str, work: Work, ledger: Ledger) -> list[Any]:
    """What goes in front of the callback's arguments: one value, or none.

    Raises ResultsGoneError, TooManyResultsError, and BrokerError when the backend cannot be used.
    """
    if work.callback_input is CallbackInput.NONE:
        return []
    if work.callback_input is CallbackInput.SUMMARY:
        return [summary(ledger)]
    ids = [newest_id(uid, unit, ledger.attempts) for unit in _last_of(ledger.succeeded, work)]
    values = await _values(results, ids, work.most_message_bytes * 3 // 4)
    return [_reference(uid, work, ledger) if values is None else _in_place(values, ids, work, ledger)]


def _last_of(items: Indexes, work: Work) -> Iterator[int]:
    return (unit for unit in work.last_in_order() if index_of(unit) in items)


def _in_place(values: list[Any], ids: list[str], work: Work, ledger: Ledger) -> list[Any]:
    """With null where an item has no result, so that a result stands at its item's index, or its chunk's place."""
    if work.chunking.flattens:
        pairs = zip(ids, _spans(work, ledger), values, strict=True)
        values = [one for name, span, value in pairs for one in _list_of(name, span, value)]
        every, there = full(ledger.total), ledger.succeeded
    else:
        every, there = work.entries, work.entries & ledger.succeeded
    if len(values) == len(every):
        return values
    by_index = dict(zip(there, values, strict=True))
    return [by_index.get(index) for index in every]


def _spans(work: Work, ledger: Ledger) -> Iterator[tuple[int, int]]:
    return (work.chunks.span(index, ledger.total) for index in work.entries & ledger.succeeded)


def _list_of(name: str, span: tuple[int, int], value: Any) -> list[Any]:
    """The results of a chunk. It was such a list when it was counted, but whoever writes there may change it."""
    if not isinstance(value, list) or len(value) != span[1] - span[0]:
        raise ResultsGoneError(name)
    return value


def summary(ledger: Ledger) -> dict[str, Any]:
    """How the items have ended, in counts."""
    reasons = Counter[str]()
    for group in ledger.failures:
        reasons[str(group.failure.reason)] += len(group.indexes)
    counts = {"succeeded": len(ledger.succeeded), "failed": len(ledger.failed), "cancelled": len(ledger.cancelled)}
    return {"total": ledger.total, **counts, "failures": dict(reasons)}


async def _values(results: Results, ids: list[str], most_bytes: int) -> list[Any] | None:
    """All values in order; None when they are too long together."""
    total = 0
    for start in range(0, len(ids), _PART):
        sizes = await results.sizes(ids[start : start + _PART])
        if not all(sizes):
            raise ResultsGoneError(ids[start + sizes.index(0)])
        total += sum(sizes)
        if total > 2 * most_bytes:
            return None
    values = list[Any]()
    for start in range(0, len(ids), _PART):
        part = ids[start : start + _PART]
        for name, stored in zip(part, await results.values(part, most_bytes), strict=True):
            if stored is None or stored.status != "SUCCESS":
                raise ResultsGoneError(name)
            values.append(stored.value)
    return values if _length(values) <= most_bytes else None


def _length(values: list[Any]) -> int:
    try:
        return len(orjson.dumps(values))
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits, which a message may hold.
        return len(repr(values))


def _reference(uid: str, work: Work, ledger: Ledger) -> dict[str, Any]:
    """How the ids of the results are made: `<uid>.<index><suffix>`, but for the exceptions; chunks tell `indexes`."""
    suffix = f".{work.steps - 1}" if work.steps > 1 else ""
    exceptions = dict[str, str]()
    for unit in _last_of(ledger.succeeded, work):
        attempt = ledger.attempts.get(unit, 0)
        if attempt or step_of(unit) != work.steps - 1:
            exceptions[str(index_of(unit))] = task_id(uid, unit, attempt)
        if len(exceptions) > _MOST_EXCEPTIONS:
            raise TooManyResultsError
    reference = {"uid": uid, "total": work.total, "suffix": suffix, "exceptions": exceptions}
    if work.chunks.size > 1:
        reference["indexes"] = _entries(work)
    absent, is_whole = format_indexes(full(ledger.total) - ledger.succeeded, _LONGEST_ABSENT)
    if not is_whole:
        raise TooManyResultsError
    return {"resultsRef": {**reference, "absent": absent} if absent else reference}


def _entries(work: Work) -> list[int]:
    if len(work.entries) > _MOST_CHUNKS:
        raise TooManyResultsError
    return list(work.entries)
