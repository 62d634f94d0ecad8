"""One reader per result backend for all groups: what they have in flight is looked up together, several times a second.

A turn costs one round trip whatever the number of groups. No notification is used: a pattern subscription per group
would be paid by every publication of every worker.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pyroaring import AbstractBitMap, BitMap

from taskgroup.broker.keys import task_id
from taskgroup.results.decode import ENDED, UNREADABLE, Failure
from taskgroup.results.redis_results import PENDING, SUCCEEDED, UNREADABLE_CODE, RedisResults
from taskgroup.transport.errors import BrokerError

FASTEST_SECONDS = 0.1
SLOWEST_SECONDS = 1.0
_TROUBLE_SECONDS = 5.0
_SLOWER = 1.5
_SHARE = 5
"""Looking in vain may take at most one part in this many of the time, so that reading never starves what is read."""

Kind = Literal["FAILURE", "REVOKED"]
End = tuple[Kind, Failure] | None
"""None is success."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that ended without success. A REVOKED one's message is Celery's word: revoked, expired, terminated."""

    index: int
    attempt: int
    kind: Kind
    exception: str
    message: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What ended since the last look."""

    succeeded: BitMap
    failed: tuple[Ended, ...]


class Subscription:
    """One group's place in the sweep. An attempt is reported once; who forgets what was reported subscribes anew."""

    def __init__(self, uid: str, wake: Callable[[], None], changed: Callable[[], None]) -> None:
        self.trouble: BrokerError | None = None
        """Why nothing can be read now; None while reading works."""
        self._uid = uid
        self.wake = wake
        """Makes the group's loop look at once."""
        self._changed = changed
        self._followed = BitMap()
        self._attempts: Mapping[int, int] = {}
        self._waiting: dict[str, tuple[int, int]] = {}
        self._reported = BitMap()
        self._succeeded = BitMap()
        self._failed: list[Ended] = []

    def follow(self, in_flight: AbstractBitMap, attempts: Mapping[int, int]) -> None:
        """Look for the ends of exactly these indexes from now on, each in its newest attempt (absent = 0).

        Takes time for what changed since the last call, not for all that is followed; so `attempts` must be another
        mapping whenever it says something else.
        """
        before, renewed = self._attempts, BitMap()
        if attempts is not before:
            kept = self._followed & in_flight
            renewed = BitMap([index for index in kept if before.get(index, 0) != attempts.get(index, 0)])
        gone = (self._followed - in_flight) | renewed
        for index in gone - self._reported:
            self._waiting.pop(task_id(self._uid, index, before.get(index, 0)), None)
        fresh = (in_flight - self._followed) | renewed
        for index in fresh:
            attempt = attempts.get(index, 0)
            self._waiting[task_id(self._uid, index, attempt)] = (index, attempt)
        self._followed, self._attempts = BitMap(in_flight), attempts
        self._reported -= gone
        if fresh:
            self._changed()

    def take(self) -> Arrivals:
        """Empty the mailbox."""
        arrivals = Arrivals(self._succeeded, tuple(self._failed))
        self._succeeded, self._failed = BitMap(), []
        return arrivals

    @property
    def waiting(self) -> tuple[str, ...]:
        """Task ids to look up."""
        return tuple(self._waiting)

    def deliver(self, ends: Mapping[str, End]) -> None:
        """Called by the sweeper; ids that are no longer followed are dropped."""
        for name, end in ends.items():
            if known := self._waiting.pop(name, None):
                index, attempt = known
                self._reported.add(index)
                if end is None:
                    self._succeeded.add(index)
                else:
                    self._failed.append(Ended(index, attempt, end[0], end[1].exception, end[1].message))
        if ends:
            self.wake()

    def report(self, trouble: BrokerError | None) -> None:
        """Called by the sweeper: reading fails, or works again."""
        before = self.trouble and self.trouble.message
        self.trouble = trouble
        if before != (trouble and trouble.message):
            self.wake()


