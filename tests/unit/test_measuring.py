"""What the leader's own parts hold back is in its metrics, read from them at the scrape."""

import asyncio
from types import SimpleNamespace
from typing import cast

from taskgroup.cluster.client import Cluster
from taskgroup.cluster.turns import Turns
from taskgroup.connections.shared import Connections, open_redis
from taskgroup.loops.budget import WriteBudget
from taskgroup.measuring import measure_leader
from taskgroup.serve.metrics.recorder import Recorder


async def test_writes_and_requests_that_wait_are_told() -> None:
    metrics, budget, turns = Recorder(600, 10), WriteBudget(1), Turns(1)
    client = cast("Cluster", SimpleNamespace(turns=turns))
    measure_leader(metrics, client, Connections(open_redis), budget)

    def told() -> list[float | None]:
        names = ("status_writes_waiting", "status_writes_delayed_total", "api_requests_waiting")
        return [metrics.registry.get_sample_value(f"taskgroup_{name}") for name in names]

    async def ask() -> None:
        async with turns.turn("shop"):
            assert told() == [0, 1, 0]

    assert told() == [0, 0, 0]
    assert budget.wait("a", 100.0) == 0
    assert budget.wait("b", 100.0) > 0
    async with turns.turn("shop"):
        asking = asyncio.create_task(ask())
        await asyncio.sleep(0)
        assert told() == [1, 1, 1]
        assert budget.wait("b", 200.0) == 0
    await asking
