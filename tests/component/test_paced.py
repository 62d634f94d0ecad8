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
from taskgroup.core.tokens import read_rate

WORKERS = {"image": "any", "app": "support.chain_app", "concurrency": 3, "maxReplicas": 2}


def room(limit: str) -> int:
    """Calls that may come so late that they meet the next ones: workers that have just started are slow, all of them.

    One batch, as all of its calls may be the first of their processes.
    """
    return read_rate(limit).batch


def spec(url: str, count: int, **fields: Any) -> TaskGroupSpec:
    """So many calls of the server."""
    template = {"task": "chains.call", "args": [url]}
    base = {"sequence": {"count": count}, "template": template, "workers": WORKERS}
    return TaskGroupSpec.model_validate(base | fields)


def called(server: Counted, count: int) -> bool:
    return len(server.calls) >= count


def is_paced(server: Counted, limit: str) -> bool:
    """Whether each call had a token of its own. They are counted from the first one, which may have been late."""
    rate = read_rate(limit)
    return server.calls[-1] - server.calls[0] >= ((len(server.calls) - 1) // rate.batch - 1) * rate.seconds


@pytest.mark.parametrize(("most", "count"), [(2, 8), (6, 18)])
async def test_a_server_that_counts_refuses_none_from_zero_workers_on(most: int, count: int, tmp_path: Path) -> None:
    """One of 2/s was refused on a busy machine: a worker took it in time, and called more than half a second later."""
    with redis_server() as redis, counting_server(most + room(f"{most}/s"), 1.0) as server:
        async with live_group(spec(server.url, count, rateLimit=f"{most}/s"), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, server.refused) == ("Complete", count, 0)
    assert len(server.calls) == count
    assert is_paced(server, f"{most}/s")


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
async def test_what_killed_workers_held_is_paced_again(version: str, tmp_path: Path) -> None:
    count = 6
    with redis_server() as redis, counting_server(2 + room("2/s"), 1.0) as server:
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
    with redis_server() as redis, counting_server(2 + room("2/s"), 1.0) as server:
        async with live_group(spec(server.url, count, rateLimit="2/s"), redis, tmp_path, VERSIONS[-1]) as group:
            for calls in (1, 3, 5):
                await group.until(partial(called, server, calls))
                await group.restart()
            await group.finished()
            status = group.status

    assert (status.state, status.succeeded, server.refused) == ("Complete", count, 0)
    assert len(server.calls) == count
    assert is_paced(server, "2/s")


async def test_what_is_retried_takes_a_token_too(tmp_path: Path) -> None:
    count = 6
    with redis_server() as redis, counting_server(2 + room("2/s"), 1.0) as server:
        template = {"task": "chains.call_and_fail", "args": [server.url]}
        policy = {"limit": 1, "backoff": {"initialSeconds": 0}}
        wanted = spec(server.url, count, rateLimit="2/s", template=template, retryPolicy=policy)
        async with live_group(wanted, redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()
            status, ids = group.status, [run[1] for run in group.runs]

    assert (status.state, status.succeeded, server.refused) == ("Complete", count, 0)
    assert len(server.calls) == len(set(ids)) == 2 * count, "each item was called for twice"
    assert is_paced(server, "2/s")


async def test_without_a_limit_it_refuses_some(tmp_path: Path) -> None:
    with redis_server() as redis, counting_server(2, 60.0) as server:
        async with live_group(spec(server.url, 8), redis, tmp_path, VERSIONS[-1]) as group:
            await group.finished()

    assert (group.status.failed, server.refused) == (6, 6)
    assert group.status.failures
    [failure] = group.status.failures
    assert failure.reason == "OSError", "which is what Celery can store of an HTTPError"
