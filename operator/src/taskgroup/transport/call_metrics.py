"""What connections to Redis tell whoever measures them, as a Protocol."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class CallMetrics(Protocol):
    """Of calls to Redis, whichever server it is."""

    def called(self, seconds: float, *, failed: bool) -> None:
        """One round trip, or the attempt."""


class _Unmeasured:
    def called(self, seconds: float, *, failed: bool) -> None:
        """Tell nobody."""


UNMEASURED: CallMetrics = _Unmeasured()


@contextmanager
def timed(metrics: CallMetrics) -> Iterator[None]:
    """The block is one call."""
    began, failed = time.perf_counter(), True
    try:
        yield
        failed = False
    finally:
        metrics.called(time.perf_counter() - began, failed=failed)
