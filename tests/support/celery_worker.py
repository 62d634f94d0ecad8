"""Stock Celery workers as processes, started as the operator starts them in pods."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.celery_versions import celery_python
from support.wait import PATIENCE, eventually

_TESTS = Path(__file__).parents[1]


@dataclass(slots=True)
class CeleryWorker:
    """A running worker; `log` is its whole output so far."""

    name: str
    path: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def log(self) -> str:
        """Standard output and error."""
        return self.path.read_text(errors="replace")

    def stop(self) -> None:
        """Warm shutdown, as kubelet's SIGTERM. It waits for what runs: where that never ends, `kill`."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL to the worker and its children, as when a pod's container is killed."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=PATIENCE)


@contextmanager
def celery_worker(
    url: str,
    queue: str,
    folder: Path,
    *,
    name: str = "pod-a",
    transport_options: dict[str, str] | None = None,
    arguments: tuple[str, ...] = ("--pool", "solo"),
    settings: tuple[str, ...] = (),
    version: str | None = None,
) -> Iterator[CeleryWorker]:
    """A worker of `support.celery_app` on one queue, ready to consume when the block begins and gone at its end.

    `version` is one of `celery_versions.VERSIONS`; without it, the worker has the Celery of the tests.
    """
    options = json.dumps(transport_options or {})
    command = [
        str(celery_python(version)) if version else sys.executable,
        "-m",
        "celery",
        "-A",
        "support.celery_app",
        "worker",
        "-Q",
        queue,
        "-n",
        f"celery@{name}",
    ]
    command += ["--loglevel", "INFO", *arguments, "task_acks_late=1", "worker_prefetch_multiplier=1"]
    command += [f"task_default_queue={queue}", f"broker_transport_options=(dict){options}", *settings]
    environment = os.environ | {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": url, "PYTHONPATH": str(_TESTS)}
    path = folder / f"{name}.log"
    with path.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    worker = CeleryWorker(name, path, process)
    try:
        eventually(lambda: " ready." in worker.log or process.poll() is not None, state=lambda: worker.log)
        assert process.poll() is None, worker.log
        yield worker
    finally:
        worker.stop()
