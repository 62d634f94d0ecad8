"""The result of spec.before: read once it is there, and made a part of the group's work.

It is read again by every operator, as nothing but the backend keeps it.
"""

import json
from typing import Any

from taskgroup.api.names import Reason
from taskgroup.api.status import MAX_RESULT, ItemsStatus
from taskgroup.core.completions import Failure
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.meta import Meta
from taskgroup.core.task_id import newest_id
from taskgroup.core.units import Units
from taskgroup.groups.compiling import Compiler
from taskgroup.groups.memory import BeforeResult, Compiled
from taskgroup.results.failures import expired
from taskgroup.results.port import Results
from taskgroup.transport.errors import BrokerError

Items = ItemsStatus | None
MAX_LIST_BYTES = 8 * 1024 * 1024
"""Of a result whose entries are the items; any other one has to fit into a message."""
_MOST_SHOWN_BYTES = 16_384
"""Of a stored result that may be short enough to be shown."""
GONE = expired("Its result", ", and items need it")


class BeforeReader:
    """Reads it for any group, and makes the work that follows from it."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler

    async def read(
        self, results: Results, name: str, known: BeforeResult | None, compiled: Compiled, meta: Meta, items: Items
    ) -> BeforeResult:
        """What the task `name` has returned; BrokerError when it cannot be read now.

        `known` is what was read before: another generation of the spec is compiled with the same value. `items` are
        those that the status knows.
        """
        if known is None or known.task_id != name:
            found = await _read(results, name, _most_bytes(compiled.work))
        elif known.generation == compiled.generation:
            return known
        else:
            found = known.found
        if isinstance(found, Failure):
            return BeforeResult(compiled.generation, name, found, flaw=found)
        complete = await self._compiler.complete(compiled, meta, found[0])
        flaw = _flaw(complete, items)
        return BeforeResult(
            compiled.generation, name, found, None if flaw else complete.work, flaw=flaw, shown=_shown(found[0])
        )


def _flaw(complete: Compiled, items: Items) -> Failure | None:
    if complete.work is None:
        why = complete.invalid.message if complete.invalid else "It cannot be used."
        return Failure(Reason.RESULT_UNUSABLE, why)
    return _changed(complete.work, items) if complete.work.found_items else None


async def _read(results: Results, name: str, most: int) -> Failure | tuple[Any]:
    (size,) = await results.sizes([name])
    if size > most:
        text = (
            f"Its result has {size:,} bytes, and {most:,} are allowed: return large data by reference, such as a URL."
        )
        return Failure(Reason.RESULT_TOO_LARGE, text)
    (stored,) = await results.values([name], most)
    if stored is None or stored.status != "SUCCESS":
        return GONE
    return (stored.value,)


def _most_bytes(work: Work | None) -> int:
    if work is None or work.awaits_items:
        return MAX_LIST_BYTES
    return work.most_message_bytes


def _changed(work: Work, known: Items) -> Failure | None:
    """Where items are known already: they must be the same, as some of them may have run."""
    if known is None or not known.count:
        return None
    if work.total == known.count and work.digest(known.count) == known.sha256:
        return None
    text = (
        f"It ran again, because Redis lost data, and its result has other items than the {known.count} of the first"
        " time: return the same list each time, or create a new TaskGroup."
    )
    return Failure(Reason.ITEMS_CHANGED, text)


def has_succeeded(units: Units, ledger: Ledger) -> bool:
    """Whether all of a stage's units did, of which there is at least one."""
    return bool(units) and units.max() in ledger.passed


async def result_of(results: Results, uid: str, units: Units, ledger: Ledger) -> str | None:
    """What the status shows of a stage's result: nothing that is long, or cannot be read now."""
    if not has_succeeded(units, ledger):
        return None
    try:
        found = await _read(results, newest_id(uid, units.max(), ledger.attempts), _MOST_SHOWN_BYTES)
    except BrokerError:
        return None
    return None if isinstance(found, Failure) else _shown(found[0])


def _shown(value: Any) -> str | None:
    """The value as JSON, when it is short enough for the status."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_RESULT else None
