"""A Redis server on a free loopback port, with a directory of its own."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from support.ports import free_port
from support.wait import PATIENCE

_ATTEMPTS = 5


@dataclass(slots=True)
class RedisServer:
    """A redis-server process. It keeps its port over `kill` and `start`; data survives when `persistent`."""

    folder: Path
    password: str | None = None
    persistent: bool = False
    arguments: tuple[str, ...] = ()
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """With the password, database 0."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0" if self.password else self.open_url

    @property
    def open_url(self) -> str:
        """Without any password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A plain synchronous client; the caller closes it."""
        return redis.Redis.from_url(self.url)

    def start(self, *, answering: bool = True) -> None:
        """Start the server, on the port of its former run if there was one. Waits for a response if `answering`."""
        fixed = self.port
        for _ in range(_ATTEMPTS):
            # Another process may take the free port before the server does.
            self.port = fixed or free_port()
            self._process = subprocess.Popen(self._command())
            if not answering or self._answered():
                return
            self.kill()
        raise RuntimeError(f"redis-server does not start: {self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """SIGTERM. The data is lost unless the server is persistent."""
        self._end(force=False)

    def kill(self) -> None:
        """SIGKILL, as on a power cut."""
        self._end(force=True)

    def pause(self) -> None:
        """Stop responding until `resume`, without closing connections."""
        self._signal("-STOP")

    def resume(self) -> None:
        """Undo `pause`."""
        self._signal("-CONT")

    @property
    def _log(self) -> Path:
        return self.folder / "redis.log"

    def _command(self) -> list[str]:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes" if self.persistent else "no", "--logfile", str(self._log)]
        command += ["--requirepass", self.password] if self.password else []
        return [*command, *self.arguments]

    def _answered(self) -> bool:
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit and self._process and self._process.poll() is None:
            if self._answers():
                return True
            time.sleep(0.02)
        return False

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def _end(self, *, force: bool) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        if force:
            process.kill()
        else:
            process.terminate()
        process.wait(timeout=PATIENCE)

    def _signal(self, name: str) -> None:
        if self._process:
            subprocess.run(["kill", name, str(self._process.pid)], check=True)


@contextmanager
def redis_server(
    *, password: str | None = None, persistent: bool = False, arguments: tuple[str, ...] = ()
) -> Iterator[RedisServer]:
    """A running server; it is stopped and its data is removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder), password, persistent, arguments)
        try:
            server.start()
            yield server
        finally:
            server.resume()
            server.stop()
