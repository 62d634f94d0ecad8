"""A worker that is told to stop at any instant of its start: it goes, and takes nothing.

It is the first process of a real process namespace, so the kernel treats its signals as in a pod. The pool is the
default one: with solo and threads Celery also runs what arrives within the last second.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from support.celery_client import celery_client
from support.celery_versions import ONE_OF_ALL
from support.celery_worker import CeleryWorker
from support.machine import all_late
from support.wait import PATIENCE, eventually
from support.worker_container import POD, UID, container, start_container, worker_pool
from taskgroup.broker.keys import PoolKeys

KEYS = PoolKeys("", UID)
GONE_SECONDS = 3.0
"""From the order to stop to the end, on the reference machine: all of a start lies in between, where it comes first."""
NAMESPACE = ("--user", "--pid", "--mount")
AS_FIRST_PROCESS = ("unshare", *NAMESPACE, "--map-root-user", "--fork", "--mount-proc", "--kill-child")
SLOW = f"""import pathlib, time
pathlib.Path("imported").touch()
time.sleep({10 * PATIENCE})
"""


class Pod:
    """A container whose worker is the first process of a process namespace."""

    def __init__(self, worker: CeleryWorker) -> None:
        self.worker = worker
        self._spec = container(worker_pool(pool="prefork"))

    @property
    def first_process(self) -> int:
        """Its id outside of the namespace; 0 while there is none."""
        parent = self.worker.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return int(children[0]) if children else 0

    def stop(self) -> None:
        """As the kubelet does: run the hook in the container, then send SIGTERM to its first process."""
        process = eventually(lambda: self.first_process)
        # The name of a process changes when unshare has become the worker: only then the container has started.
        eventually(lambda: Path(f"/proc/{process}/comm").read_text() != "unshare\n")
        hook = self._spec["lifecycle"]["preStop"]["exec"]["command"]
        enter = ("nsenter", f"--target={process}", *NAMESPACE, "--preserve-credentials")
        subprocess.run([*enter, *hook], check=True, timeout=PATIENCE)
        os.kill(process, signal.SIGTERM)


@contextmanager
def pod(url: str, folder: Path, version: str, app: str = "support.celery_app") -> Iterator[Pod]:
    pool = worker_pool(app=app, pool="prefork")
    worker = start_container(url, folder, pool, version=version, wrapper=AS_FIRST_PROCESS)
    try:
        yield Pod(worker)
    finally:
        worker.kill()


@pytest.mark.parametrize("version", ONE_OF_ALL)
def test_a_worker_that_is_stopped_while_it_imports_its_app_ends_at_once(
    redis_url: str, tmp_path: Path, version: str
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    with pod(redis_url, tmp_path, version, "slow") as started:
        eventually((tmp_path / "imported").exists)
        started.stop()

        assert started.worker.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("tenths", range(21))
@pytest.mark.parametrize("version", ONE_OF_ALL)
def test_a_worker_that_is_stopped_at_any_instant_of_its_start_ends_and_takes_nothing(
    redis_url: str, tmp_path: Path, version: str, tenths: int
) -> None:
    assert all_late(lambda: stopped(redis_url, tmp_path, version, tenths), GONE_SECONDS) == []


def stopped(redis_url: str, folder: Path, version: str, tenths: int) -> float:
    """The seconds from the order to stop to the end of a worker that took nothing."""
    with redis.Redis.from_url(redis_url) as server:
        server.flushall()
    with pod(redis_url, folder, version) as started, celery_client(redis_url) as client:
        # The instant is the subject. Whatever the worker does then on this machine, it has to end.
        time.sleep(tenths / 10)
        told = time.monotonic()
        started.stop()
        client.send_task("demo.note", args=["taken"], queue=KEYS.queue)

        assert started.worker.process.wait(PATIENCE) == 0, started.worker.log
        took = time.monotonic() - told
    with redis.Redis.from_url(redis_url) as server:
        assert server.llen(KEYS.queue) == 1, started.worker.log
        assert not server.exists("notes", KEYS.unacked(POD))
    return took
