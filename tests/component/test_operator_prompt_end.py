"""How soon a status says that its group has ended, by the clock: operator, API server, Redis and worker are real."""

import json
import subprocess
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from support.machine import all_late
from support.task_groups import Bench, running_bench
from support.wait import PATIENCE, eventually

END_SECONDS = 0.5
"""From the end of the last item to Finished, on the reference machine."""
ITEMS = 2


def test_the_end_of_the_last_item_is_soon_in_the_status(tmp_path: Path) -> None:
    numbers = count()
    with running_bench(tmp_path) as bench:
        assert all_late(lambda: _seconds_until_finished(bench, f"group-{next(numbers)}"), END_SECONDS) == []


def _seconds_until_finished(bench: Bench, name: str) -> float:
    uid = bench.apply(name, sequence={"count": ITEMS}, template={"task": "demo.gate", "args": [name]})
    command = ["kubectl", "--kubeconfig", bench.kubectl.kubeconfig, "--namespace", bench.kubectl.namespace]
    command += ["wait", "--for=condition=Finished", f"taskgroup/{name}", f"--timeout={PATIENCE}s"]
    with (
        bench.worker(uid, f"pod-{name}", "--pool", "threads", "--concurrency", str(ITEMS)),
        bench.redis() as client,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher,
    ):
        eventually(lambda: client.lrange("notes", 0, -1).count(name.encode()) == ITEMS)
        client.set(f"open:{name}", 1)
        assert "condition met" in watcher.communicate(timeout=PATIENCE)[0]
        seen = time.time()
        ends = [json.loads(client.get(f"celery-task-meta-{uid}.{index}"))["date_done"] for index in range(ITEMS)]
    return seen - max(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in ends)
