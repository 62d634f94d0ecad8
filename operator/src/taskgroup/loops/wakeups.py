"""Wake-ups: whoever learns something about a group rings its wakeup; the loop looks for itself what has changed."""

import asyncio


class Wakeup:
    """One group's wakeup."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self.workers_changed = True
        """A worker pod or the Deployment changed since this was last set to False."""

    def wake(self) -> None:
        """Wake the loop."""
        self._woken.set()

    def wake_workers(self) -> None:
        """Wake the loop and make it look at the workers."""
        self.workers_changed = True
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        """Until the wakeup rings, at most this long."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._woken.wait()
        except TimeoutError:
            return

    def clear(self) -> None:
        """What follows now looks at everything anew."""
        self._woken.clear()


class Wakeups:
    """The wakeups of all groups, by uid."""

    def __init__(self) -> None:
        self._wakeups: dict[str, Wakeup] = {}

    def of(self, uid: str) -> Wakeup:
        """The wakeup of a group."""
        return self._wakeups.setdefault(uid, Wakeup())

    def find(self, uid: str) -> Wakeup | None:
        """The wakeup of a group that has one."""
        return self._wakeups.get(uid)

    def drop(self, uid: str) -> None:
        """The group is gone."""
        self._wakeups.pop(uid, None)
