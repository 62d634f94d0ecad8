"""Wake-ups: whoever learns something about a group rings its bell; the loop looks for itself what has changed."""

import asyncio


class Bell:
    """One group's bell."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.workers_changed = True
        """A worker pod or the Deployment changed since this was last set to False."""

    def ring(self) -> None:
        """Wake the loop."""
        self._rung.set()

    def ring_workers(self) -> None:
        """Wake the loop and make it look at the workers."""
        self.workers_changed = True
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Until the bell rings, at most this long."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._rung.wait()
        except TimeoutError:
            return

    def clear(self) -> None:
        """What follows now looks at everything anew."""
        self._rung.clear()


class Bells:
    """The bells of all groups, by uid."""

    def __init__(self) -> None:
        self._bells: dict[str, Bell] = {}

    def of(self, uid: str) -> Bell:
        """The bell of a group."""
        return self._bells.setdefault(uid, Bell())

    def find(self, uid: str) -> Bell | None:
        """The bell of a group that has one."""
        return self._bells.get(uid)

    def drop(self, uid: str) -> None:
        """The group is gone."""
        self._bells.pop(uid, None)
