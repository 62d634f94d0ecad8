"""What a dead worker held goes back into the queue, once, and can be taken and acknowledged as any other message."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from pyroaring import FrozenBitMap

from support.broker import Group, consumer, indexes, queued_ids, take_and_die
from support.broker import shop_group as shop_group
from taskgroup.broker.port import Requeued
from taskgroup.broker.redis_pools import RedisPools
from taskgroup.core.indexes import NONE
from taskgroup.core.task_id import TaskId, task_id


async def requeue(
    group: Group,
    pod: str = "pod-a",
    before: float | None = None,
    limit: int = 3,
    *,
    count_loss: bool = True,
    suspect_losses: int = 0,
) -> frozenset[TaskId]:
    """The items that are given up."""
    requeued = await group.broker.pools.requeue(
        group.pool.pool,
        pod,
        {group.uid: NONE},
        before=before,
        count_loss=count_loss,
        loss_limit=limit,
        suspect_losses=suspect_losses,
    )
    return requeued.given_up


async def test_held_messages_come_first_again_and_are_marked(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 5)
    await take_and_die(group, redis_url, 3)

    assert await requeue(group) == frozenset()
    with consumer(redis_url, group.pool, "pod-b") as worker:
        taken = [message for _ in range(5) if (message := worker.take())]
        assert indexes([message.headers["id"] for message in taken]) == [0, 1, 2, 3, 4]
        assert [message.delivery_info.get("redelivered", False) for message in taken] == [True] * 3 + [False] * 2
        for message in taken:
            worker.ack(message)
    facts = await group.facts("pod-a", "pod-b")
    assert (facts.queued, facts.held) == (0, {"pod-a": 0, "pod-b": 0})
    assert (await group.broker.groups.books(group.uid)).losses == {0: 1, 1: 1, 2: 1}


async def test_a_restored_message_looks_as_kombu_restores_it(group: Group, redis_url: str, client: redis.Redis) -> None:
    await group.dispatch(0, 1, priority=5)
    with consumer(redis_url, group.pool, "pod-a") as worker:
        message = worker.take()
        assert message
        worker.restore(message)
    name = group.pool.lists[1]
    theirs: Any = client.lindex(name, 0)
    await take_and_die(group, redis_url, 1)
    await requeue(group)
    ours: Any = client.lindex(name, 0)

    assert json.loads(ours) == json.loads(theirs)


async def test_a_second_requeue_finds_nothing(group: Group, redis_url: str, client: redis.Redis) -> None:
    await group.dispatch(0, 2)
    await take_and_die(group, redis_url, 2)

    for _ in range(2):
        assert await requeue(group) == frozenset()
        assert indexes(queued_ids(client, group.pool)) == [0, 1]
        assert (await group.broker.groups.books(group.uid)).losses == {0: 1, 1: 1}


async def test_only_what_the_former_container_held_comes_back(
    group: Group, redis_url: str, client: redis.Redis
) -> None:
    await group.dispatch(0, 2)
    await take_and_die(group, redis_url, 1)
    restarted = time.time()
    await take_and_die(group, redis_url, 1)

    assert await requeue(group, before=restarted) == frozenset()
    assert indexes(queued_ids(client, group.pool)) == [0]
    assert (await group.facts("pod-a")).held == {"pod-a": 1}


async def test_an_item_that_kills_every_worker_is_taken_out(group: Group, redis_url: str, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    for _ in range(2):
        await take_and_die(group, redis_url, 1)
        assert await requeue(group, limit=2) == frozenset()
        assert indexes(queued_ids(client, group.pool)) == [0]
    await take_and_die(group, redis_url, 1)

    assert await requeue(group, limit=2) == {TaskId(group.uid, 0)}
    assert queued_ids(client, group.pool) == []
    assert (await group.broker.groups.books(group.uid)).losses == {0: 3}
    assert (await group.facts("pod-a")).held == {"pod-a": 0}


async def test_a_stop_in_order_counts_no_loss(group: Group, redis_url: str, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    await take_and_die(group, redis_url, 1)

    assert await requeue(group, limit=0, count_loss=False) == frozenset()
    assert indexes(queued_ids(client, group.pool)) == [0]
    assert (await group.broker.groups.books(group.uid)).losses == {}


async def test_subtasks_come_back_and_are_bounded_too(group: Group, redis_url: str, client: redis.Redis) -> None:
    subtask = group.messages([0])[0].replace(task_id(group.uid, 0).encode(), b"some-subtask")
    client.lpush(group.pool.lists[0], subtask)
    for expected in (["some-subtask"], ["some-subtask"], []):
        await take_and_die(group, redis_url, 1)
        assert await requeue(group, limit=2) == frozenset()
        assert queued_ids(client, group.pool) == expected
    assert (await group.broker.groups.books(group.uid)).losses == {}
    assert (await group.facts("pod-a")).held == {"pod-a": 0}


async def test_an_attempt_that_was_given_up_does_not_come_back(group: Group, redis_url: str) -> None:
    await group.dispatch(0, 2)
    await take_and_die(group, redis_url, 2)
    await group.broker.groups.renew(group.uid, group.fence, [0])
    await group.broker.groups.mark_missing(group.uid, group.fence, [1])

    assert await requeue(group) == frozenset()
    facts = await group.facts("pod-a")
    assert (facts.queued, facts.returned, facts.held) == (0, FrozenBitMap([0, 1]), {"pod-a": 0})
    assert (await group.broker.groups.books(group.uid)).losses == {}


async def test_what_is_acknowledged_between_look_and_move_stays_away(
    group: Group, redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await group.dispatch(0, 2)
    look = RedisPools._entries  # noqa: SLF001
    with consumer(redis_url, group.pool, "pod-a") as worker:
        first = worker.take()
        assert first
        assert worker.take()

        async def look_then_ack(*args: Any) -> Any:
            entries = await look(*args)
            worker.ack(first)
            return entries

        monkeypatch.setattr(RedisPools, "_entries", look_then_ack)
        assert await requeue(group) == frozenset()
        assert indexes(queued_ids(client, group.pool)) == [1]


async def test_what_waited_for_its_eta_was_not_run_and_counts_no_loss(
    group: Group, redis_url: str, client: redis.Redis
) -> None:
    """A retry with a countdown lies in its worker; it is not what that worker died of."""
    await group.dispatch(0, 1)
    await take_and_die(group, redis_url, 1)
    retry = json.loads(group.messages([1])[0])
    retry["headers"] |= {"retries": 1, "eta": datetime.fromtimestamp(time.time() + 600, UTC).isoformat()}
    client.lpush(group.pool.lists[3], json.dumps(retry))
    await take_and_die(group, redis_url, 1)

    assert await requeue(group, limit=0) == {TaskId(group.uid, 0)}, "it died alone"
    assert indexes(queued_ids(client, group.pool)) == [1]
    assert (await group.broker.groups.books(group.uid)).losses == {0: 1}


async def test_a_retry_is_never_set_aside(group: Group, redis_url: str, client: redis.Redis) -> None:
    """Only its message knows its arguments and how often it was tried."""
    retry = json.loads(group.messages([1])[0])
    retry["headers"]["retries"] = 1
    client.lpush(group.pool.lists[3], json.dumps(retry))
    for _ in range(2):
        await take_and_die(group, redis_url, 1)
        await requeue(group, suspect_losses=1)

    assert indexes(queued_ids(client, group.pool)) == [1]
    assert (await group.broker.groups.books(group.uid)).losses == {1: 2}


async def test_what_was_taken_in_time_does_not_expire_on_its_way_back(
    group: Group, redis_url: str, client: redis.Redis
) -> None:
    past = datetime.fromtimestamp(time.time() - 600, UTC).isoformat()
    for index, properties in enumerate(({"expiration": "60000"}, {}, {"expiration": "never"})):
        message = json.loads(group.messages([index])[0])
        message["headers"]["expires"] = past
        message["properties"] |= properties
        client.lpush(group.pool.lists[3], json.dumps(message))
    await take_and_die(group, redis_url, 3)
    await requeue(group)

    raw: Any = client.lrange(group.pool.lists[3], 0, -1)
    expires = {json.loads(text)["headers"]["id"]: json.loads(text)["headers"]["expires"] for text in raw}
    again = expires.pop(task_id(group.uid, 0))
    assert 30 < datetime.fromisoformat(again).timestamp() - time.time() <= 60
    assert list(expires.values()) == [None, None]


async def test_nothing_returns_into_an_erased_group(group: Group, redis_url: str, client: redis.Redis) -> None:
    await group.dispatch(0, 1)
    await take_and_die(group, redis_url, 1)
    await group.broker.pools.erase(group.pool.pool, [])
    await group.broker.groups.erase(group.uid, tombstone=True)

    assert await requeue(group) == frozenset()
    assert client.keys("*") == [group.books.state.encode()]


async def test_large_numbers_and_odd_headers_survive(group: Group, redis_url: str, client: redis.Redis) -> None:
    message = json.loads(group.messages([0])[0])
    message["headers"] |= {"big": 2**80, "empty": [], "none": None, "float": 0.1 + 0.2, "text": "é\ud800"}
    client.lpush(group.pool.lists[3], json.dumps(message))
    await take_and_die(group, redis_url, 1)
    await requeue(group)
    raw: Any = client.lindex(group.pool.lists[3], 0)

    message["headers"]["redelivered"] = message["properties"]["delivery_info"]["redelivered"] = True
    assert json.loads(raw) == message


async def test_what_is_no_message_is_dropped_when_its_pod_has_ended(
    group: Group, redis_url: str, client: redis.Redis
) -> None:
    """Left there, it kept the operator giving back every second, for ever."""
    await group.dispatch(0, 1)
    await take_and_die(group, redis_url, 1)
    for number, raw in enumerate(("nonsense", "[" * 50_000, "[1]", "{}")):
        client.hset(group.pool.unacked("pod-a"), f"foreign-{number}", raw)
        client.zadd(group.pool.unacked_index("pod-a"), {f"foreign-{number}": 1.0})
    ended = {group.uid: NONE}
    options: dict[str, Any] = {"count_loss": False, "loss_limit": 3, "suspect_losses": 0}

    partly = await group.broker.pools.requeue(group.pool.pool, "pod-a", ended, before=time.time(), **options)
    assert partly == Requeued(unmoved=4)
    wholly = await group.broker.pools.requeue(group.pool.pool, "pod-a", ended, before=None, **options)
    assert wholly == Requeued(foreign=4)
    assert indexes(queued_ids(client, group.pool)) == [0]
    assert (await group.facts("pod-a")).held == {"pod-a": 0}


async def test_what_is_no_message_is_dropped_when_a_live_pod_should_put_it_back(
    group: Group, client: redis.Redis
) -> None:
    client.hset(group.pool.unacked("pod-a"), "foreign", "[" * 50_000)
    client.zadd(group.pool.unacked_index("pod-a"), {"foreign": 1.0})
    (entry,) = (await group.broker.pools.unacked(group.pool.pool, ["pod-a"]))["pod-a"]

    assert (entry.tag, entry.id) == ("foreign", "")
    await group.broker.pools.put_back(group.pool.pool, "pod-a", [group.uid], frozenset({entry.tag}))
    assert (await group.facts("pod-a")).held == {"pod-a": 0}


async def test_an_entry_tells_what_its_message_says_of_time(group: Group, redis_url: str, client: redis.Redis) -> None:
    message = json.loads(group.messages([0])[0])
    message["headers"] |= {"eta": "2026-01-02T03:04:05+00:00", "timelimit": [20, 10]}
    client.lpush(group.pool.lists[0], json.dumps(message))
    await take_and_die(group, redis_url, 1)
    (entry,) = (await group.broker.pools.unacked(group.pool.pool, ["pod-a"]))["pod-a"]

    assert (entry.id, entry.task, entry.limit) == (task_id(group.uid, 0), "demo.echo", 20.0)
    assert entry.eta == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
