"""Books, held messages and owners that nobody of ours has written: the broker refuses, drops or passes over them."""

import pytest
import redis
from pyroaring import FrozenBitMap

from taskgroup.broker.keys import BookKeys, PoolKeys
from taskgroup.broker.port import Owner
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.transport.errors import BrokerError


@pytest.mark.parametrize(
    ("losses", "attempts"), [({"1": "99999999999"}, {}), ({}, {"1": "9" * 40}), ({"9" * 40: "1"}, {}), ({}, {"1": "x"})]
)
async def test_books_that_no_script_has_written(
    redis_url: str, losses: dict[str, str], attempts: dict[str, str]
) -> None:
    keys = BookKeys("", "u")
    with redis.Redis.from_url(redis_url) as client:
        for key, fields in ((keys.losses, losses), (keys.attempts, attempts)):
            client.delete(key)
            if fields:
                client.hset(key, mapping=fields)
    broker = RedisBroker(redis_url)
    with pytest.raises(BrokerError, match="foreign value"):
        await broker.groups.books("u")
    await broker.close()


@pytest.mark.parametrize(
    "entry", [b"[" * 50_000, b'[{"headers": {"id": "\\ud800"}}]', b"[1]", b'[{"headers": [], "properties": 1}]']
)
async def test_an_unacked_entry_that_no_worker_has_written_goes_with_its_pod(redis_url: str, entry: bytes) -> None:
    broker, key = RedisBroker(redis_url), PoolKeys("", "u").unacked("pod")
    with redis.Redis.from_url(redis_url) as client:
        client.delete(key)
        client.hset(key, "tag", entry)
        await broker.pools.requeue(
            "u", "pod", {"u": FrozenBitMap()}, before=None, count_loss=True, loss_limit=3, suspect_losses=0
        )
        assert not client.exists(key)
    await broker.close()


async def test_owners_that_no_operator_has_written_are_not_asked_for(redis_url: str) -> None:
    broker = RedisBroker(redis_url)
    uids = ["0e7e9d5c-6b5e-4a51-9d1f-0c4e8f8d5a1" + digit for digit in "123"]
    with redis.Redis.from_url(redis_url) as client:
        for uid, owner in zip(uids, ["c/shop/a", "c/../a", "c/shop/" + "a" * 10_000], strict=True):
            client.hset(BookKeys("", uid).state, "owner", owner)
    assert await broker.groups.owners() == {uids[0]: Owner("c", "shop", "a")}
    await broker.close()
