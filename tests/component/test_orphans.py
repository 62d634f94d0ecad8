"""Keys of TaskGroups that are gone are removed; everybody else's stay."""

import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import redis

from support.broker import open_group
from support.crd.server import shared_task_groups
from support.kubectl import Kubectl
from taskgroup.broker.keys import BookKeys
from taskgroup.broker.port import Opening, Owner
from taskgroup.broker.redis_broker import RedisBroker
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.group_store import KubernetesGroups
from taskgroup.cluster.resources import Resource
from taskgroup.cluster.secrets import read_text
from taskgroup.cluster.worker_cache import WorkerCache
from taskgroup.connections.linking import Linker
from taskgroup.connections.shared import Connections, open_redis
from taskgroup.core.meta import Meta
from taskgroup.core.task_id import task_id
from taskgroup.groups.cleanup import Cleaner
from taskgroup.groups.deletion_report import DeletionReport
from taskgroup.groups.inline_pool import route_of
from taskgroup.groups.orphans import Orphans, identity
from taskgroup.loops.clock import SystemClock
from taskgroup.loops.meeting import Meetings
from taskgroup.pools.cleanup import PoolCleaner
from taskgroup.settings import Settings

_log = logging.getLogger("test")
UNSERVED = Resource("taskgroups.dev/v0", "TaskGroup", "taskgroups")


@dataclass(frozen=True, slots=True)
class Place:
    """An operator's parts around one Redis, which it knows as the default broker of its own namespace."""

    orphans: Orphans
    cluster_id: str
    url: str
    client: redis.Redis

    async def leave(self, uid: str, owner: Owner | None) -> BookKeys:
        """Keys of a group with one message in the queue and one result."""
        broker = RedisBroker(self.url)
        await broker.groups.open(route_of(uid), Opening(nonce="nonce-1", owner=owner))
        await broker.close()
        group = await open_group(self.url, uid=uid)
        assert await group.dispatch(0, 1)
        await group.broker.close()
        self.client.set(f"celery-task-meta-{task_id(uid, 0)}", "{}")
        return group.books

    def left(self, uid: str) -> set[str]:
        """Every key with this uid in its name."""
        return {str(key) for key in self.client.keys(f"*{uid}*")}


def orphans_of(
    cluster: Cluster, namespace: str, connections: Connections, cluster_id: str, watched: tuple[str, ...]
) -> Orphans:
    settings = Settings(namespace=namespace, redis_secret="default-redis")
    linker = Linker(partial(read_text, cluster), settings, connections)
    report = partial(DeletionReport, KubernetesGroups(cluster, "test"), SystemClock(), _log)
    pool_cleaner = PoolCleaner(cluster, WorkerCache((namespace,), lambda *_: None), _log)
    cleaner = Cleaner(linker, pool_cleaner.stop_workers, pool_cleaner.is_terminating, report, _log)
    return Orphans(cluster, linker, connections, cleaner, Meetings(), cluster_id, watched, _log)


@pytest.fixture
async def place(cluster: Cluster, restricted: Kubectl, redis_url: str) -> AsyncIterator[Place]:
    shared_task_groups()
    restricted("create", "secret", "generic", "default-redis", f"--from-literal=url={redis_url}")
    connections, cluster_id = Connections(open_redis), await identity(cluster)
    watched = (restricted.namespace, "never-was")
    orphans = orphans_of(cluster, restricted.namespace, connections, cluster_id, watched)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield Place(orphans, cluster_id, redis_url, client)
    assert connections.addresses() == ()
    await connections.close()


async def test_the_keys_of_a_group_that_is_gone_are_removed(place: Place, namespace: str) -> None:
    uid = str(uuid.uuid4())
    books = await place.leave(uid, Owner(place.cluster_id, namespace, "gone"))

    assert await place.orphans.sweep() == 1
    assert place.left(uid) == {books.state}, "only the tombstone stays, for a day"
    assert await place.orphans.sweep() == 0


async def test_odd_keys_do_not_keep_the_others(place: Place, namespace: str) -> None:
    place.client.hset(b"taskgroup:\xff", "a", "b")
    forged, uid = str(uuid.uuid4()), str(uuid.uuid4())
    owner = Owner(place.cluster_id, namespace, "gone")
    fields: dict[Any, Any] = {"nonce": "x", "epoch": "1", "owner": str(owner), "cursor:x": "y"}
    place.client.hset(f"taskgroup:{forged}", mapping=fields)
    await place.leave(uid, owner)

    assert await place.orphans.sweep() == 1
    assert place.left(uid) == {f"taskgroup:{uid}"}


async def test_a_namespace_that_is_gone_has_no_groups(place: Place) -> None:
    uid = str(uuid.uuid4())
    await place.leave(uid, Owner(place.cluster_id, "never-was", "gone"))

    assert await place.orphans.sweep() == 1


async def test_a_new_object_of_the_same_name_does_not_keep_the_old_ones_keys(place: Place, group: Meta) -> None:
    uid = str(uuid.uuid4())
    await place.leave(uid, Owner(place.cluster_id, group.namespace, group.name))

    assert await place.orphans.sweep() == 1


async def test_a_living_groups_keys_stay(place: Place, group: Meta) -> None:
    await place.leave(group.uid, Owner(place.cluster_id, group.namespace, group.name))
    before = place.left(group.uid)

    assert await place.orphans.sweep() == 0
    assert place.left(group.uid) == before


@pytest.mark.parametrize("owner", [Owner("other", "shop", "gone"), None], ids=["another cluster's", "nobody's"])
async def test_what_is_not_marked_as_ours_stays(place: Place, owner: Owner | None) -> None:
    uid = str(uuid.uuid4())
    await place.leave(uid, owner)
    before = place.left(uid)

    assert await place.orphans.sweep() == 0
    assert place.left(uid) == before


async def test_a_namespace_that_this_operator_does_not_watch_is_another_operators(place: Place) -> None:
    uid = str(uuid.uuid4())
    await place.leave(uid, Owner(place.cluster_id, "elsewhere", "gone"))
    before = place.left(uid)

    assert await place.orphans.sweep() == 0
    assert place.left(uid) == before


async def test_nothing_is_removed_while_the_api_server_does_not_serve_task_groups(
    place: Place, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = str(uuid.uuid4())
    await place.leave(uid, Owner(place.cluster_id, namespace, "alive"))
    before = place.left(uid)
    monkeypatch.setattr("taskgroup.groups.orphans.TASK_GROUPS", UNSERVED)

    assert await place.orphans.sweep() == 0
    assert place.left(uid) == before


async def test_a_redis_that_does_not_answer_is_looked_at_later(
    cluster: Cluster, restricted: Kubectl, caplog: pytest.LogCaptureFixture
) -> None:
    restricted("create", "secret", "generic", "default-redis", "--from-literal=url=redis://127.0.0.1:1/0")
    connections = Connections(open_redis)
    orphans = orphans_of(cluster, restricted.namespace, connections, "here", ())

    with caplog.at_level(logging.INFO):
        assert await orphans.sweep() == 0
    assert "are looked for later" in caplog.text
    assert connections.addresses() == ()
