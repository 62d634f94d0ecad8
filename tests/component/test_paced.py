"""Groups that are held to a rate, measured at a server that counts and refuses more. Real Redis and Celery workers."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.celery_versions import VERSIONS
from support.counting_server import Counted, counting_server
from support.live_group import live_group
from support.redis_server import redis_server
from taskgroup.api.spec import TaskGroupSpec

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 3, "maxReplicas": 2}


def spec(url: str, count: int, **fields: Any) -> TaskGroupSpec:
    """So many calls of the server."""
    template = {"task": "chains.call", "args": [url]}
    base = {"sequence": {"count": count}, "template": template, "workers": WORKERS}
    return TaskGroupSpec.model_validate(base | fields)


def called(server: Counted, count: int) -> bool:
    return len(server.calls) >= count


@pytest.mark.parametrize(("limit", "most", "seconds", "count"), [("2/s", 2, 1.0, 8), ("6/s", 6, 1.0, 18)])
async def test_a_server_that_counts_refuses_none_from_zero_workers_on(
    limit: str, most: int, seconds: float, count: int, tmp_path: Path
) -> None:
    with redis_server() as redis, counting_server(most, seconds) as server:
        async with live_group(spec(server.url, count, rateLimit=limit), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, server.refused) == ("Complete", count, 0)
    assert len(server.calls) == count


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_what_killed_workers_held_is_paced_again(version: str, tmp_path: Path) -> None:
    count = 6
    # One more than the limit: a worker that has just started may be slow to its first line.
    with redis_server() as redis, counting_server(3, 1.0) as server:
        template = {"task": "chains.call_and_wait", "args": [server.url]}
        wanted = spec(server.url, count, rateLimit="2/s", template=template)
        async with live_group(wanted, redis, tmp_path, version) as group:
            await group.until(lambda: len(server.calls) == count)
            group.kill_workers()
            (tmp_path / "open").touch()
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, server.refused) == ("Complete", count, 0)
    assert count < len(server.calls) <= 2 * count


async def test_a_restarted_operator_goes_on_at_the_rate(tmp_path: Path) -> None:
    count = 8
    with redis_server() as redis, counting_server(2, 1.0) as server:
        async with live_group(spec(server.url, count, rateLimit="2/s"), redis, tmp_path, VERSIONS[-1]) as group:
            for calls in (1, 3, 5):
                await group.until(partial(called, server, calls))
                await group.restart()
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, server.refused) == ("Complete", count, 0)
    assert len(server.calls) == count


async def test_what_is_retried_takes_a_token_too(tmp_path: Path) -> None:
    count = 6
    with redis_server() as redis, counting_server(2, 1.0) as server:
        template = {"task": "chains.call_and_fail", "args": [server.url]}
        policy = {"limit": 1, "backoff": {"initialSeconds": 0}}
        wanted = spec(server.url, count, rateLimit="2/s", template=template, retryPolicy=policy)
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, ids = group.status, [run[1] for run in group.runs]

    assert (status.state, status.succeeded, server.refused) == ("Complete", count, 0)
    assert len(server.calls) == len(set(ids)) == 2 * count, "each item was called for twice"


async def test_without_a_limit_it_refuses_some(tmp_path: Path) -> None:
    with redis_server() as redis, counting_server(2, 60.0) as server:
        async with live_group(spec(server.url, 8), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()

    assert (group.status.failed, server.refused) == (6, 6)
