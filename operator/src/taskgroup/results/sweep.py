"""One reader per result backend for all groups: what they have in flight is looked up together, several times a second.

A sweep costs one round trip whatever the number of groups. No notification is used: a pattern subscription per group
would be paid by every publication of every worker.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from taskgroup.api.names import Reason
from taskgroup.results.port import UNMEASURED, Ends, Results, SweepMetrics
from taskgroup.results.subscription import Subscription
from taskgroup.transport.errors import BrokerError

FASTEST_SECONDS = 0.1
SLOWEST_SECONDS = 0.3
"""The end of an item is in the status half a second later; a look costs one round trip for all groups of a backend."""
HANG_SECONDS = 300.0
"""A look that is so long overdue never comes; one that merely fails comes again."""
_TROUBLE_SECONDS = 5.0
_SLOWER = 1.5
_SHARE = 5
"""Looking in vain may take at most one part in this many of the time, so that reading never starves what is read."""
_log = logging.getLogger("taskgroup")


class Sweeper:
    """The reader of one backend. Its owner runs `run` as a task; an end of that task by an exception is a bug."""

    def __init__(
        self,
        results: Results,
        *,
        fastest: float = FASTEST_SECONDS,
        slowest: float = SLOWEST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        metrics: SweepMetrics = UNMEASURED,
    ) -> None:
        self._results = results
        self._metrics = metrics
        self.asked = 0
        """Items that the last look asked for."""
        self.fails = False
        """The last look did not succeed."""
        self._read = self._due = clock()
        self._fastest = fastest
        self._slowest = slowest
        self._clock = clock
        self._interval = fastest
        self._subscriptions: dict[str, Subscription] = {}
        self._changed = asyncio.Event()

    def subscribe(self, uid: str, wake: Callable[[], None]) -> Subscription:
        """A fresh place for a group; it replaces the group's former one and reports from the beginning."""
        subscription = Subscription(uid, wake, self._changed.set)
        self._subscriptions[uid] = subscription
        return subscription

    def unsubscribe(self, uid: str) -> None:
        """The group's place is given up; an unknown one does not matter."""
        self._subscriptions.pop(uid, None)

    async def run(self) -> None:
        """Sweep after sweep until cancelled; without anything to look up it waits and reads nothing."""
        task = asyncio.current_task()
        # redis-py loses a cancellation on Python 3.11 when a write ends in the same moment (asyncio.wait_for).
        while task is None or not task.cancelling():
            self._changed.clear()
            if not self._is_wanted():
                await self._changed.wait()
                self._read = self._due = self._clock()
                continue
            least, most = await self.sweep()
            self._due = self._clock() + most
            if task is not None and task.cancelling():
                break
            await asyncio.sleep(least)
            with suppress(TimeoutError):
                async with asyncio.timeout(most - least):
                    await self._changed.wait()

    @property
    def age(self) -> float:
        """Seconds since the last good look; 0 while nothing is looked up. For any thread."""
        is_idle = not any(place.waiting for place in list(self._subscriptions.values()))
        return 0.0 if is_idle else self._clock() - self._read

    @property
    def hangs(self) -> bool:
        """Whether a look that is due does not come to an end, not even to a bad one."""
        return self._is_wanted() and self._clock() - self._due > HANG_SECONDS

    def _is_wanted(self) -> bool:
        return any(place.waiting or place.trouble for place in self._subscriptions.values())

    async def sweep(self) -> tuple[float, float]:
        """One look at all that is followed; the least and most seconds to the next, most when nothing is dispatched."""
        began = self._clock()
        asked = [(subscription, subscription.waiting) for subscription in self._subscriptions.values()]
        try:
            ended, in_vain = await self._look(asked)
        except BrokerError as trouble:
            return self._wait_after(trouble)
        except Exception:  # noqa: BLE001 - a bug must neither end this backend's counting nor the process
            _log.exception("The results in %s could not be read.", self._results.address)
            return self._wait_after(_unexpected(self._results.address))
        self._report(None)
        self._metrics.swept(self._clock() - began, ended)
        self._read, self.fails = self._clock(), False
        self._interval = self._fastest if ended else min(self._interval * _SLOWER, self._slowest)
        least = max(self._fastest, _SHARE * in_vain * (self._clock() - began))
        return least, max(least, self._interval)

    def _wait_after(self, trouble: BrokerError) -> tuple[float, float]:
        self._report(trouble)
        self._metrics.sweep_failed()
        self.fails = True
        self._interval = min(max(self._interval, self._slowest) * 2, _TROUBLE_SECONDS)
        return self._interval, self._interval

    async def _look(self, asked: list[tuple[Subscription, tuple[str, ...]]]) -> tuple[int, float]:
        """Deliver what ended; returns how many, and which part of all had not."""
        ids = [name for _, waiting in asked for name in waiting]
        self.asked = len(ids)
        if not ids:
            await self._results.ping()
        ends = await self._results.ended(ids)
        for subscription, waiting in asked:
            subscription.deliver(_of(waiting, ends) if ends or ends.retrying else ends)
        return len(ends), 1 - len(ends) / len(ids) if ids else 0.0

    def _report(self, trouble: BrokerError | None) -> None:
        for subscription in list(self._subscriptions.values()):
            subscription.report(trouble)


def _of(waiting: tuple[str, ...], ends: Ends) -> Ends:
    names = [name for name in waiting if name in ends]
    times = {name: ends.run_seconds[name] for name in names if name in ends.run_seconds}
    return Ends({name: ends[name] for name in names}, times, ends.retrying.intersection(waiting))


def _unexpected(address: str) -> BrokerError:
    text = f"The results in Redis at {address} could not be read because of an error in the operator; look at its log."
    return BrokerError(Reason.UNREACHABLE, text)
