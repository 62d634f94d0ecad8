"""A worker that is stopped while it still imports its app."""

import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from support.wait import PATIENCE, eventually

BOOT = files("taskgroup.cluster.workers").joinpath("boot.py").read_text()
APP = f"""import pathlib, time
pathlib.Path("imported").touch()
time.sleep({10 * PATIENCE})
"""


def test_a_worker_that_is_stopped_before_it_is_ready_ends_at_once(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(APP)
    process = subprocess.Popen([sys.executable, "-c", BOOT, "-A", "slow", "worker"], cwd=tmp_path)
    try:
        eventually((tmp_path / "imported").exists)
        process.send_signal(signal.SIGTERM)
        # Without a handler it would be -15; as the first process of a container it would not end at all.
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
