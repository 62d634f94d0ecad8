"""Looks at values that Celery calls a success: some are a failure all the same, and only the value tells.

A task that took a list of items has to return one result for each, and spec.successWhen has to be true. A value is read
once, when the end is found, a few megabytes at a time.
"""

from collections.abc import Mapping
from typing import Any

from pyroaring import BitMap, FrozenBitMap

from taskgroup.api.names import Reason
from taskgroup.core.completions import Failure
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.task_id import newest_id
from taskgroup.core.units import Units, index_of
from taskgroup.groups.step_results import within
from taskgroup.groups.success_when import failures_of
from taskgroup.results.decode import StoredResult
from taskgroup.results.failures import UNREADABLE, expired
from taskgroup.results.port import Results
from taskgroup.transport.errors import BrokerError

MOST_BYTES = 16 * 1024 * 1024
"""Longest result that is read for this."""
_PART = 1_000
GONE = expired("Its result", ", so that spec.successWhen cannot be evaluated")


class ChunkResults:
    """Reads for one group."""

    def __init__(self, results: Results, uid: str, work: Work, ledger: Ledger, success_when: str | None = None) -> None:
        self._results = results
        self._uid = uid
        self._work = work
        self._ledger = ledger
        self._success_when = success_when

    async def judge(self, successes: Units) -> tuple[Units, dict[int, Failure]]:
        """Those that are none, and why, apart from the others; what cannot be read at the moment is in neither."""
        good, bad = BitMap(), dict[int, Failure]()
        for start in range(0, len(successes), _PART):
            try:
                await self._judge(list(successes[start : start + _PART]), good, bad)
            except BrokerError:
                break
        return FrozenBitMap(good), bad

    async def _judge(self, units: list[int], good: BitMap, bad: dict[int, Failure]) -> None:
        sizes = await self._results.sizes([self._id(unit) for unit in units])
        pairs = list(zip(units, sizes, strict=True))
        gone = [unit for unit, size in pairs if not size]
        if self._success_when is None:
            # A list that is gone can no more be judged.
            good.update(gone)
        else:
            bad |= dict.fromkeys(gone, GONE)
        bad |= {unit: _too_long(size) for unit, size in pairs if size > MOST_BYTES}
        for part in within([pair for pair in pairs if 0 < pair[1] <= MOST_BYTES]):
            values = await self._results.values([self._id(unit) for unit in part], MOST_BYTES)
            read = dict(zip(part, values, strict=True))
            flaws = {unit: flaw for unit, stored in read.items() if (flaw := self._flaw(unit, stored))}
            flaws |= await self._untrue({unit: stored for unit, stored in read.items() if unit not in flaws})
            bad |= flaws
            good.update(unit for unit in part if unit not in flaws)

    async def _untrue(self, read: Mapping[int, StoredResult | None]) -> dict[int, Failure]:
        """Those for which spec.successWhen is not true."""
        if self._success_when is None or not read:
            return {}
        items = [(index_of(unit), stored.value if stored else None) for unit, stored in read.items()]
        failures = await failures_of(self._success_when, items)
        return {unit: failure for unit, failure in zip(read, failures, strict=True) if failure is not None}

    def _flaw(self, unit: int, stored: StoredResult | None) -> Failure | None:
        if stored is None or stored.status != "SUCCESS":
            return UNREADABLE
        if not self._work.chunking.flattens:
            return None
        first, end = self._work.chunks.span(index_of(unit), self._work.total)
        if isinstance(stored.value, list) and len(stored.value) == end - first:
            return None
        return Failure(
            Reason.NOT_ONE_RESULT_EACH,
            f"The task got {end - first} items and returned {_described(stored.value)}: return a list with one result"
            " for each item, in their order, or set spec.chunkResult to Whole.",
        )

    def _id(self, unit: int) -> str:
        return newest_id(self._uid, unit, self._ledger.attempts)


def _described(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    names = {dict: "an object", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def _too_long(size: int) -> Failure:
    return Failure(
        Reason.RESULT_TOO_LARGE,
        f"The result has {size:,} bytes, and {MOST_BYTES:,} are read to judge it: return large data by reference, such"
        " as a URL, or make chunks smaller.",
    )
