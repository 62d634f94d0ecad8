"""The container of a worker pod, run as it stands: a real worker starts from it, obeys it and survives its app."""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis

from support.celery_client import celery_client
from support.celery_versions import VERSIONS
from support.celery_worker import CeleryWorker
from support.wait import PATIENCE, eventually
from support.worker_container import POD, UID, until_ready, worker_container, worker_pool
from taskgroup.broker.keys import PoolKeys

KEYS = PoolKeys("", UID)
QUEUE = KEYS.queue
STUBBORN = '''
"""An app whose own settings, given under a prefix as in Django, would break a group."""
from support.celery_app import app

class Settings:
    CELERY_TASK_IGNORE_RESULT = True
    CELERY_TASK_ROUTES = {"demo.*": {"queue": "elsewhere"}}
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 1, "unacked_key": "theirs"}
    CELERY_ACCEPT_CONTENT = ["pickle"]

app.config_from_object(Settings, namespace="CELERY")
'''


def started(url: str, folder: Path, app: str, version: str | None = None) -> AbstractContextManager[CeleryWorker]:
    return worker_container(url, folder, worker_pool(app=app), version=version)


@pytest.fixture
def board(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("app", ["support.celery_app", "stubborn"])
def test_a_worker_obeys_the_command_line_and_not_its_app(
    redis_url: str, tmp_path: Path, board: redis.Redis, app: str, version: str
) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    with started(redis_url, tmp_path, app, version) as worker, celery_client(redis_url) as client:
        until_ready(worker)
        gate = client.send_task("demo.gate", ["g"], queue=QUEUE)
        eventually(lambda: board.lrange("notes", 0, -1) == [b"g"], state=lambda: worker.log)

        assert board.hlen(KEYS.unacked(POD)) == 1
        assert board.zcard(KEYS.unacked_index(POD)) == 1
        board.set("open:g", 1)
        assert gate.get(timeout=PATIENCE) == "g"
        assert 0 < board.ttl(f"celery-task-meta-{gate.id}") <= 1000
        eventually(lambda: not board.exists(KEYS.unacked(POD)), state=lambda: board.hgetall(KEYS.unacked(POD)))


def test_subtasks_stay_in_the_group_s_queue(redis_url: str, tmp_path: Path, board: redis.Redis) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    with started(redis_url, tmp_path, "stubborn") as worker, celery_client(redis_url) as client:
        until_ready(worker)
        client.send_task("demo.child", queue=QUEUE)

        eventually(lambda: board.lrange("notes", 0, -1) == [b"child"], state=lambda: worker.log)


def test_sigterm_lets_the_running_task_end(redis_url: str, tmp_path: Path, board: redis.Redis) -> None:
    with started(redis_url, tmp_path, "support.celery_app") as worker, celery_client(redis_url) as client:
        until_ready(worker)
        gate = client.send_task("demo.gate", ["g"], queue=QUEUE)
        eventually(lambda: board.lrange("notes", 0, -1) == [b"g"], state=lambda: worker.log)
        worker.process.send_signal(signal.SIGTERM)
        eventually(lambda: "Warm shutdown" in worker.log, state=lambda: worker.log)
        board.set("open:g", 1)

        assert gate.get(timeout=PATIENCE) == "g"
        assert worker.process.wait(timeout=PATIENCE) == 0


def test_an_app_that_is_not_there_ends_the_worker_with_the_reason(redis_url: str, tmp_path: Path) -> None:
    with started(redis_url, tmp_path, "nosuch") as worker:
        assert worker.process.wait(timeout=PATIENCE) == 2

    assert worker.log.rstrip().endswith("The module nosuch was not found.")
