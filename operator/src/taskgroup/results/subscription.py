"""One group's place in the sweep: what it waits for, and what has ended and was not counted yet."""

from collections.abc import Callable, Mapping

from pyroaring import AbstractBitMap, BitMap, FrozenBitMap

from taskgroup.core.completions import Completions, Failure
from taskgroup.core.indexes import NONE
from taskgroup.core.task_id import newest_id
from taskgroup.core.units import Units
from taskgroup.results.port import Ends
from taskgroup.transport.errors import BrokerError


class Subscription:
    """An attempt is reported once; who forgets what was reported subscribes anew."""

    def __init__(self, uid: str, wake: Callable[[], None], changed: Callable[[], None]) -> None:
        """`wake` makes the group's loop look at once; `changed` makes the sweep look at once."""
        self.trouble: BrokerError | None = None
        """Why nothing can be read now; None while reading works."""
        self.completions = Completions()
        """Delivered by the sweep and not counted yet."""
        self.run_seconds: list[float] = []
        """How long delivered units ran; whoever measures them takes them away."""
        self.retrying: Units = NONE
        """Units whose task asked for another run and has not ended since, as of the last sweep."""
        self.wake = wake
        self._uid = uid
        self._changed = changed
        self._followed = BitMap()
        self._attempts: Mapping[int, int] = {}
        self._waiting: dict[str, int] = {}
        self._reported = BitMap()

    def follow(self, in_flight: AbstractBitMap, attempts: Mapping[int, int]) -> None:
        """Look for the ends of exactly these units from now on, each in its newest attempt (absent = 0).

        Takes time for what changed since the last call, not for all that is followed; so `attempts` must be another
        mapping whenever it says something else.
        """
        before, renewed = self._attempts, BitMap()
        if attempts is not before:
            self._drop_stale(before, attempts)
            stayed = self._followed & in_flight
            renewed = BitMap([unit for unit in stayed if before.get(unit, 0) != attempts.get(unit, 0)])
        gone = (self._followed - in_flight) | renewed
        for unit in gone - self._reported:
            self._waiting.pop(newest_id(self._uid, unit, before), None)
        fresh = (in_flight - self._followed) | renewed
        for unit in fresh:
            self._waiting[newest_id(self._uid, unit, attempts)] = unit
        self._followed, self._attempts = BitMap(in_flight), attempts
        self._reported -= gone
        if fresh:
            self._changed()

    def _drop_stale(self, before: Mapping[int, int], attempts: Mapping[int, int]) -> None:
        """A failure of an attempt that a newer one has replaced says nothing of that one; SUCCESS is final."""
        stale = {unit: why for unit, why in self.completions.failed.items() if before.get(unit) != attempts.get(unit)}
        if stale:
            self.completions = self.completions.minus(Completions(failed=stale))

    def confirm(self, counted: Completions) -> None:
        """These are in the ledger."""
        self.completions = self.completions.minus(counted)

    def restate(self, failed: Mapping[int, Failure]) -> None:
        """What was delivered as a success of these is a failure, for what the task has returned."""
        if failed:
            left = self.completions.succeeded - FrozenBitMap(list(failed))
            self.completions = Completions(left, {**self.completions.failed, **failed})

    @property
    def waiting(self) -> tuple[str, ...]:
        """Task ids to look up."""
        return tuple(self._waiting)

    def deliver(self, ends: Ends) -> None:
        """Called by the sweeper; ids that are no longer followed are dropped."""
        succeeded, failed = BitMap(), dict[int, Failure]()
        for name, failure in ends.items():
            unit = self._waiting.pop(name, None)
            if unit is None:
                continue
            self._reported.add(unit)
            if name in ends.run_seconds:
                self.run_seconds.append(ends.run_seconds[name])
            if failure is None:
                succeeded.add(unit)
            else:
                failed[unit] = failure
        retrying = FrozenBitMap([self._waiting[name] for name in ends.retrying if name in self._waiting])
        changed, self.retrying = retrying != self.retrying, retrying
        if ends:
            self.completions = self.completions.plus(Completions(FrozenBitMap(succeeded), failed))
        if ends or changed:
            self.wake()

    def report(self, trouble: BrokerError | None) -> None:
        """Called by the sweeper: reading fails, or works again."""
        before = self.trouble and self.trouble.message
        self.trouble = trouble
        if before != (trouble and trouble.message):
            self.wake()
