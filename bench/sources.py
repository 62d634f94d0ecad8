"""A million items that stand elsewhere: the memory of the operator and of the pod that reads them, and the time."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.stage import Object, Stage, stage
from bench.table import Bound, show_bounds

from support.wait import eventually_async
from taskgroup.api.names import LABEL_ITEMS_OF
from taskgroup.cluster.resources import PODS

ITEMS = int(os.environ.get("BENCH_ITEMS", "1000000"))
_READER = {"TASKGROUP_READER_IMAGE": "localhost/taskgroup-operator:dev"}
_NAME = "customers.jsonl"
_POLL_SECONDS = 0.2
_READER_MEGABYTES = 256
"""Half of what the pod may take."""


async def main() -> int:
    """Run the benchmark and return the exit code."""
    with _site() as url:
        async with stage(**_READER) as environment:
            before = environment.operator_megabytes
            template = {"task": "demo.noop", "args": ["$(item.email)"]}
            uid = await environment.create("sources", itemsFrom={"url": url}, template=template)
            began = time.perf_counter()
            reader = await _read(environment, uid)
            read = time.perf_counter()
            memory = await _started(environment)
            checked = time.perf_counter()
    return show_bounds(
        f"{ITEMS:,} JSON lines of a URL; {read - began:.0f} s until they are in Redis, {checked - read:.0f} s more"
        " until the operator has checked all and dispatches.",
        [
            Bound("memory of the operator, more than before", memory - before, 50, "MB"),
            Bound("memory of the reader", reader, _READER_MEGABYTES, "MB"),
        ],
    )


@contextmanager
def _site() -> Iterator[str]:
    """The URL of the lines."""
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / _NAME).open("w") as lines:
            for number in range(ITEMS):
                person = {"id": number, "email": f"customer-{number}@example.com", "name": f"Customer {number}"}
                lines.write(json.dumps(person) + "\n")
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{_NAME}"
        server.shutdown()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """It says nothing."""


async def _read(environment: Stage, uid: str) -> float:
    """Do what the kubelet would with the pod that the operator makes; the most MB that its program had."""
    found = list[Object]()

    async def are_there() -> bool:
        found[:] = await environment.cluster.list_all(PODS, environment.namespace, labels=f"{LABEL_ITEMS_OF}={uid}")
        return bool(found)

    await eventually_async(are_there)
    (container,) = found[0]["spec"]["containers"]
    request = next(entry["value"] for entry in container["env"] if entry["name"] == "TASKGROUP_ITEMS")
    variables = {**os.environ, "TASKGROUP_ITEMS": request, "CELERY_BROKER_URL": environment.server.url}
    return await asyncio.to_thread(_run, [sys.executable, *container["command"][1:]], variables)


def _run(command: list[str], variables: dict[str, str]) -> float:
    process = subprocess.Popen(command, env=variables)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError("the reader has failed")
    return used.ru_maxrss / 1024


async def _started(environment: Stage) -> float:
    """The highest memory in MB until items are dispatched."""
    memory = 0.0
    while True:
        memory = max(memory, environment.operator_megabytes)
        (status,) = environment.statuses.by_name.values()
        if status.get("total") == ITEMS and status.get("active"):
            return memory
        await asyncio.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
