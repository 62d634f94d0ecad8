"""How often all groups together may write what only informs: in turn, and after the writes on which something waits."""

from itertools import takewhile

GUARANTEED_SHARE = 0.2
"""Part of the budget that progress keeps while transitions use all of it."""
BURST_SECONDS = 0.2
"""Slots of so much time may be used at once after a calm."""
_ABANDONED_SECONDS = 60.0


class WriteBudget:
    """Slots of time. Whoever asks gets the next free one and asks again when it has come; so each gets its turn.

    Times are seconds of any clock that does not go back.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._next = float("-inf")
        self._slots: dict[str, float] = {}
        """Who waits, in the order of the slots."""
        self._urgent = _Counter()
        self.delayed = 0
        """How many writes had to wait."""

    def wait(self, who: str, now: float) -> float:
        """Seconds until `who` may write; 0 means that it may now, and that its slot is used."""
        slot = self._slots.get(who)
        if slot is None:
            slot = self._reserve(who, now)
        if slot > now:
            return slot - now
        del self._slots[who]
        return 0.0

    @property
    def waiting(self) -> int:
        """How many writes have a slot that they have not used."""
        return len(self._slots)

    def spend(self, who: str, now: float) -> None:
        """A write that does not wait was made, and says what `who` has waited for."""
        self._slots.pop(who, None)
        self._urgent.add(now)

    def _reserve(self, who: str, now: float) -> float:
        for name, _ in list(takewhile(lambda entry: entry[1] < now - _ABANDONED_SECONDS, self._slots.items())):
            del self._slots[name]
        slot = self._slots[who] = max(self._next, now - BURST_SECONDS)
        left = self._per_second - self._urgent.last_second(now)
        self._next = slot + 1 / max(left, self._per_second * GUARANTEED_SHARE)
        self.delayed += slot > now
        return slot


class _Counter:
    """How many there were in the last whole second, or in this one if that is more."""

    def __init__(self) -> None:
        self._second = 0
        self._now = 0
        self._before = 0

    def add(self, now: float) -> None:
        """One more."""
        self._turn(now)
        self._now += 1

    def last_second(self, now: float) -> int:
        """The number."""
        self._turn(now)
        return max(self._now, self._before)

    def _turn(self, now: float) -> None:
        second = int(now)
        if second != self._second:
            self._before = self._now if second == self._second + 1 else 0
            self._second, self._now = second, 0
