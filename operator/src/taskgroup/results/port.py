"""What the operator needs of a result backend, as a Protocol. Redis is one implementation (`redis_results`); tests hold
another one to the same contract.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from taskgroup.core.completions import Failure
from taskgroup.results.decode import MAX_BYTES, StoredResult


class Ends(dict[str, Failure | None]):
    """Task ids that have ended; None is SUCCESS."""

    def __init__(
        self,
        ends: Mapping[str, Failure | None] = {},
        run_seconds: Mapping[str, float] = {},
        retrying: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(ends)
        self.run_seconds = run_seconds
        """How long the last attempt ran, of those whose result says it."""
        self.retrying = retrying
        """Ids that have not ended, whose task has asked to be run again (Celery's `self.retry`)."""


class SweepMetrics(Protocol):
    """What the sweep tells whoever measures it."""

    def swept(self, seconds: float, ended: int) -> None:
        """One look, and how many ends it found."""

    def sweep_failed(self) -> None:
        """A look that failed."""


class _Unmeasured:
    def swept(self, seconds: float, ended: int) -> None:
        """Tell nobody."""

    def sweep_failed(self) -> None:
        """Tell nobody."""


UNMEASURED: SweepMetrics = _Unmeasured()


class Results(Protocol):
    """Every method raises BrokerError when the backend cannot be used."""

    address: str
    """What a sentence may show: no credentials."""

    async def ping(self) -> None:
        """BrokerError unless the backend answers and accepts the credentials."""

    async def ended(self, ids: Sequence[str]) -> Ends:
        """Those of the ids that have ended, each with its failure or None. A value that cannot be read is a failure."""

    async def values(self, ids: Sequence[str], most_bytes: int = MAX_BYTES) -> list[StoredResult | None]:
        """Whole results, in order; None where there is none, or none that is JSON and, unpacked, at most so long."""

    async def sizes(self, ids: Sequence[str]) -> list[int]:
        """How many bytes each result has, as it is stored; 0 where there is none."""

    async def delete(self, ids: Sequence[str]) -> None:
        """Delete results; missing ones do not matter."""
