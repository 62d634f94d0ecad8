"""The Lease on a real API server: one holder at a time, a dead one is followed, a lost one is noticed."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from support.api_server import connected
from support.kubectl import kubeconfig
from support.wait import PATIENCE, eventually_async
from taskgroup.cluster.client import Cluster, Object
from taskgroup.cluster.lease import Lease
from taskgroup.cluster.lease_thread import LeaseThread
from taskgroup.cluster.resources import LEASES

NAME = "operator"
SECONDS = 20.0
"""Lease time where a holder must renew in time: it has two thirds of it for a call, on a busy machine too."""
SHORT = 2.0
"""Where it runs out."""
LONG = 2.0 * PATIENCE
"""Where nobody may wait for its end."""


@pytest.fixture(autouse=True)
def patient_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second at most, so that the process ends soon: nothing ends here."""
    monkeypatch.setattr("taskgroup.cluster.lease.RELEASE_SECONDS", PATIENCE)


def lease(cluster: Cluster, namespace: str, identity: str, seconds: float = SECONDS) -> Lease:
    return Lease(cluster, namespace, NAME, identity, seconds)


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
    await asyncio.wait_for(lease(cluster, namespace, "a", LONG).acquire(), PATIENCE)

    spec = await stored(cluster, namespace)
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", LONG, 1)


async def test_the_second_one_waits_while_the_first_renews(cluster: Cluster, namespace: str) -> None:
    first, second, losses = lease(cluster, namespace, "a"), lease(cluster, namespace, "b"), list[str]()
    await first.acquire()

    async with renewing(first, losses):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.acquire(), SECONDS * 1.5)

    assert (await stored(cluster, namespace))["holderIdentity"] == "a"
    assert losses == []


async def test_a_dead_holder_is_followed_after_the_lease_time_and_not_before(cluster: Cluster, namespace: str) -> None:
    clock = asyncio.get_running_loop().time
    await lease(cluster, namespace, "a", SHORT).acquire()
    died = clock()

    await asyncio.wait_for(lease(cluster, namespace, "b", SHORT).acquire(), PATIENCE)

    assert clock() - died >= SHORT
    spec = await stored(cluster, namespace)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 2)


async def test_the_same_holder_takes_it_up_again_at_once(cluster: Cluster, namespace: str) -> None:
    await lease(cluster, namespace, "a", LONG).acquire()

    await asyncio.wait_for(lease(cluster, namespace, "a", LONG).acquire(), PATIENCE)

    assert (await stored(cluster, namespace))["leaseTransitions"] == 1


async def test_a_released_lease_is_free_at_once(cluster: Cluster, namespace: str) -> None:
    first = lease(cluster, namespace, "a", LONG)
    await first.acquire()
    await first.release()

    await asyncio.wait_for(lease(cluster, namespace, "b", LONG).acquire(), PATIENCE)

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
        await asyncio.wait_for(task, PATIENCE)

    assert losses == [f"The Lease {namespace}/{NAME} is lost: thief holds it."]


async def test_a_holder_that_cannot_renew_gives_up_before_the_lease_time_is_over(namespace: str) -> None:
    losses = list[str]()
    clock = asyncio.get_running_loop().time
    async with connected() as cluster:
        holder = lease(cluster, namespace, "a")
        await holder.acquire()
        renewed = clock()
        cluster._timeout = 1e-6  # noqa: SLF001

        await asyncio.wait_for(holder.keep(losses.append), PATIENCE)

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
        await eventually_async(renewed_thrice, state=lambda: (renewals, losses))

    assert losses == []


async def test_a_deleted_lease_is_made_again(cluster: Cluster, namespace: str) -> None:
    holder, losses = lease(cluster, namespace, "a"), list[str]()
    await holder.acquire()
    await cluster.delete(LEASES, namespace, NAME)

    async def is_back() -> bool:
        return bool(await cluster.list_all(LEASES, namespace))

    async with renewing(holder, losses):
        await eventually_async(is_back, state=lambda: losses)

    assert losses == []


async def test_of_three_that_start_together_one_wins(
    cluster: Cluster, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tasks = {name: asyncio.create_task(lease(cluster, namespace, name, LONG).acquire()) for name in ("a", "b", "c")}

    async def others_wait() -> bool:
        ended = [task for task in tasks.values() if task.done()]
        return bool(ended) and len(ended) + caplog.text.count("Waiting for the Lease") >= len(tasks)

    await eventually_async(others_wait, state=lambda: caplog.text)
    winners = [name for name, task in tasks.items() if task.done()]
    for task in tasks.values():
        task.cancel()

    (winner,) = winners
    assert (await stored(cluster, namespace))["holderIdentity"] == winner


async def test_a_lease_that_was_never_held_is_lost_at_once(cluster: Cluster, namespace: str) -> None:
    losses = list[str]()

    await lease(cluster, namespace, "a").keep(losses.append)

    assert losses == [f"The Lease {namespace}/{NAME} is lost: it was never held."]


@asynccontextmanager
async def kept_on_its_thread(namespace: str, losses: list[str]) -> AsyncIterator[asyncio.Task[None]]:
    """Held and renewed as the operator does it, on a thread."""

    async with LeaseThread(kubeconfig(), lambda cluster: lease(cluster, namespace, "a"), SECONDS) as thread:
        await thread.acquire()
        task = asyncio.create_task(thread.keep(losses.append))
        await asyncio.sleep(0)
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await thread.release()


async def test_a_busy_operator_does_not_lose_its_lease(cluster: Cluster, namespace: str) -> None:
    """Its event loop was held for longer than a holder may go without a renewal."""
    losses = list[str]()
    async with kept_on_its_thread(namespace, losses):
        before = (await stored(cluster, namespace))["renewTime"]
        time.sleep(SECONDS * 0.8)  # noqa: ASYNC251 - the event loop is to be held

        assert (await stored(cluster, namespace))["renewTime"] > before
        assert losses == []
    assert (await stored(cluster, namespace))["holderIdentity"] == "", "released at the end"


async def test_an_operator_that_hangs_loses_its_lease(namespace: str) -> None:
    losses = list[str]()
    async with kept_on_its_thread(namespace, losses) as keeping:
        time.sleep(SECONDS * 2)  # noqa: ASYNC251 - the event loop is to be held
        await asyncio.wait_for(keeping, PATIENCE)

    assert len(losses) == 1
    assert "has been held up for" in losses[0]
