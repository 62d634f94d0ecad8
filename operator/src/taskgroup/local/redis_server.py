"""The broker of a local run: a redis-server of this machine on a free loopback port, gone with the run."""

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import redis

from taskgroup.local.errors import LocalError

_PROGRAM = "redis-server"
_ATTEMPTS = 5
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02


class Broker(Protocol):
    """What a run needs to know of its Redis."""

    @property
    def url(self) -> str:
        """With its password."""

    def check(self) -> None:
        """LocalError when it can never answer again."""


@dataclass(frozen=True, slots=True)
class GivenServer:
    """A server of somebody else: it may come back."""

    url: str = field(repr=False)

    def check(self) -> None:
        """See Broker."""


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A server that was started for the run."""

    url: str = field(repr=False)
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def check(self) -> None:
        """See Broker. What it held is gone."""
        if self.process.poll() is not None:
            raise LocalError(
                f"The {_PROGRAM} of this run has ended ({_in_words(self.process.returncode)}): run it again, or name"
                " another server with --redis."
            )


def _in_words(code: int) -> str:
    """An exit code in words."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def redis_server(folder: Path) -> Iterator[OwnServer]:
    """A running server whose data is in the folder; LocalError with a sentence when there can be none."""
    if shutil.which(_PROGRAM) is None:
        raise LocalError(
            f"There is no {_PROGRAM} on the PATH: install Redis, or name a server with --redis redis://host:6379/0."
        )
    server = _started(folder)
    try:
        yield server
    finally:
        _end(server.process)


def _started(folder: Path) -> OwnServer:
    """Another process may take the free port before the server does."""
    for _ in range(_ATTEMPTS):
        port, password = _free_port(), secrets.token_urlsafe(16)
        process, url = _start(folder, port, password), f"redis://:{password}@127.0.0.1:{port}/0"
        try:
            if _answers_in_time(process, url):
                return OwnServer(url, process)
        except BaseException:
            _end(process)
            raise
        _end(process)
    raise LocalError(f"{_PROGRAM} does not start: {_last_line(folder)} Or name a server with --redis.")


def _start(folder: Path, port: int, password: str) -> subprocess.Popen[bytes]:
    """The password comes by standard input: every user of the machine can read command lines."""
    process = subprocess.Popen(
        [_PROGRAM, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        # Ctrl-C in a terminal is for us alone.
        start_new_session=True,
    )
    settings = (
        f'port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave ""\nappendonly no\nlogfile {_log(folder).name}\n'
    )
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(settings.encode())
    return process


def _answers_in_time(process: subprocess.Popen[bytes], url: str) -> bool:
    limit = time.monotonic() + _START_SECONDS
    with redis.Redis.from_url(url) as client:
        while time.monotonic() < limit and process.poll() is None:
            try:
                return bool(client.ping())
            except redis.RedisError:
                time.sleep(_POLL_SECONDS)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log(folder: Path) -> Path:
    return folder / "redis.log"


def _last_line(folder: Path) -> str:
    lines = _log(folder).read_text(errors="replace").splitlines() if _log(folder).exists() else []
    return lines[-1] if lines else "it says nothing."
