"""The ledger's ConfigMap against a real API server."""

import os

import pytest

from support.api_server import new_group
from taskgroup.cluster import ledger_store
from taskgroup.cluster.client import Cluster
from taskgroup.cluster.errors import ConflictError, ForeignError, TooLargeError
from taskgroup.cluster.resources import CONFIG_MAPS
from taskgroup.core.meta import Meta


async def test_nothing_is_there_before_the_first_save(cluster: Cluster, group: Meta) -> None:
    assert await ledger_store.load(cluster, group) is None


async def test_what_was_saved_is_loaded(cluster: Cluster, group: Meta) -> None:
    data = os.urandom(10_000)

    version = await ledger_store.save(cluster, group, data, None)

    assert await ledger_store.load(cluster, group) == (data, version)


async def test_saves_go_on_from_the_version_before(cluster: Cluster, group: Meta) -> None:
    first = await ledger_store.save(cluster, group, b"one", None)
    second = await ledger_store.save(cluster, group, b"two", first)

    assert second != first
    assert await ledger_store.load(cluster, group) == (b"two", second)


async def test_an_old_version_is_a_conflict_and_changes_nothing(cluster: Cluster, group: Meta) -> None:
    first = await ledger_store.save(cluster, group, b"one", None)
    second = await ledger_store.save(cluster, group, b"two", first)

    with pytest.raises(ConflictError):
        await ledger_store.save(cluster, group, b"three", first)
    with pytest.raises(ConflictError):
        await ledger_store.save(cluster, group, b"three", None)
    assert await ledger_store.load(cluster, group) == (b"two", second)


async def test_a_deleted_ledger_is_a_conflict(cluster: Cluster, group: Meta) -> None:
    version = await ledger_store.save(cluster, group, b"one", None)
    await cluster.delete(CONFIG_MAPS, group.namespace, ledger_store.ledger_name(group))

    with pytest.raises(ConflictError, match="It was there before"):
        await ledger_store.save(cluster, group, b"two", version)
    assert await ledger_store.load(cluster, group) is None


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's advice; 1 MiB takes 1 ms here
async def test_the_largest_ledger_fits_and_a_larger_one_is_refused_with_advice(cluster: Cluster, group: Meta) -> None:
    data = os.urandom(ledger_store.MAX_BYTES)
    version = await ledger_store.save(cluster, group, data, None)

    with pytest.raises(TooLargeError, match=r"split the work into several TaskGroups\.$"):
        await ledger_store.save(cluster, group, data + b"x", version)
    assert await ledger_store.load(cluster, group) == (data, version)


async def test_it_goes_when_the_group_goes(cluster: Cluster, group: Meta) -> None:
    await ledger_store.save(cluster, group, b"one", None)

    stored = await cluster.get(CONFIG_MAPS, group.namespace, ledger_store.ledger_name(group))

    (owner,) = stored["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (group.uid, True)
    assert stored["metadata"]["labels"]["taskgroups.dev/uid"] == group.uid


async def test_the_ledger_of_another_object_is_never_adopted(cluster: Cluster, group: Meta) -> None:
    other = await new_group(cluster, group.namespace, "other")
    name = ledger_store.ledger_name(group)
    owner = {"apiVersion": "taskgroups.dev/v1alpha1", "kind": "TaskGroup", "name": other.name, "uid": other.uid}
    await cluster.create(CONFIG_MAPS, group.namespace, {"metadata": {"name": name, "ownerReferences": [owner]}})

    with pytest.raises(ForeignError, match="does not belong to this TaskGroup"):
        await ledger_store.load(cluster, group)
