"""Celery's own integration tasks, by a TaskGroup and by Celery's own group, on one worker: what differs.

Both go to one worker as it stands in a pod. What differs is listed here and in docs/workers.md; nothing else may.
"""

import asyncio
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from celery import group

from support.celery_client import celery_client
from support.celery_own_tasks import MODULE, own_tasks
from support.live_group import UID, live_group
from support.redis_server import redis_server
from support.wait import PATIENCE, eventually
from taskgroup.api.spec import TaskGroupSpec
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.task_id import task_id

QUEUE = PoolKeys("", UID).queue
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ENDED = ("SUCCESS", "FAILURE", "REVOKED")
SIGNATURE: dict[str, Any] = {"task": f"{MODULE}.add", "args": [1, 2], "kwargs": {}, "options": {}, "subtask_type": None}
CALLS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("identity", [{"a": [1, None, "é"]}], {}),
    ("add", [1, 2], {}),
    ("add", [1, 2], {"z": 3}),
    ("add", [1], {}),
    ("mul", [2, 3], {}),
    ("add_not_typed", [1], {}),
    ("add_ignore_result", [1, 2], {}),
    ("add_with_result", [1, 2], {}),
    ("raise_error", [1], {}),
    ("chain_add", [1, 2], {}),
    ("chord_add", [1, 2], {}),
    ("delayed_sum", [[1, 2]], {"pause_time": 0}),
    ("delayed_sum_with_soft_guard", [[1, 2]], {"pause_time": 0}),
    ("tsum", [[1, 2, 3]], {}),
    ("xsum", [[1, [2, 3]]], {}),
    ("sum_and_record", [[1, 2], "recorded"], {}),
    ("add_replaced", [1, 2], {}),
    ("record_replaced_task_nesting", [3], {}),
    ("add_replaced_with_chain", [1, 2], {}),
    ("replace_with_chain", [5], {}),
    ("replace_with_chain", [5], {"link_msg": "linked"}),
    ("replace_with_chain_which_raises", [5], {"link_msg": "failed"}),
    ("replace_with_empty_chain", [], {}),
    ("replace_with_chain_which_contains_a_group", [], {}),
    ("add_to_all", [[1, 2, 3], 4], {}),
    ("print_unicode", [], {}),
    ("return_exception", ["text"], {}),
    ("sleeping", [0], {}),
    ("ids", [1], {}),
    ("collect_ids", [[1], 2], {}),
    ("retry_with_args_after_kwargs", [1, 2], {"label": "x"}),
    ("retry_with_kwargs_after_args", [], {"foo": 1, "bar": 2}),
    ("retry_once", [], {}),
    ("retry_once_ignore_result", [], {}),
    ("retry_once_with_result", [], {}),
    ("retry_once_priority", [], {}),
    ("retry_once_headers", [], {}),
    ("redis_echo", ["message"], {}),
    ("redis_echo_group_id", [None], {}),
    ("redis_count", [], {}),
    ("second_order_replace1", [], {}),
    ("build_chain_inside_task", [], {}),
    ("fail", ["detail"], {}),
    ("fail_unpickleable", [1, 2], {}),
    ("fail_replaced", ["detail"], {}),
    ("return_priority", [], {}),
    ("return_request_eta", [], {}),
    ("return_properties", [], {}),
    *(
        (f"return_nested_signature_{outer}_{inner}", [], {})
        for outer in ("chain", "group", "chord")
        for inner in ("chain", "group", "chord")
    ),
    ("rebuild_signature", [SIGNATURE], {}),
    ("replaced_with_me", [], {}),
    ("add_pydantic", [{"x": 1, "y": 2}], {}),
    ("add_pydantic", [{"x": "no", "y": 2}], {}),
    ("add_pydantic_string_annotations", [{"x": 1, "y": 2}], {}),
    ("replace_with_stamped_task", [], {}),
    ("reject_then_succeed", [], {}),
    ("reject_without_requeue", [], {}),
    ("return_request_time_limits", [], {}),
    ("task_with_declared_time_limits", [], {}),
]
INTENDED = {"return_priority", "retry_once_priority", "return_properties"}
"""They show the priority's level in Redis and the delivery tag, which docs/workers.md lists as different."""


