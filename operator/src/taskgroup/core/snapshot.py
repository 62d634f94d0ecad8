"""The ledger as bytes: what is saved between two lives of the operator, and read back without trusting it."""

import zlib
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import orjson
from pyroaring import FrozenBitMap

from taskgroup.api.spec import MAX_COUNT
from taskgroup.core.completions import Failure
from taskgroup.core.failure_groups import FailureGroup
from taskgroup.core.hooks import HOOK_UNITS
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.ledger import Ledger
from taskgroup.core.retries import NO_RETRIES, Retries
from taskgroup.core.stages import STAGE_UNITS
from taskgroup.core.tokens import Tokens
from taskgroup.core.units import ITEM_UNITS, MAX_STEPS, index_of, steps_in

FORMAT = 1
MAX_BYTES = 32 * 1024 * 1024
"""What a snapshot may unpack to: several times the largest that fits into its object."""
_MARKS = b",", b":", b"[", b"{"
_MAX_MARKS = 1_500_000
"""What separates the values in the head: 500,000 attempts of their own, and nothing larger fits into the object."""
_MAX_BITMAPS = 1_000
_MAX_NUMBER = 2**32
_MAX_TEXT = 8_192
_MAX_SECONDS = 1e12
_BITMAPS = ("returned", "succeeded", "failed", "cancelled")
_LISTS = ("unknown_tasks",)
"""Missing in a snapshot of an older version: the tasks are tried again then."""
_MAPPINGS = ("cursors", "attempts", "missed")
_LATER_MAPPINGS = (
    "interruptions",
    "turns",
)
"""Absent from snapshots of older versions, which knew of none."""
_RETRIES = ("due", "counted", "ignored")
_ALL_UNITS = ITEM_UNITS | STAGE_UNITS | HOOK_UNITS


def encode(ledger: Ledger) -> bytes:
    """A compressed snapshot: roaring bitmaps and a JSON head; 1,000,000 ended items take a few hundred bytes."""
    blobs = [getattr(ledger, name).serialize() for name in _BITMAPS]
    blobs += [group.indexes.serialize() for group in ledger.failures]
    head: dict[str, Any] = {"format": FORMAT, "sizes": [len(blob) for blob in blobs]}
    head |= {name: getattr(ledger, name) for name in _PLAIN}
    mappings = (*_MAPPINGS, *_LATER_MAPPINGS)
    head |= {name: {str(key): value for key, value in getattr(ledger, name).items()} for name in mappings}
    head |= {name: list(getattr(ledger, name)) for name in _LISTS}
    head["failures"] = [_failure(group) for group in ledger.failures]
    if ledger.passed or ledger.steps > 1:
        # Absent where no item is a chain, so that the version before chains can read it, too.
        blobs.append(ledger.passed.serialize())
        head |= {"steps": ledger.steps, "passed_size": len(blobs[-1])}
    if ledger.failed_hooks:
        blobs.append(ledger.failed_hooks.serialize())
        head["failed_hooks_size"] = len(blobs[-1])
    if ledger.again_id:
        head["again_id"] = ledger.again_id
    if ledger.tokens.at:
        head["tokens"] = [ledger.tokens.at, ledger.tokens.waits]
    if ledger.retries != NO_RETRIES:
        head["retries"] = _retries_of(ledger.retries)
    if ledger.stage_failures:
        head["stage_failures"] = {str(unit): _texts_of(failure) for unit, failure in ledger.stage_failures.items()}
    text = orjson.dumps(head)
    return zlib.compress(len(text).to_bytes(4, "big") + text + b"".join(blobs))


def decode(data: bytes) -> Ledger:
    """The inverse of `encode`; ValueError when the bytes are not a ledger of a known format.

    Whatever the bytes are, this takes no more memory than the largest ledger that was ever saved.
    """
    raw = _decompress(data)
    length = int.from_bytes(raw[:4], "big")
    text = raw[4 : 4 + length]
    if sum(text.count(mark) for mark in _MARKS) > _MAX_MARKS:
        raise ValueError("the ledger is damaged: its head has too many parts")
    try:
        return _filled(orjson.loads(text), memoryview(raw)[4 + length :])
    except (AttributeError, LookupError, OverflowError, TypeError, orjson.JSONDecodeError) as error:
        raise ValueError(f"the ledger is damaged: {error}") from error


