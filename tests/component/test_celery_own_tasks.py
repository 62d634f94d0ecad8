"""Celery's own integration tasks, by a TaskGroup's messages and by Celery's own group, on one worker: what differs.

Both go to one worker as it stands in a pod. What differs is listed here and in docs/workers.md; nothing else may.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery, group

from support.celery_own_tasks import MODULE, own_tasks
from support.celery_worker import CeleryWorker
from support.wait import PATIENCE, eventually
from support.worker_container import UID, until_ready, worker_container, worker_pool
from taskgroup.api.signature import Leaf
from taskgroup.broker.envelope import MessageTemplate
from taskgroup.broker.keys import PoolKeys
from taskgroup.core.task_id import task_id

GROUP = "6f1c2e52-9c1e-4d1e-8a3b-0c5d5f5f5f5f"
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
def worker(redis_url: str, tmp_path: Path) -> Iterator[CeleryWorker]:
    folder = own_tasks()
    if folder is None:
        pytest.skip("Celery's source package cannot be fetched from the package index.")
    (tmp_path / "own_app.py").write_text(
        f"import sys\nsys.path.append({str(folder)!r})\nfrom celery import Celery\n"
        f"app = Celery('own')\nimport {MODULE}\n"
    )
    address = urlsplit(redis_url)
    variables = {"REDIS_HOST": str(address.hostname), "REDIS_PORT": str(address.port)}
    env = [{"name": name, "value": value} for name, value in variables.items()]
    pool = worker_pool(app="own_app", pool="prefork", env=env)
    with worker_container(redis_url, tmp_path, pool) as worker:
        until_ready(worker)
        yield worker


def by_messages_of_the_operator(server: redis.Redis) -> list[str]:
    for index, (name, args, kwargs) in enumerate(CALLS):
        template = MessageTemplate(Leaf(task=f"{MODULE}.{name}"), GROUP, QUEUE)
        server.lpush(QUEUE, template.render(index, 0, args, kwargs))
    return [task_id(GROUP, index) for index in range(len(CALLS))]


def by_group(client: Celery) -> list[str]:
    calls = [client.signature(f"{MODULE}.{name}", args=args, kwargs=kwargs) for name, args, kwargs in CALLS]
    return [result.id for result in group(calls, app=client).apply_async(queue=QUEUE)]


def ends(server: redis.Redis, worker: CeleryWorker, ids: list[str]) -> list[Any]:
    """What is stored of each, with names instead of ids."""

    def open_ones() -> list[str]:
        values = server.mget([f"celery-task-meta-{name}" for name in ids])
        stored = [json.loads(value)["status"] if value else None for value in values]
        return [f"{CALLS[index][0]} {state}" for index, state in enumerate(stored) if state not in ENDED]

    eventually(lambda: not open_ones(), PATIENCE, lambda: (open_ones(), worker.log[-3000:]))
    return [_named(server.get(f"celery-task-meta-{name}"), name) for name in ids]


def _named(raw: Any, name: str) -> Any:
    text = raw.decode().replace(name, "<own id>")
    stored = json.loads(UUID.sub("<uuid>", text))
    return {field: stored[field] for field in ("status", "result")}


@pytest.mark.long
def test_celery_s_own_tasks_end_as_in_celery_s_own_group(redis_url: str, worker: CeleryWorker) -> None:
    client = Celery(broker=redis_url, backend=redis_url, set_as_current=False)
    with redis.Redis.from_url(redis_url) as server:
        ours = ends(server, worker, by_messages_of_the_operator(server))
        theirs = ends(server, worker, by_group(client))

    different = {
        f"{name} {args}": (our, their)
        for (name, args, _), our, their in zip(CALLS, ours, theirs, strict=True)
        if our != their
    }
    assert {name.split()[0] for name in different} == INTENDED, json.dumps(different, indent=1)
