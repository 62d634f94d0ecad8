"""The sweep over a real Redis: every end is reported once, whoever is followed, and trouble is told and taken back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis
from pyroaring import BitMap

from support.redis_server import RedisServer, redis_server
from support.wait import eventually_async
from taskgroup.api.names import Reason
from taskgroup.broker.keys import task_id
from taskgroup.results.redis_results import RedisResults
from taskgroup.results.sweep import Arrivals, Ended, Subscription, Sweeper

FAILURE = '{"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["boom"]}, "traceback": null}'
REVOKED = '{"status": "REVOKED", "result": {"exc_type": "TaskRevokedError", "exc_message": ["expired"]}}'
SUCCESS = '{"status": "SUCCESS", "result": 1}'


class Follower:
    """A group that counts its wake-ups."""

    def __init__(self, sweeper: Sweeper, uid: str) -> None:
        self.wakes = 0
        self.uid = uid
        self.place: Subscription = sweeper.subscribe(uid, self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    async def arrivals(self) -> Arrivals:
        """What comes next; waits for the wake-up."""
        seen = self.wakes

        async def woken() -> bool:
            return self.wakes > seen

        await eventually_async(woken)
        return self.place.take()


@pytest.fixture
def store(redis_url: str) -> Iterator[Callable[[str, int, int, str], None]]:
    with redis.Redis.from_url(redis_url) as client:
        yield lambda uid, index, attempt, value: client.set(f"celery-task-meta-{task_id(uid, index, attempt)}", value)


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Sweeper]:
    results = RedisResults(url)
    sweeper = Sweeper(results, fastest=0.02, slowest=0.1)
    task = asyncio.create_task(sweeper.run())
    try:
        yield sweeper
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])
        await results.close()


@pytest.fixture
async def sweeper(redis_url: str) -> AsyncIterator[Sweeper]:
    async with running(redis_url) as found:
        yield found


Put = Callable[[str, int, int, str], None]


async def test_each_end_is_reported_once_to_its_group(sweeper: Sweeper, store: Put) -> None:
    first, second = Follower(sweeper, "u1"), Follower(sweeper, "u2")
    first.place.follow(BitMap(range(5)), {3: 2})
    second.place.follow(BitMap([1]), {})
    store("u1", 1, 0, SUCCESS)
    assert (await first.arrivals()).succeeded == BitMap([1])
    store("u1", 3, 2, FAILURE)
    assert (await first.arrivals()).failed == (Ended(3, 2, "FAILURE", "ValueError", "boom"),)
    store("u2", 1, 0, REVOKED)
    assert (await second.arrivals()).failed == (Ended(1, 0, "REVOKED", "TaskRevokedError", "expired"),)

    first.place.follow(BitMap(range(5)), {3: 2})
    assert first.place.waiting == ("u1.0", "u1.2", "u1.4")
    assert first.place.take() == Arrivals(BitMap(), ())


async def test_a_new_attempt_is_looked_up_anew(sweeper: Sweeper, store: Put) -> None:
    group = Follower(sweeper, "u")
    group.place.follow(BitMap([7]), {})
    store("u", 7, 0, FAILURE)
    assert (await group.arrivals()).failed[0].attempt == 0
    group.place.follow(BitMap([7]), {7: 1})
    store("u", 7, 1, SUCCESS)

    assert (await group.arrivals()).succeeded == BitMap([7])


async def test_what_is_no_longer_followed_is_not_reported(sweeper: Sweeper, store: Put) -> None:
    group, other = Follower(sweeper, "u"), Follower(sweeper, "v")
    group.place.follow(BitMap([1, 2]), {})
    group.place.follow(BitMap([2]), {})
    other.place.follow(BitMap([1]), {})
    sweeper.unsubscribe("v")
    store("u", 1, 0, SUCCESS)
    store("v", 1, 0, SUCCESS)
    store("u", 2, 0, SUCCESS)

    assert (await group.arrivals()).succeeded == BitMap([2])
    assert other.wakes == 0


async def test_who_subscribes_anew_hears_everything_again(sweeper: Sweeper, store: Put) -> None:
    store("u", 1, 0, SUCCESS)
    for _ in range(2):
        group = Follower(sweeper, "u")
        group.place.follow(BitMap([1]), {})
        assert (await group.arrivals()).succeeded == BitMap([1])


async def test_an_unreadable_result_ends_the_item(sweeper: Sweeper, store: Put) -> None:
    group = Follower(sweeper, "u")
    group.place.follow(BitMap([1]), {})
    store("u", 1, 0, "\x80pickle")
    (ended,) = (await group.arrivals()).failed

    assert ended.exception == "UnreadableResult"
    assert "result_serializer" in ended.message


@pytest.mark.parametrize(
    "value", ['{"status": "FAILURE", "result": {"exc', b"\0celery-compressed\0application/x-lzma\0no", b"\x80\x04"]
)
async def test_no_value_stops_the_sweep_or_is_waited_for(sweeper: Sweeper, store: Put, value: str) -> None:
    group = Follower(sweeper, "u")
    group.place.follow(BitMap([0]), {})
    store("u", 0, 0, value)
    assert [ended.index for ended in (await group.arrivals()).failed] == [0]
    group.place.follow(BitMap([1]), {})
    store("u", 1, 0, SUCCESS)

    assert (await group.arrivals()).succeeded == BitMap([1])


async def test_trouble_is_told_and_taken_back() -> None:
    with redis_server() as server:
        async with running(server.url) as sweeper:
            busy, idle = Follower(sweeper, "u"), Follower(sweeper, "v")
            busy.place.follow(BitMap([1]), {})
            server.kill()
            await eventually_async(lambda: _trouble(busy, idle))
            assert busy.place.trouble
            assert busy.place.trouble.reason == Reason.UNREACHABLE
            woken = busy.wakes
            # Nothing is in flight any more: the way back is noticed all the same.
            busy.place.follow(BitMap(), {})
            _restart(server)
            await eventually_async(lambda: _recovered(busy, idle))

    assert busy.wakes == woken + 1


def _restart(server: RedisServer) -> None:
    server.start()


async def _trouble(*followers: Follower) -> bool:
    """The last one that is told; a connection that was open is lost with other words."""
    troubles = [follower.place.trouble for follower in followers]
    return all(trouble is not None and "connection refused" in trouble.message for trouble in troubles)


async def _recovered(*followers: Follower) -> bool:
    return all(follower.place.trouble is None for follower in followers)
