"""What is known of objects after a watch's events, one's own writes, and gaps in the watch."""

import asyncio
from typing import Any

import pytest

from taskgroup.api.names import LABEL_UID
from taskgroup.cluster.errors import ApiError
from taskgroup.cluster.object_cache import Cached, ObjectCache

NAMESPACE = "shop"
GROUP = "g1"


def pod(name: str, version: int, uid: str = "", namespace: str = NAMESPACE) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "uid": uid or f"uid-of-{name}", "labels": {LABEL_UID: GROUP}}
    return {"metadata": metadata | {"resourceVersion": str(version)}}


def keep(new: dict[str, Any]) -> Cached:
    return Cached(new["metadata"]["uid"], new["metadata"]["resourceVersion"], new)


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def cache(told: list[tuple[str, str]]) -> ObjectCache:
    return ObjectCache([NAMESPACE], keep, lambda *key: told.append(key))


def names(cache: ObjectCache) -> dict[str, str]:
    return {name: entry.version for name, entry in cache.of(NAMESPACE, GROUP).items()}


def test_each_change_is_told_once(cache: ObjectCache, told: list[tuple[str, str]]) -> None:
    cache.put(pod("a", 1))
    cache.put(pod("a", 1))
    cache.put(pod("a", 2))
    cache.remove(pod("a", 3))
    cache.remove(pod("a", 3))

    assert told == [(NAMESPACE, GROUP)] * 3
    assert names(cache) == {}


def test_the_watch_does_not_take_back_an_own_write(cache: ObjectCache) -> None:
    """The answer to the write was version 9; the watch is still at 8."""
    cache.put(pod("a", 9))
    cache.put(pod("a", 8))

    assert names(cache) == {"a": "9"}


def test_versions_are_compared_as_numbers(cache: ObjectCache) -> None:
    cache.put(pod("a", 99))
    cache.put(pod("a", 100))

    assert names(cache) == {"a": "100"}


def test_a_later_object_of_the_same_name_counts_whatever_came_before(cache: ObjectCache) -> None:
    cache.put(pod("a", 5, uid="first"))
    cache.put(pod("a", 7, uid="second"))
    cache.remove(pod("a", 6, uid="first"))

    assert names(cache) == {"a": "7"}


def test_what_was_deleted_during_a_gap_is_gone_after_it(cache: ObjectCache, told: list[tuple[str, str]]) -> None:
    """kopf's watch would never tell: the pod would be waited for until the operator ends."""
    cache.replace(NAMESPACE, [pod("a", 1), pod("b", 2)], "3")
    told.clear()

    cache.replace(NAMESPACE, [pod("b", 2)], "9")

    assert names(cache) == {"b": "2"}
    assert told == [(NAMESPACE, GROUP)]


def test_an_own_write_that_is_newer_than_the_list_stays(cache: ObjectCache) -> None:
    cache.put(pod("new", 12))

    cache.replace(NAMESPACE, [], "11")

    assert names(cache) == {"new": "12"}


def test_other_namespaces_are_no_part_of_a_list(told: list[tuple[str, str]]) -> None:
    cache = ObjectCache([NAMESPACE, "other"], keep, lambda *key: told.append(key))
    cache.put(pod("a", 1, namespace="other"))

    cache.replace(NAMESPACE, [], "9")

    assert set(cache.of("other", GROUP)) == {"a"}
    assert names(cache) == {}


async def test_nothing_is_decided_before_the_first_list(cache: ObjectCache) -> None:
    waiting = asyncio.create_task(cache.until_listed(NAMESPACE))
    await asyncio.sleep(0)
    assert not waiting.done()

    cache.replace(NAMESPACE, [], "1")

    await waiting


@pytest.mark.parametrize("status", [0, 403])
async def test_a_list_that_never_succeeded_is_an_error(cache: ObjectCache, status: int) -> None:
    cache.fail(NAMESPACE, ApiError("No.", status=status))

    with pytest.raises(ApiError, match="No"):
        await cache.until_listed(NAMESPACE)


async def test_an_api_server_that_is_away_leaves_what_is_known_and_one_that_refuses_does_not(
    cache: ObjectCache,
) -> None:
    cache.replace(NAMESPACE, [pod("a", 1)], "1")
    cache.fail(NAMESPACE, ApiError("It cannot be reached."))
    await cache.until_listed(NAMESPACE)
    assert names(cache) == {"a": "1"}

    cache.fail(NAMESPACE, ApiError("The operator may not list pods.", status=403))
    with pytest.raises(ApiError):
        await cache.until_listed(NAMESPACE)

    cache.replace(NAMESPACE, [], "2")
    await cache.until_listed(NAMESPACE)
