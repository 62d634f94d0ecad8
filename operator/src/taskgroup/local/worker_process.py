"""A stock Celery worker as a process of this machine, started with the command line and the variables of a pod."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from taskgroup.api.workers import Workers
from taskgroup.cluster.workers.command import arguments, command
from taskgroup.cluster.workers.manifest import BROKER_VARIABLES, RESULT_VARIABLES
from taskgroup.core.pools.pool_spec import POD_NAME, PoolSpec
from taskgroup.local.errors import LocalError

READY = " ready."
"""Celery's last word before it takes messages."""
LEFT_OUT = ("init_containers", "sidecars", "volumes", "volume_mounts", "env_from")
"""Fields of `workers` that mean nothing to a process."""


class Worker(Protocol):
    """A worker that runs, or has ended."""

    @property
    def process(self) -> subprocess.Popen[bytes]: ...
    @property
    def log(self) -> str:
        """What it has said."""

    def kill(self) -> None:
        """End it, with its children, at once."""


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """`Worker`, which writes its log into a file."""

    process: subprocess.Popen[bytes] = field(repr=False)
    path: Path
    began: int
    """How long the file was when it started: others may have written before."""

    @property
    def log(self) -> str:
        """See Worker."""
        with self.path.open("rb") as file:
            file.seek(self.began)
            return file.read().decode(errors="replace")

    def kill(self) -> None:
        """See Worker. A prefork worker's children outlive it, and would go on with what they run."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts workers of one group."""

    python: str
    """The interpreter that has Celery and the app."""
    url: str = field(repr=False)
    log: Path

    def start(self, pool: PoolSpec, pod: str) -> WorkerProcess:
        """A worker under this name, in a session of its own: Ctrl-C in a terminal is not for it."""
        line = [self.python, *command()[1:], *(_expanded(argument, pod) for argument in arguments(pool))]
        with self.log.open("ab") as output:
            began = output.tell()
            return WorkerProcess(self._process(line, self._environment(pool.workers, pod), output), self.log, began)

    def _process(self, line: list[str], environment: Mapping[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                line, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            raise LocalError(f"{self.python} cannot be started ({error.strerror}): correct --python.") from None

    def _environment(self, workers: Workers, pod: str) -> Mapping[str, str]:
        given = {variable.name: variable.value or "" for variable in workers.env or () if variable.value_from is None}
        own = dict.fromkeys((*BROKER_VARIABLES, *RESULT_VARIABLES), self.url)
        return os.environ | given | own | {"POD_NAME": pod, "REMAP_SIGTERM": ""}


def left_out(workers: Workers) -> list[str]:
    """What of the manifest has no meaning here, by the names of its fields."""
    fields = type(workers).model_fields
    names = [str(fields[name].alias) for name in LEFT_OUT if getattr(workers, name)]
    sourced = [variable.name for variable in workers.env or () if variable.value_from is not None]
    return [*names, *(f"env {name}" for name in sourced)]


def _expanded(argument: str, pod: str) -> str:
    """As Kubernetes reads it: the variable is replaced, and two dollar signs are one."""
    return argument.replace(POD_NAME, pod).replace("$$", "$")
