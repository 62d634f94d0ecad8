"""The operator as a container's first process, for which the kernel drops every signal that it has no handler for."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from support.operator_process import OperatorProcess
from support.wait import PATIENCE, eventually

_DOCKERFILE = Path(__file__).parents[2] / "operator/Dockerfile"


class FirstProcess:
    """It is started by the image's own entry point, in a PID namespace of its own."""

    def __init__(self, operator: OperatorProcess) -> None:
        """Starts it; `operator` says with which settings."""
        command = ["unshare", "--pid", "--fork", "--kill-child", *_entry_point()]
        options = ["operator", "--kubeconfig", operator.kubeconfig]
        with (operator.folder / "operator.log").open("ab") as output:
            self._outer = subprocess.Popen(
                [*command, *options], env=operator.environment(), stdout=output, stderr=output
            )
        self.pid = eventually(self._python, step=0.001)
        self.started = time.monotonic()

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send the signal; returns the exit code and the seconds until the end."""
        sent = time.monotonic()
        os.kill(self.pid, number)
        code = self._outer.wait(PATIENCE)
        return code, time.monotonic() - sent

    def _python(self) -> int:
        """Its process id once the entry point runs Python; 0 before."""
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        if not children:
            return 0
        return int(children[0]) if "python" in Path(f"/proc/{children[0]}/comm").read_text() else 0


def _entry_point() -> list[str]:
    """Of the operator's image, with the Python of this environment."""
    found = re.search(r"^ENTRYPOINT (\[.*\])$", _DOCKERFILE.read_text(), re.MULTILINE)
    assert found
    words: list[str] = json.loads(found[1])
    return [sys.executable if word == "python" else word for word in words]
