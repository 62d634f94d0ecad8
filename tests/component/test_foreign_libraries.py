"""Libraries for Celery in a group, as docs/workers.md says. Real Redis and Celery, the operator's own loops."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.live_group import UID, live_group
from support.redis_server import redis_server
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.core.pools import claims

VERSION = "5.5"
"""Its environment has the libraries."""
CONCURRENCY = 2
WORKERS = {"image": "any", "app": "support.library_app", "concurrency": CONCURRENCY, "maxReplicas": 1}


async def values(folder: Path, *tasks: dict[str, Any]) -> tuple[list[Any], list[list[str]]]:
    """What the items return, and all runs that were written down."""
    callback = {"task": "libraries.echo", "input": "Results"}
    wanted = TaskGroupSpec.model_validate({"tasks": list(tasks), "workers": WORKERS, "callback": callback})
    with redis_server() as redis:
        async with live_group(wanted, redis, folder, VERSION) as group:
            await group.finished()
            status, runs = group.status, group.runs

    assert (status.state, status.succeeded) == ("Complete", len(tasks))
    assert status.callback
    return json.loads(status.callback.result or ""), runs


async def test_items_are_batched_up_to_what_a_worker_takes(tmp_path: Path) -> None:
    sizes, _ = await values(tmp_path, *({"task": "libraries.batch"} for _ in range(3 * CONCURRENCY)))

    assert max(sizes) == CONCURRENCY


@pytest.mark.long
async def test_a_batch_that_runs_for_long_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker does not tell that it has the items, so they are taken for lost. The time for that is short here."""
    monkeypatch.setattr(claims, "AGED_SECONDS", 1.0)
    monkeypatch.setattr(claims, "CLAIM_SECONDS", 1.0)
    wanted = TaskGroupSpec.model_validate({"tasks": [{"task": "libraries.long_batch"}], "workers": WORKERS})
    with redis_server() as redis:
        async with live_group(wanted, redis, tmp_path, VERSION) as group:
            await group.until(lambda: len(group.runs) == 2)
            (tmp_path / "open").touch()
            await group.finished()

    assert (group.status.state, group.status.succeeded) == ("Complete", 1)
    assert {run[0] for run in group.runs} == {f"{UID}.0"}


async def test_items_are_sent_however_often_where_the_app_s_own_calls_are_dropped(tmp_path: Path) -> None:
    once = {"task": "libraries.once", "args": ["item"]}
    found, runs = await values(tmp_path, once, once, {"task": "libraries.twice", "args": ["call"]})

    assert found == ["item", "item", "dropped"]
    assert runs == [["item"], ["item"]]
