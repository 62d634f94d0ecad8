"""The sweep over a real Redis: every end is reported once, whoever is followed, and trouble is told and taken back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis
from pyroaring import BitMap, FrozenBitMap

from support.redis_server import RedisServer, redis_server
from support.wait import eventually_async
from taskgroup.api.names import Reason
from taskgroup.core.completions import Completions, Failure
from taskgroup.core.task_id import task_id
from taskgroup.results.failures import UNREADABLE
from taskgroup.results.redis_results import RedisResults
from taskgroup.results.subscription import Subscription
from taskgroup.results.sweep import Sweeper

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

    async def next_completions(self) -> Completions:
        """What comes next, counted at once; waits for the wake-up."""
        seen = self.wakes

        async def woken() -> bool:
            return self.wakes > seen

        await eventually_async(woken)
        completions = self.place.completions
        self.place.confirm(completions)
        return completions


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
    assert await first.next_completions() == Completions(FrozenBitMap([1]))
    store("u1", 3, 2, FAILURE)
    assert await first.next_completions() == Completions(failed={3: Failure("ValueError", "boom")})
    store("u2", 1, 0, REVOKED)
    assert await second.next_completions() == Completions(failed={1: Failure("Expired", "expired")})

    first.place.follow(BitMap(range(5)), {3: 2})
    assert first.place.waiting == ("u1.0", "u1.2", "u1.4")
    assert first.place.completions == Completions()


async def test_a_new_attempt_is_looked_up_anew(sweeper: Sweeper, store: Put) -> None:
    group = Follower(sweeper, "u")
    group.place.follow(BitMap([7]), {})
    store("u", 7, 0, FAILURE)
    assert await group.next_completions() == Completions(failed={7: Failure("ValueError", "boom")})
    group.place.follow(BitMap([7]), {7: 1})
    store("u", 7, 1, SUCCESS)

    assert await group.next_completions() == Completions(FrozenBitMap([7]))


async def test_what_is_not_confirmed_stays(sweeper: Sweeper, store: Put) -> None:
    group = Follower(sweeper, "u")
    group.place.follow(BitMap(range(4)), {})
    store("u", 0, 0, SUCCESS)
    store("u", 1, 0, FAILURE)
    await eventually_async(lambda: _has(group, 2))
    counted = group.place.completions
    store("u", 2, 0, SUCCESS)
    store("u", 3, 0, FAILURE)
    await eventually_async(lambda: _has(group, 4))
    boom = Failure("ValueError", "boom")
    assert group.place.completions == Completions(FrozenBitMap([0, 2]), {1: boom, 3: boom})
    group.place.confirm(counted)

    assert group.place.completions == Completions(FrozenBitMap([2]), {3: boom})


async def test_what_is_no_longer_followed_is_not_reported(sweeper: Sweeper, store: Put) -> None:
    group, other = Follower(sweeper, "u"), Follower(sweeper, "v")
    group.place.follow(BitMap([1, 2]), {})
    group.place.follow(BitMap([2]), {})
    other.place.follow(BitMap([1]), {})
    sweeper.unsubscribe("v")
    store("u", 1, 0, SUCCESS)
    store("v", 1, 0, SUCCESS)
    store("u", 2, 0, SUCCESS)

    assert await group.next_completions() == Completions(FrozenBitMap([2]))
    assert other.wakes == 0


async def test_who_subscribes_anew_hears_everything_again(sweeper: Sweeper, store: Put) -> None:
    store("u", 1, 0, SUCCESS)
    for _ in range(2):
        group = Follower(sweeper, "u")
        group.place.follow(BitMap([1]), {})
        assert await group.next_completions() == Completions(FrozenBitMap([1]))


async def test_an_unreadable_result_ends_the_item(sweeper: Sweeper, store: Put) -> None:
    group = Follower(sweeper, "u")
    group.place.follow(BitMap([1]), {})
    store("u", 1, 0, "\x80pickle")

    assert await group.next_completions() == Completions(failed={1: UNREADABLE})
    assert UNREADABLE.reason == "UnreadableResult"
    assert "result_serializer" in UNREADABLE.message


@pytest.mark.parametrize(
    "value", ['{"status": "FAILURE", "result": {"exc', b"\0celery-compressed\0application/x-lzma\0no", b"\x80\x04"]
)
async def test_no_value_stops_the_sweep_or_is_waited_for(sweeper: Sweeper, store: Put, value: str) -> None:
    group = Follower(sweeper, "u")
    group.place.follow(BitMap([0]), {})
    store("u", 0, 0, value)
    assert list((await group.next_completions()).failed) == [0]
    group.place.follow(BitMap([1]), {})
    store("u", 1, 0, SUCCESS)

    assert await group.next_completions() == Completions(FrozenBitMap([1]))


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


async def _has(follower: Follower, count: int) -> bool:
    return follower.place.completions.count == count


def _restart(server: RedisServer) -> None:
    server.start()


async def _trouble(*followers: Follower) -> bool:
    """The last one that is told; a connection that was open is lost with other words."""
    troubles = [follower.place.trouble for follower in followers]
    return all(trouble is not None and "connection refused" in trouble.message for trouble in troubles)


async def _recovered(*followers: Follower) -> bool:
    return all(follower.place.trouble is None for follower in followers)