@pytest.fixture
def app(tmp_path: Path) -> str:
    """An app with these tasks, and one that holds the group's worker until Celery's group has run, too."""
    folder = own_tasks()
    if folder is None:
        pytest.skip("Celery's source package cannot be fetched from the package index.")
    (tmp_path / "own_app.py").write_text(
        f"import sys, time\nfrom pathlib import Path\nsys.path.append({str(folder)!r})\nfrom celery import Celery\n"
        f"app = Celery('own')\nimport {MODULE}\n\n@app.task(name='own.gate')\ndef gate():\n"
        f"    while not Path({str(tmp_path / 'open')!r}).exists():\n        time.sleep(0.1)\n"
    )
    return "own_app"


def spec(app: str, redis_url: str) -> TaskGroupSpec:
    address = urlsplit(redis_url)
    variables = {"REDIS_HOST": str(address.hostname), "REDIS_PORT": str(address.port)}
    env = [{"name": name, "value": value} for name, value in variables.items()]
    workers = {"image": "any", "app": app, "pool": "prefork", "concurrency": 4, "maxReplicas": 1, "env": env}
    tasks = [{"task": f"{MODULE}.{name}", "args": args, "kwargs": kwargs} for name, args, kwargs in CALLS]
    return TaskGroupSpec.model_validate({"tasks": [*tasks, {"task": "own.gate"}], "workers": workers})


def by_group(url: str) -> list[str]:
    with celery_client(url) as client:
        calls = [client.signature(f"{MODULE}.{name}", args=args, kwargs=kwargs) for name, args, kwargs in CALLS]
        results = [result.id for result in group(calls, app=client).apply_async(queue=QUEUE)]
        eventually(lambda: not open_ones(url, results), PATIENCE, lambda: open_ones(url, results))
    return results


def open_ones(url: str, ids: list[str]) -> list[str]:
    """Those that have not ended, with their state."""
    with redis.Redis.from_url(url) as server:
        values: Any = server.mget([f"celery-task-meta-{name}" for name in ids])
    states = [json.loads(value)["status"] if value else None for value in values]
    return [f"{CALLS[index][0]} {state}" for index, state in enumerate(states) if state not in ENDED]


def ends(url: str, ids: list[str]) -> list[Any]:
    """What is stored of each, with names instead of ids."""
    with redis.Redis.from_url(url) as server:
        return [_named(server.get(f"celery-task-meta-{name}"), name) for name in ids]


def _named(raw: Any, name: str) -> Any:
    stored = json.loads(UUID.sub("<uuid>", raw.decode().replace(name, "<own id>")))
    return {field: stored[field] for field in ("status", "result")}


@pytest.mark.long
async def test_celery_s_own_tasks_end_as_in_celery_s_own_group(app: str, tmp_path: Path) -> None:
    ids = [task_id(UID, index) for index in range(len(CALLS))]
    with redis_server() as server:
        async with live_group(spec(app, server.url), server, tmp_path) as live:
            await live.until(lambda: (live.status.succeeded or 0) + (live.status.failed or 0) == len(CALLS))
            theirs = ends(server.url, await asyncio.to_thread(by_group, server.url))
            (tmp_path / "open").touch()
            await live.finished()
            ours = ends(server.url, ids)

    different = {
        f"{name} {args}": (our, their)
        for (name, args, _), our, their in zip(CALLS, ours, theirs, strict=True)
        if our != their
    }
    assert {name.split()[0] for name in different} == INTENDED, json.dumps(different, indent=1)
    counts = Counter(end["status"] == "SUCCESS" for end in ours)
    assert (live.status.succeeded, live.status.failed) == (counts[True] + 1, counts[False]), "with the gate"
