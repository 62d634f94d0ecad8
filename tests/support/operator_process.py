"""The operator as a process on the component tests' API server, which tests can kill."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from support.ports import free_port
from support.wait import PATIENCE


@dataclass(slots=True)
class OperatorProcess:
    """One operator for one namespace; `log` is the output of all its runs."""

    namespace: str
    kubeconfig: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    """Of the probes."""
    wrapper: tuple[str, ...] = ()
    """A command that becomes the operator."""
    metrics_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> str:
        """Standard output and error."""
        path = self.folder / "operator.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the process without waiting for it."""
        command = [*self.wrapper, sys.executable, "-m", "taskgroup", "operator", "--kubeconfig", self.kubeconfig]
        with (self.folder / "operator.log").open("ab") as output:
            self._process = subprocess.Popen(command, env=self.environment(), stdout=output, stderr=output)

    @property
    def pid(self) -> int:
        """Process id of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """The process has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as the kubelet does."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: the process exists but does nothing until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(number)
            process.wait(timeout=PATIENCE)

    def environment(self) -> dict[str, str]:
        variables = {
            "TASKGROUP_NAMESPACE": self.namespace,
            "TASKGROUP_WATCH_NAMESPACES": self.namespace,
            "TASKGROUP_POD_NAME": "operator-under-test",
            "TASKGROUP_HEALTH_PORT": str(self.port),
            "TASKGROUP_HEALTH_ADDRESS": "127.0.0.1",
            "TASKGROUP_METRICS_PORT": str(self.metrics_port),
            "TASKGROUP_METRICS_ADDRESS": "127.0.0.1",
            # By default the operator dials no server on its own machine.
            "TASKGROUP_BROKERS_ALLOWED": "127.0.0.0/8",
            # A busy API server may not answer longer than a Lease usually lasts, and some tests pause the operator.
            # Nobody waits for a dead one's Lease: each life has the same name.
            "TASKGROUP_LEASE_SECONDS": "300",
        }
        return {**os.environ, **variables, **self.settings}
