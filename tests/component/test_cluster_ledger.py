"""The TaskGroupLedger against a real API server: what it takes, and what stands in the way of a lost update."""

import os
from typing import Any

import pytest

from support.api_server import new_group
from taskgroup.api.ledger import MAX_SNAPSHOT_BYTES
from taskgroup.api.names import API_VERSION, KIND, LEDGER_KIND
from taskgroup.cluster import ledger_store
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.errors import ConflictError, ForeignError, KindMissingError, TooLargeError
from taskgroup.cluster.resources import LEDGERS, Resource
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
    await cluster.delete(LEDGERS, group.namespace, ledger_store.ledger_name(group))

    with pytest.raises(ConflictError, match="It was there before"):
        await ledger_store.save(cluster, group, b"two", version)
    assert await ledger_store.load(cluster, group) is None


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's advice; 1.5 MB take 1 ms here
async def test_the_largest_ledger_fits_and_a_larger_one_is_refused_with_advice(cluster: Cluster, group: Meta) -> None:
    first = await ledger_store.save(cluster, group, os.urandom(MAX_SNAPSHOT_BYTES), None)
    data = os.urandom(MAX_SNAPSHOT_BYTES)
    version = await ledger_store.save(cluster, group, data, first)

    with pytest.raises(TooLargeError, match=r"split the work into several TaskGroups\.$"):
        await ledger_store.save(cluster, group, data + b"x", version)
    assert await ledger_store.load(cluster, group) == (data, version)


async def test_a_save_is_not_answered_by_what_was_sent(
    cluster: Cluster, group: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way back would cost as much as the way there."""
    answers: list[Object] = []
    call = cluster._call  # noqa: SLF001

    async def noted(*arguments: Any, **options: Any) -> Object:
        answers.append(await call(*arguments, **options))
        return answers[-1]

    monkeypatch.setattr(cluster, "_call", noted)
    first = await ledger_store.save(cluster, group, b"one", None)
    await ledger_store.save(cluster, group, b"two", first)

    assert ["snapshot" in answer for answer in answers] == [False, False]


async def test_it_goes_when_the_group_goes(cluster: Cluster, group: Meta) -> None:
    await ledger_store.save(cluster, group, b"one", None)

    stored = await cluster.get(LEDGERS, group.namespace, ledger_store.ledger_name(group))

    (owner,) = stored["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (group.uid, True)
    assert stored["metadata"]["labels"]["taskgroups.dev/uid"] == group.uid


async def test_the_ledger_of_another_object_is_never_adopted(cluster: Cluster, group: Meta) -> None:
    other = await new_group(cluster, group.namespace, "other")
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": other.name, "uid": other.uid}
    metadata = {"name": ledger_store.ledger_name(group), "ownerReferences": [owner]}
    await cluster.create(LEDGERS, group.namespace, {"metadata": metadata, "snapshot": "b25l"})

    with pytest.raises(ForeignError, match="does not belong to this TaskGroup"):
        await ledger_store.load(cluster, group)


async def test_without_the_definition_nothing_is_taken_for_unsaved(
    cluster: Cluster, group: Meta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade of the chart that left the definitions as they were."""
    monkeypatch.setattr(ledger_store, "LEDGERS", Resource(API_VERSION, LEDGER_KIND, "notinstalled"))
    sentence = r"^The cluster has no definition of notinstalled: upgrade the chart with crds\.install=true, or apply"

    with pytest.raises(KindMissingError, match=sentence):
        await ledger_store.load(cluster, group)
    for version in (None, "1"):
        with pytest.raises(KindMissingError, match=sentence):
            await ledger_store.save(cluster, group, b"one", version)
