"""A group in a real Redis and stock Celery workers that run its messages, for the files that test them by topic."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from support.broker import UID, Group, open_group
from support.celery_worker import celery_worker
from support.wait import eventually_async
from taskgroup.api.signature import Leaf
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.core.task_id import task_id
from taskgroup.results.decode import StoredResult
from taskgroup.results.redis_results import RedisResults


@pytest.fixture(name="group")
async def worked_group(redis_url: str) -> AsyncIterator[Group]:
    """With its books open, on an empty Redis."""
    opened = await open_group(redis_url)
    yield opened
    await opened.broker.close()


@pytest.fixture(name="results")
async def worked_results(redis_url: str) -> AsyncIterator[RedisResults]:
    """The results that its workers store."""
    found = RedisResults(redis_url)
    yield found
    await found.close()


def worker(group: Group, url: str, folder: Path, pod: str = "pod-a", **options: Any) -> Any:
    """A worker of the group's pool, as the operator would start it in this pod."""
    pools, pool = group.broker.pools, group.pool.pool
    return celery_worker(
        url, pools.queue(pool), folder, name=pod, transport_options=pools.worker_options(pool, pod), **options
    )


async def ended(results: RedisResults, ids: list[str]) -> list[StoredResult]:
    """All results, once every one is there."""

    async def complete() -> bool:
        return set(await results.ended(ids)) == set(ids)

    await eventually_async(complete, state=lambda: ids)
    values = await results.values(ids)
    return [value for value in values if value]


async def send(group: Group, leaf: Leaf, calls: Sequence[list[Any]], *, first: int = 0, **template: Any) -> list[str]:
    """One item per list of arguments, as the first ones of the leaf's priority; the task ids."""
    made = MessageTemplate(leaf, group.uid, group.pool.queue, **template)
    messages = [made.render(first + number, 0, args, leaf.kwargs or {}) for number, args in enumerate(calls)]
    assert await group.broker.groups.dispatch(group.route, group.fence, leaf.options.priority, 0, messages)
    return [task_id(UID, first + number) for number in range(len(calls))]


def notes(url: str) -> list[str]:
    """What the tasks wrote down, in their order."""
    with redis.Redis.from_url(url) as client:
        raw: Any = client.lrange("notes", 0, -1)
    return [text.decode() for text in raw]
