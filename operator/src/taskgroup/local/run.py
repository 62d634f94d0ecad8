"""`taskgroup run`: one TaskGroup on this machine, with the operator's own loops and a stock Celery worker.

What a cluster would add is played by small parts: the status is kept in memory, the only pod is a process, and the
broker is a redis-server that lives as long as the run.
"""

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import yaml

from taskgroup.api.names import ConditionType
from taskgroup.core.status.conditions import is_true
from taskgroup.local.checking import check
from taskgroup.local.errors import LocalError
from taskgroup.local.manifests import Manifest, ManifestError, read_manifests
from taskgroup.local.plan import Output
from taskgroup.local.progress import Progress
from taskgroup.local.redis_server import Broker, GivenServer, redis_server
from taskgroup.local.session import Session
from taskgroup.local.worker_process import Starter, left_out
from taskgroup.transport.url import parse

COMPLETE, FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What to run, and how."""

    file: str
    app: str | None = None
    """Instead of the manifest's."""
    name: str | None = None
    """Which TaskGroup, when the file has several."""
    redis_url: str | None = None
    """None: a server of our own."""
    python: str = sys.executable
    """The interpreter of the workers."""
    results: Path | None = None
    """Where to write what each item returned."""
    worker_log: Path | None = None
    output: Output = Output.TEXT
    items: Path | None = None
    """What spec.itemsFrom names."""


def run_group(options: RunOptions, out: TextIO, progress: Progress) -> int:
    """Run it to its end and print its status; returns the exit code.

    ManifestError, LocalError or ValueError with a sentence when it cannot be run.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    checked = check(_chosen(read_manifests(options.file).groups, options.name), options.items)
    workers = checked.spec.workers
    if ignored := left_out(workers):
        progress.say(f"Without meaning here, and left out: workers.{', workers.'.join(ignored)}.")
    with _places(options) as (broker, log):
        starter = Starter(options.python, broker.url, log)
        session = Session(checked, options.app or workers.app, broker, starter, progress)
        try:
            asyncio.run(session.run(options.results, clean=options.redis_url is not None))
        finally:
            progress.end()
    print(_status_text(session, options.output), end="", file=out)
    if not session.is_finished:
        return INTERRUPTED
    return COMPLETE if is_true(session.status, ConditionType.COMPLETE) else FAILED


def _interrupt(*_: Any) -> None:
    """So that what was started is ended on the way out."""
    raise KeyboardInterrupt


@contextmanager
def _places(options: RunOptions) -> Iterator[tuple[Broker, Path]]:
    """The broker, and the file for what the worker says."""
    with tempfile.TemporaryDirectory(prefix="taskgroup-") as name, ExitStack() as stack:
        folder, url = Path(name), options.redis_url
        broker = stack.enter_context(redis_server(folder)) if url is None else GivenServer(url)
        parse(broker.url)
        log = options.worker_log or folder / "worker.log"
        for path in (log, options.results):
            _check_writable(path)
        yield broker, log


def _check_writable(path: Path | None) -> None:
    """Before the work, not after it."""
    if path is None:
        return
    try:
        path.open("ab").close()
    except OSError as error:
        raise LocalError(f"{path}: the file cannot be written ({error.strerror}); name another.") from None


def _chosen(groups: tuple[Manifest, ...], name: str | None) -> Manifest:
    found = [group for group in groups if name in (None, group.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(group.name for group in groups)
    if found:
        raise ManifestError(f"The file holds several TaskGroups ({names}): choose one with --name.")
    raise ManifestError(f"The file holds no TaskGroup {name}, but {names}: correct --name.")


def _status_text(session: Session, output: Output) -> str:
    status = {"status": session.status.dump()}
    if output is Output.JSON:
        return f"{json.dumps(status, ensure_ascii=False)}\n"
    return yaml.safe_dump(status, allow_unicode=True)
