"""Wake-ups: whoever learns something about a group or its pool wakes the loop, which looks itself for what changed."""

import asyncio
import math


class Wakeup:
    """The wake-up of one loop."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Let the loop look now, or as soon as it has finished its present look."""
        self._woken.set()

    async def wait(self, seconds: float) -> None:
        """Until the next wake-up, at most this long."""
        if math.isinf(seconds):
            await self._woken.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._woken.wait()
        except TimeoutError:
            return

    def clear(self) -> None:
        """What follows now looks at everything anew."""
        self._woken.clear()
