"""What a dead worker held goes back into the queue, once, and can be taken and acknowledged as any other message."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
from pyroaring import BitMap

from support.broker import Group, consumer, indexes, open_group, queued_ids
from taskgroup.broker.redis_broker import RedisBroker


@pytest.fixture
async def group(redis_url: str) -> AsyncIterator[Group]:
    broker = RedisBroker(redis_url)
    yield await open_group(broker, prefix="shop:")
    await broker.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as found:
        yield found


async def take_and_die(group: Group, url: str, count: int, pod: str = "pod-a") -> None:
    """A worker takes `count` messages and is never heard of again."""
    with consumer(url, group.keys, pod) as worker:
        for _ in range(count):
            assert worker.take()


async def requeue(
    group: Group, pod: str = "pod-a", before: float | None = None, limit: int = 3
) -> tuple[BitMap, BitMap]:
    answer = await group.broker.requeue(group.keys, pod, before=before, count_loss=True, loss_limit=limit)
    return answer.returned, answer.quarantined


async def test_held_messages_come_first_again_and_are_marked(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 5)
    await take_and_die(group, redis_url, 3)

    assert await requeue(group) == (BitMap([0, 1, 2]), BitMap())
    with consumer(redis_url, group.keys, "pod-b") as worker:
        taken = [message for _ in range(5) if (message := worker.take())]
        assert indexes([message.headers["id"] for message in taken]) == [0, 1, 2, 3, 4]
        assert [message.delivery_info.get("redelivered", False) for message in taken] == [True] * 3 + [False] * 2
        for message in taken:
            worker.ack(message)
    facts = await group.broker.observe(group.keys, ["pod-a", "pod-b"])
    assert (facts.queued, facts.unacked) == (0, {"pod-a": 0, "pod-b": 0})


async def test_a_restored_message_looks_as_kombu_restores_it(group: Group, redis_url: str, client: redis.Redis) -> None:
    await group.dispatch(0, 1, priority=5)
    with consumer(redis_url, group.keys, "pod-a") as worker:
        message = worker.take()
        assert message
        worker.restore(message)
    name = group.keys.lists[1]
    theirs: Any = client.lindex(name, 0)
    await take_and_die(group, redis_url, 1)
    await requeue(group)
    ours: Any = client.lindex(name, 0)

    assert json.loads(ours) == json.loads(theirs)


async def test_a_second_requeue_finds_nothing(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 2)
    await take_and_die(group, redis_url, 2)

    assert await requeue(group) == (BitMap([0, 1]), BitMap())
    assert await requeue(group) == (BitMap(), BitMap())
    assert (await group.broker.observe(group.keys, [])).queued == 2


async def test_only_what_the_former_container_held_comes_back(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 2)
    await take_and_die(group, redis_url, 1)
    restarted = time.time()
    await take_and_die(group, redis_url, 1)

    assert await requeue(group, before=restarted) == (BitMap([0]), BitMap())
    assert (await group.broker.observe(group.keys, ["pod-a"])).unacked == {"pod-a": 1}


async def test_an_item_that_kills_every_worker_is_taken_out(group: Group, redis_url: str, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    for _ in range(2):
        await take_and_die(group, redis_url, 1)
        assert await requeue(group, limit=2) == (BitMap([0]), BitMap())
    await take_and_die(group, redis_url, 1)

    assert await requeue(group, limit=2) == (BitMap(), BitMap([0]))
    assert queued_ids(client, group.keys) == []
    assert (await group.broker.books(group.keys)).losses == {0: 3}


async def test_a_stop_in_order_counts_no_loss(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 1)
    await take_and_die(group, redis_url, 1)
    answer = await group.broker.requeue(group.keys, "pod-a", before=None, count_loss=False, loss_limit=0)

    assert (answer.returned, answer.quarantined) == (BitMap([0]), BitMap())
    assert (await group.broker.books(group.keys)).losses == {}


async def test_subtasks_come_back_and_are_bounded_too(group: Group, redis_url: str, client: redis.Redis) -> None:
    subtask = group.messages([0])[0].replace(f"{group.keys.uid}.0".encode(), b"some-subtask")
    client.lpush(group.keys.lists[0], subtask)
    for expected in (1, 1, 0):
        await take_and_die(group, redis_url, 1)
        answer = await group.broker.requeue(group.keys, "pod-a", before=None, count_loss=True, loss_limit=2)
        assert (answer.returned, answer.others) == (BitMap(), expected)
    assert (await group.broker.books(group.keys)).losses == {}


async def test_an_attempt_that_was_given_up_does_not_come_back(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 2)
    await take_and_die(group, redis_url, 2)
    await group.broker.renew(group.keys, group.fence, [0])
    await group.broker.mark_missing(group.keys, group.fence, [1])

    assert await requeue(group) == (BitMap(), BitMap())
    facts = await group.broker.observe(group.keys, ["pod-a"])
    assert (facts.queued, facts.returned, facts.unacked) == (0, 2, {"pod-a": 0})


async def test_what_is_acknowledged_between_look_and_move_stays_away(
    group: Group, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await group.dispatch(0, 2)
    look = RedisBroker._unacked  # noqa: SLF001
    with consumer(redis_url, group.keys, "pod-a") as worker:
        first = worker.take()
        assert first
        assert worker.take()

        async def look_then_ack(*args: Any) -> Any:
            held = await look(*args)
            worker.ack(first)
            return held

        monkeypatch.setattr(RedisBroker, "_unacked", look_then_ack)
        assert await requeue(group) == (BitMap([1]), BitMap())


async def test_nothing_returns_into_an_erased_group(group: Group, redis_url: str, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    await take_and_die(group, redis_url, 1)
    await group.broker.erase(group.keys, [], tombstone=True)

    assert await requeue(group) == (BitMap(), BitMap())
    assert client.keys("*") == [group.keys.state.encode()]


async def test_large_numbers_and_odd_headers_survive(group: Group, redis_url: str, client: redis.Redis) -> None:
    message = json.loads(group.messages([0])[0])
    message["headers"] |= {"big": 2**80, "empty": [], "none": None, "float": 0.1 + 0.2, "text": "é\ud800"}
    client.lpush(group.keys.lists[3], json.dumps(message))
    await take_and_die(group, redis_url, 1)
    await requeue(group)
    raw: Any = client.lindex(group.keys.lists[3], 0)

    message["headers"]["redelivered"] = message["properties"]["delivery_info"]["redelivered"] = True
    assert json.loads(raw) == message
