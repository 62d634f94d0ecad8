"""Pictures of dashboards, and the queries that `make metrics` offers, from a real Prometheus and real metrics."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from dashboards import render
from dashboards.queries import read_all

from demo.metrics import QUERIES
from support.builders import ledger, look, meta, queue, running, view
from support.ports import free_port
from support.prometheus_server import SCRAPE_SECONDS, Target, prometheus_server
from support.wait import eventually
from taskgroup.core.groups.figures import figures_of
from taskgroup.core.indexes import full
from taskgroup.serve.metrics.recorder import Recorder
from taskgroup.serve.metrics.server import MetricsServer

PNG = b"\x89PNG"


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    """Metrics of one group that runs."""
    recorder, port = Recorder(600, 10), free_port()
    seen = running(ledger=ledger(10, dispatched=8, succeeded=full(3)), queue=queue(4, 1), view=view(2))
    figures = figures_of(seen, look(seen), None, 0)
    recorder.show(meta(), replace(figures, failed=2, failures={"ValueError": 2}))
    async with MetricsServer("127.0.0.1", port, recorder.registry):
        yield Target(f"127.0.0.1:{port}", "operator-metrics", "taskgroups", "operator-0", "operator")


async def test_every_dashboard_is_drawn_and_every_query_answered(target: Target, tmp_path: Path) -> None:
    await asyncio.to_thread(_ask_and_draw, target, tmp_path)


def _ask_and_draw(target: Target, folder: Path) -> None:
    with prometheus_server(folder / "prometheus", [target]) as prometheus:
        for query in QUERIES.values():
            eventually(lambda query=query: prometheus.at(query, time.time()))  # type: ignore[misc]
        scrapes = ("--scrape-seconds", str(SCRAPE_SECONDS))
        drawn = render.main(["--prometheus", prometheus.url, "--output", str(folder), *scrapes])
    assert drawn == 0
    for dashboard in read_all():
        assert (folder / f"{dashboard.name}.png").read_bytes().startswith(PNG)
