"""Celery's result keys in Redis, read in bulk. The state of a key is the truth; Celery's notifications are not used."""

from collections.abc import Iterator, Sequence
from typing import Any

from taskgroup.api.spec import TransportOptions
from taskgroup.results.decode import HEAD_BYTES, Failure, StoredResult, decode, outcome
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.errors import broker_errors

PENDING, SUCCEEDED, FAILED, REVOKED, UNREADABLE_CODE = b".sfr?"
_LETTERS = {"SUCCESS": SUCCEEDED, "FAILURE": FAILED, "REVOKED": REVOKED}
_CLASSIFY_CHUNK = 2000
_READ_CHUNK = 500
_VALUES_CHUNK = 50
"""Whole values, which may be large: an answer has a bound."""
_HEAD_CHUNK = 100


class RedisResults:
    """The results in one Redis. Every method raises BrokerError when the server cannot be used."""

    def __init__(self, url: str, options: TransportOptions | None = None) -> None:
        """Opens no connection yet; ValueError with a sentence when `url` is not a Redis URL."""
        options = options or TransportOptions()
        self._redis = RedisConnection(url, options, __package__)
        self._prefix = f"{_separated(options.global_key_prefix or '')}celery-task-meta-"
        self.address = self._redis.address

    async def ping(self) -> None:
        """BrokerError unless the server answers and accepts the credentials."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()

    async def classify(self, ids: Sequence[str]) -> bytes:
        """One letter per id, in order: `.` not ended, `s` success, `f` failure, `r` revoked, `?` not readable."""
        calls = [((), (self._prefix, "\n".join(chunk))) for chunk in _chunks(ids, _CLASSIFY_CHUNK)]
        if not calls:
            return b""
        codes = b"".join(await self._redis.run_each("classify", calls))
        return await self._look_closer(ids, codes) if UNREADABLE_CODE in codes else codes

    async def outcomes(self, ids: Sequence[str]) -> list[tuple[str, Failure] | None]:
        """State and reason of each, without the value; None where there is none, or none that shows a state."""
        found: list[tuple[str, Failure] | None] = []
        with broker_errors(self.address):
            for chunk in _chunks(ids, _HEAD_CHUNK):
                async with self._redis.client.pipeline(transaction=False) as pipe:
                    for name in chunk:
                        pipe.getrange(self._prefix + name, 0, HEAD_BYTES - 1)
                    heads: list[Any] = await pipe.execute(raise_on_error=False)
                found += map(_outcome, heads)
        return found

    async def values(self, ids: Sequence[str]) -> list[StoredResult | None]:
        """Whole results, in order; None where there is none, or none that is JSON."""
        found: list[StoredResult | None] = []
        with broker_errors(self.address):
            for chunk in _chunks(ids, _VALUES_CHUNK):
                raw: list[Any] = await self._redis.client.mget([self._prefix + name for name in chunk])
                found += map(decode, raw)
        return found

    async def delete(self, ids: Sequence[str]) -> None:
        """Delete results; missing ones do not matter."""
        with broker_errors(self.address):
            for chunk in _chunks(ids, _READ_CHUNK):
                await self._redis.client.unlink(*[self._prefix + name for name in chunk])

    async def _look_closer(self, ids: Sequence[str], codes: bytes) -> bytes:
        """Compressed results show their state only as a whole."""
        closer = bytearray(codes)
        unclear = [position for position, code in enumerate(codes) if code == UNREADABLE_CODE]
        found = await self.outcomes([ids[position] for position in unclear])
        for position, result in zip(unclear, found, strict=True):
            if result:
                closer[position] = _LETTERS.get(result[0], PENDING)
        return bytes(closer)


def _outcome(answer: bytes | Exception) -> tuple[str, Failure] | None:
    """A key of another type holds no result; any other error is Redis' own."""
    if isinstance(answer, bytes):
        return outcome(answer)
    if "WRONGTYPE" in str(answer):
        return None
    raise answer


def _separated(prefix: str) -> str:
    """Celery puts an underscore after a backend's key prefix that does not end in a separator of its own."""
    return prefix if not prefix or prefix[-1] in ":_-." else f"{prefix}_"


def _chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
