"""An app that sets everything in its own way: its items run, retry, start others and end as those of any app."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from celery import Celery
from celery.exceptions import WorkerLostError

from support.celery_client import celery_client
from support.celery_versions import ONE_OF_ALL, VERSIONS
from support.celery_worker import CeleryWorker
from support.odd_values import ATTRIBUTES
from support.redis_server import RedisServer, redis_server
from support.wait import PATIENCE, eventually
from support.worker_container import UID, until_ready, worker_container, worker_pool
from taskgroup.broker.keys import PoolKeys
from taskgroup.results.decode import decode
from taskgroup.results.failures import failure
from taskgroup.results.redis_results import RedisResults

TESTS = Path(__file__).parents[1]
OUTAGE_SECONDS = 8
NAP_SECONDS = 0.5
QUEUE = PoolKeys("", UID).queue
STYLES = ("plain", "prefixed", "old")
KINDS = ["declared", "bound", "annotated", "changed", "shared", "registered"]


@contextmanager
def odd_worker(url: str, folder: Path, version: str, style: str = "plain") -> Iterator[CeleryWorker]:
    pool = worker_pool(app="support.odd_app", pool="prefork", env=[{"name": "ODD_STYLE", "value": style}])
    with worker_container(url, folder, pool, version=version) as worker:
        until_ready(worker)
        yield worker


@pytest.fixture
def client(redis_url: str) -> Iterator[Celery]:
    with celery_client(redis_url) as found:
        yield found


def is_sent(server: RedisServer, name: str) -> bool:
    with server.client() as client:
        messages = [json.loads(message) for message in client.lrange(QUEUE, 0, -1)]
    return any(message["properties"]["correlation_id"] == name for message in messages)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("version", VERSIONS)
def test_items_of_an_odd_app_retry_and_start_tasks_of_every_kind(
    redis_url: str, tmp_path: Path, client: Celery, version: str, style: str
) -> None:
    with odd_worker(redis_url, tmp_path, version, style):
        children = client.send_task("odd.parent", queue=QUEUE).get(timeout=PATIENCE)

        assert [client.AsyncResult(child).get(timeout=PATIENCE) for child in children] == KINDS
    with redis.Redis.from_url(redis_url) as server:
        # Nothing waits in a queue that nobody reads.
        assert not list(server.scan_iter(_type="list"))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_result_says_how_long_its_task_ran(
    redis_url: str, tmp_path: Path, client: Celery, version: str
) -> None:
    """Its last attempt alone: not the wait in the queue, and not the attempts before."""
    results = RedisResults(redis_url)
    with odd_worker(redis_url, tmp_path, version):
        began = time.monotonic()
        sent = client.send_task("odd.nap", args=[NAP_SECONDS], queue=QUEUE)
        assert sent.get(timeout=PATIENCE) == "slept"
        both_attempts = time.monotonic() - began
        ends = await results.ended([sent.id])
    await results.close()

    assert NAP_SECONDS <= ends.run_seconds[sent.id] <= both_attempts - NAP_SECONDS
    assert client.AsyncResult(sent.id).state == "SUCCESS", "Celery reads it as before"


@pytest.mark.parametrize("version", VERSIONS)
def test_no_task_of_an_odd_app_is_acknowledged_early_or_stores_nothing(
    redis_url: str, tmp_path: Path, client: Celery, version: str
) -> None:
    with odd_worker(redis_url, tmp_path, version) as worker:
        # Asked as the operator asks: by the plain name of the control exchange.
        answers = client.control.inspect(timeout=PATIENCE, limit=1).registered(*sorted(ATTRIBUTES))

    assert answers, worker.log
    (tasks,) = answers.values()
    assert len(tasks) > len(KINDS)
    for task in tasks:
        assert "acks_late=True" in task
        for unwanted in ("reject_on_worker_lost=True", "ignore_result=True", "mail", "pickle"):
            assert unwanted not in task


@pytest.mark.parametrize("version", VERSIONS)
def test_a_task_that_is_made_while_the_worker_runs_keeps_nothing_of_its_own(
    redis_url: str, tmp_path: Path, client: Celery, version: str
) -> None:
    with odd_worker(redis_url, tmp_path, version):
        late = client.send_task("odd.late", queue=QUEUE).get(timeout=PATIENCE)

    nothing = dict.fromkeys(ATTRIBUTES)
    assert late == nothing | {
        "acks_late": True,
        "reject_on_worker_lost": False,
        "ignore_result": False,
        "serializer": "json",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_an_item_that_dies_with_its_process_fails_once_and_is_not_run_for_ever(
    redis_url: str, tmp_path: Path, client: Celery, version: str
) -> None:
    with odd_worker(redis_url, tmp_path, version):
        with pytest.raises(WorkerLostError):
            client.send_task("odd.killed", queue=QUEUE).get(timeout=PATIENCE)

        assert client.send_task("odd.bound", queue=QUEUE).get(timeout=PATIENCE) == "bound"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_value_that_only_pickle_could_store_fails_with_the_remedy(
    redis_url: str, tmp_path: Path, client: Celery, version: str
) -> None:
    with odd_worker(redis_url, tmp_path, version), redis.Redis.from_url(redis_url) as server:
        item = client.send_task("odd.unstorable", queue=QUEUE)
        eventually(item.ready)
        stored = decode(server.get(f"celery-task-meta-{item.id}"))

    assert stored is not None
    assert failure(stored).reason == "EncodeError"
    assert "type set is not JSON" in failure(stored).message
    assert "Only JSON can be stored: return a list" in failure(stored).message


@pytest.mark.parametrize("version", VERSIONS)
def test_the_pool_is_the_group_s_and_not_the_app_s(
    redis_url: str, tmp_path: Path, client: Celery, version: str
) -> None:
    with odd_worker(redis_url, tmp_path, version) as worker:
        answers = client.control.inspect(timeout=PATIENCE, limit=1).stats()

    assert answers, worker.log
    (stats,) = answers.values()
    assert stats["pool"]["implementation"] == "celery.concurrency.prefork:TaskPool"
    assert stats["pool"]["max-concurrency"] == 1


def test_variables_that_celery_s_command_line_reads_do_not_lead_the_worker_elsewhere(
    redis_url: str, tmp_path: Path, client: Celery
) -> None:
    elsewhere = "redis://127.0.0.1:1/0"
    env = [{"name": name, "value": elsewhere} for name in ("BROKER_URL", "RESULT_BACKEND", "CELERY_RESULT_BACKEND")]
    with worker_container(redis_url, tmp_path, worker_pool(env=env)) as worker:
        until_ready(worker)

        assert client.send_task("demo.echo", queue=QUEUE).get(timeout=PATIENCE) == [[], {}]


@pytest.mark.parametrize("version", ONE_OF_ALL)
def test_a_project_s_own_module_does_not_hide_one_of_python(
    redis_url: str, tmp_path: Path, client: Celery, version: str
) -> None:
    for name in ("queue", "signal", "types"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('This is the project.')")
    (tmp_path / "project.py").write_text("from support.celery_app import app")
    pool = worker_pool(app="project")
    variables = {"PYTHONPATH": str(TESTS)}
    with worker_container(redis_url, tmp_path, pool, version=version, variables=variables) as worker:
        until_ready(worker)

        assert client.send_task("demo.echo", queue=QUEUE).get(timeout=PATIENCE) == [[], {}]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_retry_is_sent_when_redis_is_back(tmp_path: Path, version: str) -> None:
    with (
        redis_server(persistent=True) as server,
        odd_worker(server.url, tmp_path, version),
        celery_client(server.url) as client,
    ):
        item = client.send_task("odd.again", args=[str(tmp_path)], queue=QUEUE)
        eventually((tmp_path / "runs").exists)
        server.kill()
        (tmp_path / "go").touch()
        # How long Redis is away; left to itself, Celery gives up after a second.
        time.sleep(OUTAGE_SECONDS)
        server.start()

        # Whether this worker takes it is another matter: on 5.3 it may wait for what its first run has left behind.
        eventually(lambda: is_sent(server, item.id) or item.state in ("SUCCESS", "FAILURE"))
        assert item.state != "FAILURE"
