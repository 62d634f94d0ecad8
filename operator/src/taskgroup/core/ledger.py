"""The operator's books: what is known of every index. Values only; saved by `encode` and found again by `decode`.

Each index is in exactly one place: pending, in flight, succeeded, failed or cancelled. Pending and in flight are not
stored: they follow from the cursors (how much of each lane was ever dispatched) and from `returned` (what came back).
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import orjson
from pyroaring import BitMap, FrozenBitMap

from taskgroup.core.indexes import NONE, Indexes, full
from taskgroup.core.items.work import Lane

FORMAT = 1
MAX_BYTES = 64 * 1024 * 1024
"""What a snapshot may unpack to: ten times one of 1,000,000 items, half of them with attempts of their own."""
Attempts = Mapping[int, int]
_NO_ATTEMPTS: Attempts = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed items with the same exception and message."""

    reason: str
    message: str
    indexes: Indexes
    last_time: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A snapshot of the books."""

    total: int = 0
    nonce: str = ""
    """Names this group's state in Redis; another or none there means that Redis lost data."""
    cursors: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    """Priority to the number of its lane's items that were dispatched at least once."""
    returned: Indexes = NONE
    """Dispatched once, then taken back: to be dispatched again."""
    succeeded: Indexes = NONE
    failed: Indexes = NONE
    cancelled: Indexes = NONE
    attempts: Attempts = field(default_factory=lambda: _NO_ATTEMPTS)
    """Index to the suffix of its newest task id; absent means 0."""
    missed: Attempts = field(default_factory=lambda: _NO_ATTEMPTS)
    """Index to how often it was found nowhere and dispatched again."""
    failures: tuple[FailureGroup, ...] = ()
    ran_seconds: float = 0.0
    """Running time up to the last suspension."""
    running_since: float | None = None

    @property
    def ended(self) -> Indexes:
        """Items that will not run again."""
        return self.succeeded | self.failed | self.cancelled

    @property
    def unfinished(self) -> int:
        """How many items have not ended."""
        return self.total - len(self.ended)

    def dispatched(self, lanes: Iterable[Lane]) -> Indexes:
        """Items whose message was put on the queue at least once."""
        found = BitMap()
        for lane in lanes:
            found |= lane.indexes[: self.cursors.get(lane.priority, 0)]
        return FrozenBitMap(found)

    def in_flight(self, lanes: Iterable[Lane]) -> Indexes:
        """Items that are on the queue or with a worker."""
        return self.dispatched(lanes) - self.returned - self.ended

    def is_dispatched(self) -> bool:
        """Whether anything was ever put on the queue."""
        return any(self.cursors.values())

    def running_seconds(self, now: float) -> float:
        """Running time so far, suspension not counted."""
        return self.ran_seconds + (now - self.running_since if self.running_since is not None else 0.0)

    def paused(self, now: float) -> "Ledger":
        """The clock of the running time stands."""
        return replace(self, ran_seconds=self.running_seconds(now), running_since=None)

    def advanced(self, priority: int, cursor: int) -> "Ledger":
        """After a dispatch."""
        return replace(self, cursors=MappingProxyType({**self.cursors, priority: cursor}))

    def withdrawn(self, indexes: Indexes) -> "Ledger":
        """Items whose message was taken from the queue without an end."""
        return replace(self, returned=(self.returned | indexes) - self.ended)

    def marked_missing(self, indexes: Indexes) -> "Ledger":
        """Items that are nowhere wait for another dispatch, and each such time is counted."""
        counted = {index: self.missed.get(index, 0) + 1 for index in indexes}
        return replace(self.withdrawn(indexes), missed=MappingProxyType({**self.missed, **counted}))

    def redispatched(self, indexes: Indexes) -> "Ledger":
        """Taken back items that were dispatched again."""
        return replace(self, returned=self.returned - indexes)

    def renewed(self, attempts: Attempts) -> "Ledger":
        """Items that wait for a dispatch under a new task id."""
        merged = MappingProxyType({**self.attempts, **attempts})
        return replace(self.withdrawn(FrozenBitMap(list(attempts))), attempts=merged)

    def succeeded_with(self, indexes: Indexes) -> "Ledger":
        """SUCCESS is final: it also corrects an earlier failure."""
        fresh = indexes & full(self.total)
        return replace(
            self,
            succeeded=self.succeeded | fresh,
            failed=self.failed - fresh,
            cancelled=self.cancelled - fresh,
            returned=self.returned - fresh,
            failures=tuple(kept for group in self.failures if (kept := _without(group, fresh)).indexes),
        )

    def failed_with(self, reason: str, message: str, indexes: Indexes, now: float) -> "Ledger":
        """Failures of one kind; items that ended before are left alone."""
        fresh = (indexes & full(self.total)) - self.ended
        if not fresh:
            return self
        return replace(
            self,
            failed=self.failed | fresh,
            returned=self.returned - fresh,
            failures=_added(self.failures, FailureGroup(reason, message, fresh, now)),
        )

    def failure_of(self, index: int) -> FailureGroup | None:
        """Why an item failed."""
        return next((group for group in self.failures if index in group.indexes), None)

    def cancelled_rest(self) -> "Ledger":
        """The group ends now: whatever has not ended is cancelled."""
        rest = full(self.total) - self.ended
        return replace(self, cancelled=self.cancelled | rest, returned=NONE)


