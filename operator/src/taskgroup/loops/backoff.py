"""How long a loop waits after its looks failed: a little first, then longer, and never more than half a minute."""

LAST_RETRY_SECONDS = 30.0


class Backoff:
    """Delays that double from one failure to the next."""

    def __init__(self, first_seconds: float) -> None:
        self._first = first_seconds
        self._next = first_seconds

    def delay(self) -> float:
        """Seconds to wait after this failure."""
        delay, self._next = self._next, min(self._next * 2, LAST_RETRY_SECONDS)
        return delay

    def reset(self) -> None:
        """It worked."""
        self._next = self._first
