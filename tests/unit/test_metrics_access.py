"""Whoever sends tokens of any kind does not keep those out who are known to be allowed."""

import asyncio
from typing import Any

from taskgroup.cluster.access_review import Access, MetricsAccess
from taskgroup.cluster.resources import TOKEN_REVIEWS, Resource


class Reviews:
    """An API server that knows one token at once, and takes its time over all others."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()

    async def create(self, resource: Resource, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        """See Cluster."""
        del namespace
        if resource is not TOKEN_REVIEWS:
            return {"status": {"allowed": True}}
        if body["spec"]["token"] != "known":
            await self.answers.wait()
        return {"status": {"authenticated": True, "user": {"username": "prometheus"}}}


async def test_a_token_that_is_known_waits_for_no_review_of_another() -> None:
    reviews = Reviews()
    access = MetricsAccess(reviews, "/metrics")  # type: ignore[arg-type]
    assert await access.check("known") is Access.ALLOWED

    strangers = [asyncio.create_task(access.check(f"stranger {number}")) for number in range(5)]
    await asyncio.sleep(0)
    again = asyncio.create_task(access.check("known"))
    await asyncio.sleep(0)

    assert again.done()
    assert again.result() is Access.ALLOWED
    assert not any(stranger.done() for stranger in strangers)
    reviews.answers.set()
    assert set(await asyncio.gather(*strangers)) == {Access.ALLOWED}
