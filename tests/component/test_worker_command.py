"""The container of a worker pod, run as it stands: a real worker starts from it, obeys it and survives its app."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from support.celery_worker import CeleryWorker
from support.wait import PATIENCE, eventually
from taskgroup.api.spec import Backend, SecretKeyRef
from taskgroup.api.workers import Workers
from taskgroup.cluster.workers.manifest import worker_deployment
from taskgroup.core.meta import Meta
from taskgroup.core.pools.pool_spec import PoolSpec

META = Meta(uid="0f0e0d0c-1111-2222-3333-444455556666", name="pictures", namespace="shop", generation=1)
QUEUE, POD = f"taskgroup-{META.uid}", "pictures-1"
REDIS = Backend(secret_key_ref=SecretKeyRef(name="redis"))
TESTS = Path(__file__).parents[1]
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


def container(app: str) -> dict[str, Any]:
    pool = PoolSpec(
        workers=Workers.model_validate({"image": "any", "app": app, "concurrency": 1, "pool": "solo"}),
        broker=REDIS,
        results=REDIS,
        queue=QUEUE,
        unacked_options={"unacked_key": "held:$(POD_NAME)", "unacked_index_key": "index:$(POD_NAME)"},
        grace_seconds=30,
        backend_hash="abc",
        result_expires_seconds=1000,
    )
    containers: list[dict[str, Any]] = worker_deployment(META, pool, 1)["spec"]["template"]["spec"]["containers"]
    return containers[0]


@contextmanager
def started(url: str, folder: Path, app: str) -> Iterator[CeleryWorker]:
    """Run the container as the kubelet does: replace $(POD_NAME), set the variables, run command and arguments."""
    spec = container(app)
    variables = {variable["name"]: url for variable in spec["env"] if "secretKeyRef" in variable.get("valueFrom", {})}
    variables |= {"POD_NAME": POD, "PYTHONPATH": f"{TESTS}:{folder}"}
    command = spec["command"] + [part.replace("$(POD_NAME)", POD) for part in spec["args"]]
    path = folder / "worker.log"
    with path.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | variables, stdout=output, stderr=output, start_new_session=True
        )
    worker = CeleryWorker(POD, path, process)
    try:
        yield worker
    finally:
        worker.stop()


def ready(worker: CeleryWorker) -> None:
    eventually(lambda: " ready." in worker.log or worker.process.poll() is not None, state=lambda: worker.log)
    assert worker.process.poll() is None, worker.log


@pytest.fixture
def board(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.parametrize("app", ["support.celery_app", "stubborn"])
def test_a_worker_obeys_the_command_line_and_not_its_app(
    redis_url: str, tmp_path: Path, board: redis.Redis, app: str
) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    client = Celery(broker=redis_url, backend=redis_url)
    with started(redis_url, tmp_path, app) as worker:
        ready(worker)
        gate = client.send_task("demo.gate", ["g"], queue=QUEUE)
        eventually(lambda: board.lrange("notes", 0, -1) == [b"g"], state=lambda: worker.log)

        assert board.hlen(f"held:{POD}") == 1
        assert board.zcard(f"index:{POD}") == 1
        board.set("open:g", 1)
        assert gate.get(timeout=PATIENCE) == "g"
        assert 0 < board.ttl(f"celery-task-meta-{gate.id}") <= 1000
        eventually(lambda: not board.exists(f"held:{POD}"), state=lambda: board.hgetall(f"held:{POD}"))


def test_subtasks_stay_in_the_group_s_queue(redis_url: str, tmp_path: Path, board: redis.Redis) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    with started(redis_url, tmp_path, "stubborn") as worker:
        ready(worker)
        Celery(broker=redis_url).send_task("demo.child", queue=QUEUE)

        eventually(lambda: board.lrange("notes", 0, -1) == [b"child"], state=lambda: worker.log)


def test_sigterm_lets_the_running_task_end(redis_url: str, tmp_path: Path, board: redis.Redis) -> None:
    client = Celery(broker=redis_url, backend=redis_url)
    with started(redis_url, tmp_path, "support.celery_app") as worker:
        ready(worker)
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
