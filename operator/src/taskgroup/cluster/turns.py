"""Who sends the next request to the API server, while more want to than there are connections.

Namespaces take turns, so that a storm of groups in one delays no other. Within a namespace what goes on comes before
what begins: else a thousand groups that were created at once would all take as long as the last of them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_BEGINNING_EVERY = 16
"""Of so many turns of a namespace one is for what begins, however much goes on."""

_Waiter = asyncio.Future[None]


@dataclass(slots=True)
class _Line:
    """Who waits in one namespace."""

    ongoing: deque[_Waiter] = field(default_factory=deque)
    beginning: deque[_Waiter] = field(default_factory=deque)
    served: int = 0

    def next(self) -> _Waiter | None:
        """The one whose turn it is, taken out of the line; who gave up is left out."""
        for waiting in (self.ongoing, self.beginning):
            while waiting and waiting[0].done():
                waiting.popleft()
        is_for_beginning = not self.ongoing or self.served % _BEGINNING_EVERY == _BEGINNING_EVERY - 1
        waiting = self.beginning if is_for_beginning and self.beginning else self.ongoing
        self.served += 1
        return waiting.popleft() if waiting else None


class Turns:
    """At most `most` at once."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._lines: dict[str, _Line] = {}
        """By namespace; the first is the next one to be served."""

    @property
    def waiting(self) -> int:
        """How many wait for a turn; for any thread."""
        return sum(len(line.ongoing) + len(line.beginning) for line in list(self._lines.values()))

    @asynccontextmanager
    async def turn(self, namespace: str, *, begins: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, and hold it during the block."""
        await self._wait(namespace, begins=begins)
        try:
            yield
        finally:
            self._give_back()

    async def _wait(self, namespace: str, *, begins: bool) -> None:
        if self._free:
            self._free -= 1
            return
        line = self._lines.setdefault(namespace, _Line())
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        (line.beginning if begins else line.ongoing).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._lines:
            namespace = next(iter(self._lines))
            line = self._lines.pop(namespace)
            waiter = line.next()
            if waiter is not None:
                self._lines[namespace] = line
                waiter.set_result(None)
                return
        self._free += 1
