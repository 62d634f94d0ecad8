"""What tests of the broker's contract do again and again; they are in several files, by topic."""

from collections.abc import AsyncIterator, Sequence

import pytest

from support.contract import Harness, MemoryHarness, redis_harness
from taskgroup.api.signature import Leaf, Options
from taskgroup.broker.port import Opening, Route
from taskgroup.core.groups.observed import Fence
from taskgroup.core.indexes import NONE, Indexes
from taskgroup.core.task_id import TaskId

UID = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"
ROUTE = Route(UID, UID)
FENCE = Fence("n", 1)


@pytest.fixture(name="broker", params=["memory", "redis"])
async def each_broker(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    """Every implementation in turn, empty."""
    if request.param == "memory":
        yield MemoryHarness()
        return
    for harness in redis_harness(request.getfixturevalue("redis_url")):
        yield harness
        await harness.broker.close()


def messages(
    broker: Harness, indexes: Sequence[int], attempt: int = 0, uid: str = UID, priority: int = 0
) -> list[bytes]:
    """One for each of these items, as the group would send it."""
    leaf = Leaf(task="demo.echo", options=Options(priority=priority))
    template = broker.groups.template(leaf, Route(uid, uid))
    return [template.render(index, attempt, [index], {}) for index in indexes]


async def opened(broker: Harness, count: int = 0, route: Route = ROUTE) -> None:
    """The group's books, and its first `count` items in the queue."""
    await broker.groups.open(route, Opening(nonce="n"))
    if count:
        assert await broker.groups.dispatch(route, FENCE, 0, 0, messages(broker, range(count), uid=route.uid))


def taken(broker: Harness, pod: str, count: int, pool: str = UID) -> list[str]:
    """The ids of what the pod gets when it asks `count` times."""
    return [name for _ in range(count) if (name := broker.take(pool, pod))]


async def queued(broker: Harness, *pods: str) -> tuple[int, dict[str, int]]:
    """How many messages wait, and how many each pod holds; group and pool must count the same."""
    pool, group = await broker.pools.observe(UID, pods), await broker.groups.observe(ROUTE, pods)
    assert (group.queued, group.held, pool.messages) == (pool.queued, sum(pool.held.values()), group.messages)
    return pool.queued, dict(pool.held)


async def requeue(
    broker: Harness,
    pod: str,
    *,
    limit: int = 3,
    count_loss: bool = True,
    groups: Sequence[str] = (UID,),
    over: Indexes = NONE,
) -> frozenset[TaskId]:
    """What the pod held goes back; the items that are given up."""
    ended = dict.fromkeys(groups, over)
    requeued = await broker.pools.requeue(
        UID, pod, ended, before=None, count_loss=count_loss, loss_limit=limit, suspect_losses=0
    )
    return requeued.given_up
