"""Celery's result keys in Redis, read in bulk. The state of a key is the truth; Celery's notifications are not used."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

from redis.exceptions import InvalidResponse

from taskgroup.api.backend import TransportOptions
from taskgroup.core.completions import Failure
from taskgroup.results.decode import ENDED, HEAD_BYTES, MAX_BYTES, StoredResult, decode, ending
from taskgroup.results.failures import UNREADABLE, failure
from taskgroup.results.port import Ends
from taskgroup.transport.connection import RedisConnection
from taskgroup.transport.errors import broker_errors
from taskgroup.transport.network import Network
from taskgroup.transport.shapes import text
from taskgroup.transport.tls import PLAIN, Certificates

_PENDING, _RETRYING, _SUCCEEDED, _UNREADABLE = b".ws?"
"""Codes of classify.lua; every other one is an end that is no success."""
_OPEN = (_PENDING, _RETRYING)
_CLASSIFY_CHUNK = 2000
_CLASSIFY_CALLS = 20
"""In one request, whose answers have a common time limit."""
_DELETE_CHUNK = 500
_VALUES_CHUNK = 50
"""Whole values, which may be large: an answer has a bound."""
_HEAD_CHUNK = 100
_MOST_SECONDS = 1e9


class RedisResults:
    """`Results` in one Redis."""

    def __init__(
        self,
        url: str,
        options: TransportOptions | None = None,
        network: Network | None = None,
        certificates: Certificates = PLAIN,
    ) -> None:
        """Opens no connection yet; ValueError with a sentence when `url` is not a Redis URL."""
        options = options or TransportOptions()
        self._redis = RedisConnection(url, options, __package__, network, certificates)
        self._prefix = f"{_separated(options.global_key_prefix or '')}celery-task-meta-"
        self.address = self._redis.address

    async def ping(self) -> None:
        """See Results."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.close()

    async def ended(self, ids: Sequence[str]) -> Ends:
        """See Results. Reasons are read apart from the states: what changed in between counts as it is now."""
        codes, times = await self._classify(ids)
        over = [name for name, code in zip(ids, codes, strict=True) if code not in _OPEN]
        ran = [(name, _seconds(time)) for name, time in zip(over, times, strict=True)]
        run_seconds = {name: seconds for name, seconds in ran if seconds is not None}
        succeeded, retrying = (
            [name for name, code in zip(ids, codes, strict=True) if code == wanted]
            for wanted in (_SUCCEEDED, _RETRYING)
        )
        ends = Ends(dict.fromkeys(succeeded), run_seconds, frozenset(retrying))
        others = {name: code for name, code in zip(ids, codes, strict=True) if code not in (*_OPEN, _SUCCEEDED)}
        async for name, head in self._heads(others):
            ends.update(_end(name, others[name], head))
        return ends

    async def values(self, ids: Sequence[str], most_bytes: int = MAX_BYTES) -> list[StoredResult | None]:
        """See Results."""
        values: list[StoredResult | None] = []
        with broker_errors(self.address):
            for chunk in _chunks(ids, _VALUES_CHUNK):
                raw: list[Any] = await self._redis.client.mget([self._prefix + name for name in chunk])
                if len(raw) != len(chunk):
                    raise InvalidResponse("another number of values than was asked for")
                values += (decode(one, most_bytes) for one in raw)
        return values

    async def sizes(self, ids: Sequence[str]) -> list[int]:
        """See Results."""
        with broker_errors(self.address):
            async with self._redis.client.pipeline(transaction=False) as pipe:
                for name in ids:
                    pipe.strlen(self._prefix + name)
                answers: list[Any] = await pipe.execute(raise_on_error=False)
            return [_size(answer) for answer in answers]

    async def delete(self, ids: Sequence[str]) -> None:
        """See Results."""
        with broker_errors(self.address):
            for chunk in _chunks(ids, _DELETE_CHUNK):
                await self._redis.client.unlink(*[self._prefix + name for name in chunk])

    async def _classify(self, ids: Sequence[str]) -> tuple[bytes, list[bytes]]:
        """One letter per id, in order, and for each that has ended how long it ran."""
        codes, times = b"", list[bytes]()
        for part in _chunks(ids, _CLASSIFY_CHUNK * _CLASSIFY_CALLS):
            calls = [((), (self._prefix, "\n".join(chunk))) for chunk in _chunks(part, _CLASSIFY_CHUNK)]
            for answer in await self._redis.run_each("classify", calls, text):
                states, _, seconds = answer.partition(b"|")
                codes += states
                times += seconds.split(b",") if states.strip(b".w") else []
        if len(codes) != len(ids) or len(times) != len(ids) - sum(map(codes.count, _OPEN)):
            with broker_errors(self.address):
                raise InvalidResponse("another number of states than was asked for")
        return codes, times

    async def _heads(self, ids: Iterable[str]) -> AsyncIterator[tuple[str, bytes | None]]:
        """The beginning of each value, with its id."""
        with broker_errors(self.address):
            for chunk in _chunks(list(ids), _HEAD_CHUNK):
                async with self._redis.client.pipeline(transaction=False) as pipe:
                    for name in chunk:
                        pipe.getrange(self._prefix + name, 0, HEAD_BYTES - 1)
                    answers: list[Any] = await pipe.execute(raise_on_error=False)
                for name, answer in zip(chunk, answers, strict=True):
                    yield name, _head(answer)


def _end(name: str, code: int, head: bytes | None) -> dict[str, Failure | None]:
    """At most one entry: a value that is gone, or that shows another state by now, is no end."""
    stored = ending(head)
    if stored is None:
        return {name: UNREADABLE} if code == _UNREADABLE else {}
    if stored.status not in ENDED:
        return {}
    return {name: None if stored.status == "SUCCESS" else failure(stored)}


def _seconds(text: bytes) -> float | None:
    """None for what is no number, or none that a task can run."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if seconds < _MOST_SECONDS else None


def _size(answer: int | Exception) -> int:
    """A key of another type holds no result."""
    if isinstance(answer, int):
        return answer
    if "WRONGTYPE" in str(answer):
        return 0
    raise answer


def _head(answer: bytes | Exception) -> bytes | None:
    """A key of another type holds no result; any other error is Redis' own."""
    if isinstance(answer, bytes):
        return answer[:HEAD_BYTES]
    if "WRONGTYPE" in str(answer):
        return None
    raise answer


def _separated(prefix: str) -> str:
    """Celery puts an underscore after a backend's key prefix that does not end in a separator of its own."""
    return prefix if not prefix or prefix[-1] in ":_-." else f"{prefix}_"


def _chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