def _filled(head: Any, blobs: memoryview) -> Ledger:
    if (known := _number(head["format"])) != FORMAT:
        raise ValueError(f"ledger format {known} is not known to this version: run a newer operator")
    steps = _steps(head.get("steps", 1))
    sizes = [*head["sizes"], head.get("passed_size", 0), head.get("failed_hooks_size", 0)]
    *bitmaps, passed, failed_hooks = _bitmaps(blobs, sizes, steps)
    _require(failed_hooks <= HOOK_UNITS, "a failure of no hook")
    fields: dict[str, Any] = {name: _PLAIN[name](head[name]) for name in _PLAIN}
    fields |= {name: _texts(head.get(name, [])) for name in _LISTS}
    fields |= {name: _numbers(head[name]) for name in _MAPPINGS}
    fields |= {name: _numbers(head.get(name, {})) for name in _LATER_MAPPINGS}
    fields |= dict(zip(_BITMAPS, bitmaps, strict=False))
    groups = zip(head["failures"], bitmaps[len(_BITMAPS) :], strict=True)
    # A snapshot of an older version has no tracebacks.
    failures = tuple(
        FailureGroup(Failure(_text(reason), _text(message), *map(_text, traceback)), bits, _seconds(time))
        for (reason, message, time, *traceback), bits in groups
    )
    stage_failures = {
        _number(int(unit)): Failure(*map(_text, texts)) for unit, texts in head.get("stage_failures", {}).items()
    }
    _require(FrozenBitMap(list(stage_failures)) <= STAGE_UNITS, "a failure of no stage")
    fields["again_id"] = _text(head.get("again_id", ""))
    at, waits = head.get("tokens", (0.0, False))
    fields["tokens"] = Tokens(_seconds(at), waits is True)
    fields["retries"] = _retries(head.get("retries"))
    fields["stage_failures"] = MappingProxyType(stage_failures)
    ledger = Ledger(failures=failures, steps=steps, passed=passed, failed_hooks=failed_hooks, **fields)
    _require(not ledger.ended or ledger.ended.max() < ledger.total, "an item beyond its end")
    return ledger


def _retries_of(retries: Retries) -> dict[str, Any]:
    counts = {name: {str(unit): number for unit, number in getattr(retries, name).items()} for name in _RETRIES}
    return {**counts, "fatal": retries.fatal}


def _retries(head: Any) -> Retries:
    """Absent where nothing was retried, and from snapshots of older versions, which knew of none."""
    if head is None:
        return NO_RETRIES
    fatal = None if head["fatal"] is None else _number(head["fatal"])
    return Retries(**{name: _numbers(head[name]) for name in _RETRIES}, fatal=fatal)


def _texts_of(failure: Failure) -> list[str]:
    return [failure.reason, failure.message, failure.traceback]


def _failure(group: FailureGroup) -> list[str | float]:
    return [group.failure.reason, group.failure.message, group.last_time, group.failure.traceback]


def _decompress(data: bytes) -> bytes:
    opener = zlib.decompressobj()
    try:
        raw = opener.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"the ledger is damaged: {error}") from error
    if not opener.eof:
        raise ValueError(f"the ledger is damaged: it does not end within {MAX_BYTES} bytes")
    return raw


def _bitmaps(data: memoryview, sizes: list[int], steps: int) -> list[Indexes]:
    """A few bytes may stand for any number of neighbours, so the members are bounded, too."""
    _require(len(sizes) <= _MAX_BITMAPS, "too many sets")
    bitmaps: list[Indexes] = []
    for size in sizes:
        bitmap = FrozenBitMap.deserialize(bytes(data[: _number(size)])) if size else NONE
        _require(not bitmap or index_of(bitmap.max()) < MAX_COUNT, "an index that no group has")
        _require(steps_in(bitmap & ITEM_UNITS) <= steps, "a step that no item has")
        _require(bitmap <= _ALL_UNITS, "a unit that there cannot be")
        bitmaps.append(bitmap)
        data = data[size:]
    return bitmaps


def _numbers(value: dict[str, Any]) -> MappingProxyType[int, int]:
    return MappingProxyType({_number(int(key)): _number(number) for key, number in value.items()})


def _require(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(f"the ledger is damaged: it holds {what}")


def _number(value: Any) -> int:
    _require(type(value) is int and 0 <= value <= _MAX_NUMBER, "a wrong number")
    return int(value)


def _steps(value: Any) -> int:
    _require(1 <= _number(value) <= MAX_STEPS, "more steps than a chain can have")
    return int(value)


def _total(value: Any) -> int:
    _require(_number(value) <= MAX_COUNT, "more items than a group can have")
    return int(value)


def _text(value: Any) -> str:
    _require(isinstance(value, str) and len(value) <= _MAX_TEXT, "a wrong text")
    return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    _require(type(value) is list, "no list")
    return tuple(map(_text, value))


def _seconds(value: Any) -> float:
    _require(type(value) in (int, float) and 0 <= value < _MAX_SECONDS, "a wrong time")
    return float(value)


def _seconds_or_none(value: Any) -> float | None:
    return None if value is None else _seconds(value)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "total": _total,
    "nonce": _text,
    "ran_seconds": _seconds,
    "running_since": _seconds_or_none,
}
"""The fields that are written as they are, and how each is read."""
