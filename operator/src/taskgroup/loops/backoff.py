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


def bug_message(error: Exception) -> str:
    """For the group's owner. The text of an unforeseen error may hold anything, so the log alone has it."""
    return (
        f"The operator met an error of its own ({type(error).__name__}) while it looked after this TaskGroup, and tries"
        " again: its log says where. Report it, please."
    )
