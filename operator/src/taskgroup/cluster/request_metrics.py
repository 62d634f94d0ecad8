"""What the client of the API server tells whoever measures it, as a Protocol: it knows nothing of Prometheus."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


class RequestMetrics(Protocol):
    """Of requests to the API server; watches are none."""

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """One request, with the status of its answer; 0 without an answer. The wait for a turn is not in `seconds`."""


class _Unmeasured:
    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """Tell nobody."""


UNMEASURED: RequestMetrics = _Unmeasured()


@dataclass(slots=True)
class Outcome:
    """Of one request."""

    code: int = 0


@contextmanager
def measured(metrics: RequestMetrics, verb: str, resource: str) -> Iterator[Outcome]:
    """The block is one request, and says how it ended."""
    began, outcome = time.perf_counter(), Outcome()
    try:
        yield outcome
    finally:
        metrics.requested(verb, resource, outcome.code, time.perf_counter() - began)
