"""The Lease on a real API server: one holder at a time, a dead one is followed, a lost one is noticed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from support.api_server import connected
from support.wait import eventually_async
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.lease import Lease
from taskgroup.cluster.resources import LEASES

NAME = "operator"
SECONDS = 2.0
"""Lease time of these tests; Kubernetes stores whole seconds."""


def lease(cluster: Cluster, namespace: str, identity: str) -> Lease:
    return Lease(cluster, namespace, NAME, identity, SECONDS)


async def stored(cluster: Cluster, namespace: str) -> Object:
    spec: Object = (await cluster.get(LEASES, namespace, NAME))["spec"]
    return spec


@asynccontextmanager
async def renewing(holder: Lease, losses: list[str]) -> AsyncIterator[asyncio.Task[None]]:
    """Renew the Lease in a background task, as the operator does."""
    task = asyncio.create_task(holder.keep(losses.append))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_first_one_gets_it_at_once(cluster: Cluster, namespace: str) -> None:
    await asyncio.wait_for(lease(cluster, namespace, "a").acquire(), SECONDS / 2)

    spec = await stored(cluster, namespace)
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 2, 1)


async def test_the_second_one_waits_while_the_first_renews(cluster: Cluster, namespace: str) -> None:
    first, second, losses = lease(cluster, namespace, "a"), lease(cluster, namespace, "b"), list[str]()
    await first.acquire()

    async with renewing(first, losses):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.acquire(), SECONDS * 2)

    assert (await stored(cluster, namespace))["holderIdentity"] == "a"
    assert losses == []


async def test_a_dead_holder_is_followed_after_the_lease_time_and_not_before(cluster: Cluster, namespace: str) -> None:
    clock = asyncio.get_running_loop().time
    await lease(cluster, namespace, "a").acquire()
    died = clock()

    await asyncio.wait_for(lease(cluster, namespace, "b").acquire(), SECONDS * 5)

    assert clock() - died >= SECONDS
    spec = await stored(cluster, namespace)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 2)


async def test_the_same_holder_takes_it_up_again_at_once(cluster: Cluster, namespace: str) -> None:
    await lease(cluster, namespace, "a").acquire()

    await asyncio.wait_for(lease(cluster, namespace, "a").acquire(), SECONDS / 2)

    assert (await stored(cluster, namespace))["leaseTransitions"] == 1


async def test_a_released_lease_is_free_at_once(cluster: Cluster, namespace: str) -> None:
    first = lease(cluster, namespace, "a")
    await first.acquire()
    await first.release()

    await asyncio.wait_for(lease(cluster, namespace, "b").acquire(), SECONDS / 2)

    assert (await stored(cluster, namespace))["holderIdentity"] == "b"


async def test_releasing_what_another_holds_changes_nothing(cluster: Cluster, namespace: str) -> None:
    first = lease(cluster, namespace, "a")
    await first.acquire()
    await first.release()
    await lease(cluster, namespace, "b").acquire()

    await first.release()

    assert (await stored(cluster, namespace))["holderIdentity"] == "b"


async def test_a_lease_that_another_took_is_lost(cluster: Cluster, namespace: str) -> None:
    holder, losses = lease(cluster, namespace, "a"), list[str]()
    await holder.acquire()

    async with renewing(holder, losses) as task:
        await cluster.merge_patch(LEASES, namespace, NAME, {"spec": {"holderIdentity": "thief"}})
        await asyncio.wait_for(task, SECONDS)

    assert losses == [f"The Lease {namespace}/{NAME} is lost: thief holds it."]


async def test_a_holder_that_cannot_renew_gives_up_before_the_lease_time_is_over(namespace: str) -> None:
    losses = list[str]()
    clock = asyncio.get_running_loop().time
    async with connected() as cluster:
        holder = lease(cluster, namespace, "a")
        await holder.acquire()
        renewed = clock()
        cluster._timeout = 1e-6  # noqa: SLF001

        await asyncio.wait_for(holder.keep(losses.append), SECONDS)

    assert clock() - renewed < SECONDS
    assert losses
    assert "did not answer" in losses[0]


async def test_changes_of_others_that_leave_the_holder_are_no_loss(cluster: Cluster, namespace: str) -> None:
    holder, losses = lease(cluster, namespace, "a"), list[str]()
    await holder.acquire()
    renewals = set[str]()

    async def renewed_thrice() -> bool:
        await cluster.merge_patch(LEASES, namespace, NAME, {"metadata": {"labels": {"step": str(len(renewals))}}})
        renewals.add((await stored(cluster, namespace))["renewTime"])
        return len(renewals) > 3

    async with renewing(holder, losses):
        await eventually_async(renewed_thrice, SECONDS * 5, lambda: (renewals, losses))

    assert losses == []


async def test_a_deleted_lease_is_made_again(cluster: Cluster, namespace: str) -> None:
    holder, losses = lease(cluster, namespace, "a"), list[str]()
    await holder.acquire()
    await cluster.delete(LEASES, namespace, NAME)

    async def is_back() -> bool:
        return bool(await cluster.list_all(LEASES, namespace))

    async with renewing(holder, losses):
        await eventually_async(is_back, SECONDS * 2, lambda: losses)

    assert losses == []


async def test_of_two_that_start_together_one_wins(cluster: Cluster, namespace: str) -> None:
    tasks = {name: asyncio.create_task(lease(cluster, namespace, name).acquire()) for name in ("a", "b", "c")}

    done, waiting = await asyncio.wait(tasks.values(), timeout=SECONDS / 2)
    for task in waiting:
        task.cancel()

    (winner,) = (name for name, task in tasks.items() if task in done)
    assert (await stored(cluster, namespace))["holderIdentity"] == winner


async def test_a_lease_that_was_never_held_is_lost_at_once(cluster: Cluster, namespace: str) -> None:
    losses = list[str]()

    await lease(cluster, namespace, "a").keep(losses.append)

    assert losses == [f"The Lease {namespace}/{NAME} is lost: it was never held."]