class Sweeper:
    """The reader of one backend. Its owner runs `run` as a task; an end of that task by an exception is a bug."""

    def __init__(
        self,
        results: RedisResults,
        *,
        fastest: float = FASTEST_SECONDS,
        slowest: float = SLOWEST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._results = results
        self._fastest = fastest
        self._slowest = slowest
        self._clock = clock
        self._interval = fastest
        self._subscriptions: dict[str, Subscription] = {}
        self._news = asyncio.Event()

    def subscribe(self, uid: str, wake: Callable[[], None]) -> Subscription:
        """A fresh place for a group; it replaces the group's former one and reports from the beginning."""
        subscription = Subscription(uid, wake, self._news.set)
        self._subscriptions[uid] = subscription
        return subscription

    def unsubscribe(self, uid: str) -> None:
        """The group's place is given up; an unknown one does not matter."""
        self._subscriptions.pop(uid, None)

    async def run(self) -> None:
        """Turn after turn until cancelled; without anything to look up it waits and reads nothing."""
        task = asyncio.current_task()
        # redis-py loses a cancellation on Python 3.11 when a write ends in the same moment (asyncio.wait_for).
        while task is None or not task.cancelling():
            self._news.clear()
            if not any(place.waiting or place.trouble for place in self._subscriptions.values()):
                await self._news.wait()
                continue
            least, most = await self.turn()
            if task is not None and task.cancelling():
                break
            await asyncio.sleep(least)
            with suppress(TimeoutError):
                async with asyncio.timeout(most - least):
                    await self._news.wait()

    async def turn(self) -> tuple[float, float]:
        """One look at all that is followed; the least and most seconds to the next, most when nothing is dispatched."""
        began = self._clock()
        asked = [(subscription, subscription.waiting) for subscription in self._subscriptions.values()]
        try:
            arrived, in_vain = await self._look(asked)
        except BrokerError as trouble:
            self._report(trouble)
            self._interval = min(max(self._interval, self._slowest) * 2, _TROUBLE_SECONDS)
            return self._interval, self._interval
        self._report(None)
        self._interval = self._fastest if arrived else min(self._interval * _SLOWER, self._slowest)
        least = max(self._fastest, _SHARE * in_vain * (self._clock() - began))
        return least, max(least, self._interval)

    async def _look(self, asked: list[tuple[Subscription, tuple[str, ...]]]) -> tuple[int, float]:
        """Deliver what ended; returns how many, and which part of all had not."""
        ids = [name for _, waiting in asked for name in waiting]
        if not ids:
            await self._results.ping()
        codes = await self._results.classify(ids)
        arrived = {name: code for name, code in zip(ids, codes, strict=True) if code != PENDING}
        ends = await self._ends(arrived)
        for subscription, waiting in asked:
            found = {name: ends[name] for name in waiting if name in ends} if ends else {}
            subscription.deliver(found)
        return len(ends), 1 - len(ends) / len(ids) if ids else 0.0

    async def _ends(self, arrived: Mapping[str, int]) -> dict[str, End]:
        """Reasons are read apart from the states: what changed in between counts as it is now."""
        ends: dict[str, End] = {name: None for name, code in arrived.items() if code == SUCCEEDED}
        others = [name for name in arrived if name not in ends]
        for name, found in zip(others, await self._results.outcomes(others), strict=True):
            status, why = found or ("", UNREADABLE)
            if status == "SUCCESS":
                ends[name] = None
            elif status in ENDED:
                ends[name] = ("REVOKED" if status == "REVOKED" else "FAILURE", why)
            elif not found and arrived[name] == UNREADABLE_CODE:
                ends[name] = ("FAILURE", why)
        return ends

    def _report(self, trouble: BrokerError | None) -> None:
        for subscription in list(self._subscriptions.values()):
            subscription.report(trouble)
