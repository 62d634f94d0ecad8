"""The results that later steps of chains are sent with: read when the messages are made, a few at a time.

A result may be as large as Redis allows. What is read at once is bounded, and what is too long for a message is not
read at all.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyroaring import FrozenBitMap

from taskgroup.api.names import Reason
from taskgroup.api.status import TaskGroupStatus
from taskgroup.core.completions import Failure
from taskgroup.core.hooks import hook_of
from taskgroup.core.indexes import NONE
from taskgroup.core.items.work import Work
from taskgroup.core.ledger import Ledger
from taskgroup.core.stages import FIRST_UNITS, Stage, stage_unit
from taskgroup.core.task_id import newest_id
from taskgroup.core.units import STEP_SIZE, Units, steps_in
from taskgroup.groups.callback_input import ResultsGoneError, TooManyResultsError, callback_input
from taskgroup.groups.failure_input import failure_input
from taskgroup.groups.hook_input import after, failed_hooks, failure_arguments
from taskgroup.results.failures import UNREADABLE, expired
from taskgroup.results.port import Results

PART_UNITS = 1_000
_ON_FAILURE = stage_unit(Stage.ON_FAILURE)
_TOLD = FrozenBitMap([stage_unit(Stage.CALLBACK), _ON_FAILURE])
"""They get what became of the items."""
PART_BYTES = 2 * 1024 * 1024
"""Of stored results in memory at once; the objects that they become take several times that."""

EXPIRED = expired("The result of the step before")

NESTED = Failure(
    Reason.RESULT_TOO_LARGE,
    "The result for the next step is nested too deeply for a message: return such data as text, or by reference.",
)


NO_STATUS = TaskGroupStatus()


@dataclass(frozen=True, slots=True)
class Part:
    """Some units with the results that they are sent with."""

    units: Units
    results: Mapping[int, list[Any]] = field(default_factory=dict)
    """By unit, for those that take one: what goes in front of the arguments."""
    unsendable: Mapping[int, Failure] = field(default_factory=dict)
    """Others, which can never be sent."""


class StepResults:
    """Reads for one group."""

    def __init__(
        self, results: Results, uid: str, work: Work, ledger: Ledger, status: TaskGroupStatus = NO_STATUS
    ) -> None:
        self._status = status
        self._results = results
        self._uid = uid
        self._work = work
        self._ledger = ledger

    async def parts(self, units: Units) -> AsyncIterator[Part]:
        """All of the units, in parts that are small enough to be in memory."""
        for start in range(0, len(units), PART_UNITS):
            batch = units[start : start + PART_UNITS]
            for unit in batch & _TOLD:
                yield await self._begun(unit)
            batch -= _TOLD
            if hooks := failed_hooks(batch):
                yield await self._after_failures(hooks)
            batch -= hooks
            taking = self._taking(batch)
            if batch != taking:
                yield Part(batch - taking)
            if taking:
                async for part in self._with_results(list(taking)):
                    yield part

    async def _after_failures(self, hooks: Units) -> Part:
        own = list(hooks)
        if not self._work.takes_result(own[0]):
            return Part(hooks)
        return Part(hooks, await failure_arguments(own, self._results, self._uid, self._work, self._ledger))

    async def _begun(self, unit: int) -> Part:
        try:
            values = await self._input(unit)
        except RecursionError:
            return Part(NONE, unsendable={unit: NESTED})
        except ResultsGoneError as error:
            text = f"The result {error} is not in the result backend any more: let results live longer."
            return Part(NONE, unsendable={unit: Failure(Reason.RESULTS_EXPIRED, text)})
        except TooManyResultsError:
            text = "The results are too long for a message, and too many have ids of their own: use input: Summary."
            return Part(NONE, unsendable={unit: Failure(Reason.RESULT_TOO_LARGE, text)})
        return Part(FrozenBitMap([unit]), {unit: values} if values else {})

    async def _input(self, unit: int) -> list[Any]:
        if unit != _ON_FAILURE:
            return await callback_input(self._results, self._uid, self._work, self._ledger)
        is_immutable = self._work.leaf(unit).options.immutable
        return [] if is_immutable else [failure_input(self._status, self._ledger)]

    def parent(self, unit: int) -> str | None:
        """Id of the task whose result releases the unit; None for a first step."""
        before = self._before(unit)
        return None if before is None else newest_id(self._uid, before, self._ledger.attempts)

    def _before(self, unit: int) -> int | None:
        if hook_of(unit) is not None:
            return after(unit, self._work, self._ledger)
        return None if unit < STEP_SIZE or unit in FIRST_UNITS else unit - STEP_SIZE

    def unfit(self, unit: int, size: int | None) -> Failure:
        """Why a unit cannot be sent whose message has `size` bytes; None where its result is nested too deeply."""
        if size is None:
            return NESTED
        limit = self._work.most_message_bytes
        before = self._before(unit)
        task = "the items" if before is None else self._work.leaf(before).task
        return Failure(
            Reason.RESULT_TOO_LARGE,
            f"The result of {task} makes a message of {size:,} bytes for {self._next(unit)}, and {limit:,} are allowed:"
            " return large data by reference, such as a URL.",
        )

    @staticmethod
    def _next(unit: int) -> str:
        hook = hook_of(unit)
        return f"spec.{hook}" if hook else "the next step"

    def _taking(self, units: Units) -> Units:
        if steps_in(units) <= 1:
            return NONE
        return FrozenBitMap(unit for unit in units if self._work.takes_result(unit))

    async def _with_results(self, units: list[int]) -> AsyncIterator[Part]:
        sizes = await self._results.sizes([str(self.parent(unit)) for unit in units])
        most = self._work.most_message_bytes
        small = [(unit, size) for unit, size in zip(units, sizes, strict=True) if 0 < size <= most]
        unsendable = {
            unit: self.unfit(unit, size) if size else EXPIRED
            for unit, size in zip(units, sizes, strict=True)
            if not 0 < size <= most
        }
        if unsendable:
            yield Part(NONE, unsendable=unsendable)
        for part in within(small):
            yield await self._read(part)

    async def _read(self, units: Sequence[int]) -> Part:
        ids = [str(self.parent(unit)) for unit in units]
        stored = await self._results.values(ids, self._work.most_message_bytes)
        pairs = list(zip(units, stored, strict=True))
        values = {unit: [one.value] for unit, one in pairs if one is not None and one.status == "SUCCESS"}
        # It was there a moment ago: what is no value now cannot be read, or was not a success.
        gone = {unit: EXPIRED if one else UNREADABLE for unit, one in pairs if unit not in values}
        return Part(FrozenBitMap(list(values)), values, gone)


def within(units: list[tuple[int, int]]) -> Iterator[list[int]]:
    """Neighbours whose results have PART_BYTES together, or a single one."""
    part, total = list[int](), 0
    for unit, size in units:
        if part and total + size > PART_BYTES:
            yield part
            part, total = [], 0
        part.append(unit)
        total += size
    if part:
        yield part