MAX_FAILURE_GROUPS = 100
"""Distinct failures kept apart; later ones are put together under the reason alone."""


def _without(group: FailureGroup, indexes: Indexes) -> FailureGroup:
    return replace(group, indexes=group.indexes - indexes) if group.indexes.intersect(indexes) else group


def _added(groups: tuple[FailureGroup, ...], new: FailureGroup) -> tuple[FailureGroup, ...]:
    for position, group in enumerate(groups):
        if (group.reason, group.message) == (new.reason, new.message):
            merged = replace(group, indexes=group.indexes | new.indexes, last_time=new.last_time)
            return (*groups[:position], merged, *groups[position + 1 :])
    if len(groups) < MAX_FAILURE_GROUPS:
        return (*groups, new)
    other = "(further messages, put together because there are too many different ones)"
    return (*groups, new) if new.message == other else _added(groups, replace(new, message=other))


_BITMAPS = ("returned", "succeeded", "failed", "cancelled")
_NUMBERS = ("total", "nonce", "ran_seconds", "running_since")
_MAPPINGS = ("cursors", "attempts", "missed")


def encode(ledger: Ledger) -> bytes:
    """A compressed snapshot: roaring bitmaps and a JSON head; 1,000,000 ended items take a few hundred bytes."""
    blobs = [getattr(ledger, name).serialize() for name in _BITMAPS]
    blobs += [group.indexes.serialize() for group in ledger.failures]
    head: dict[str, Any] = {"format": FORMAT, "sizes": [len(blob) for blob in blobs]}
    head |= {name: getattr(ledger, name) for name in _NUMBERS}
    head |= {name: {str(key): value for key, value in getattr(ledger, name).items()} for name in _MAPPINGS}
    head["failures"] = [[group.reason, group.message, group.last_time] for group in ledger.failures]
    text = orjson.dumps(head)
    return zlib.compress(len(text).to_bytes(4, "big") + text + b"".join(blobs))


def decode(data: bytes) -> Ledger:
    """The inverse of `encode`; ValueError when the bytes are not a ledger of a known format."""
    raw = _decompress(data)
    length = int.from_bytes(raw[:4], "big")
    head = orjson.loads(raw[4 : 4 + length])
    try:
        return _filled(head, raw[4 + length :])
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"the ledger is damaged: {error}") from error


def _filled(head: Any, blobs: bytes) -> Ledger:
    if head.get("format") != FORMAT:
        raise ValueError(f"ledger format {head.get('format')} is not known to this version: run a newer operator")
    bitmaps = _bitmaps(blobs, head["sizes"])
    fields: dict[str, Any] = {name: head[name] for name in _NUMBERS}
    fields |= {name: MappingProxyType({int(k): v for k, v in head[name].items()}) for name in _MAPPINGS}
    fields |= dict(zip(_BITMAPS, bitmaps, strict=False))
    groups = zip(head["failures"], bitmaps[len(_BITMAPS) :], strict=True)
    failures = tuple(FailureGroup(reason, message, bits, time) for (reason, message, time), bits in groups)
    return Ledger(failures=failures, **fields)


def _decompress(data: bytes) -> bytes:
    opener = zlib.decompressobj()
    try:
        raw = opener.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"the ledger is damaged: {error}") from error
    if not opener.eof:
        raise ValueError(f"the ledger is damaged: it does not end within {MAX_BYTES} bytes")
    return raw


def _bitmaps(data: bytes, sizes: list[int]) -> list[Indexes]:
    found: list[Indexes] = []
    for size in sizes:
        found.append(FrozenBitMap.deserialize(data[:size]))
        data = data[size:]
    return found
