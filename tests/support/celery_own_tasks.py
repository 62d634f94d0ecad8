"""The tasks of Celery's own integration tests, from the source package of a pinned version, kept in `.build`.

They are Celery's, so they are fetched and not committed.
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

_VERSION = "5.7.0"
_SHA256 = "6a5dfcf6662287204f009a02002b9e66c83d4105e47ebabdc7079108772fc6f0"
_CACHE = Path(__file__).parents[2] / ".build" / "celery-own-tasks" / f"{_VERSION}-{_SHA256[:16]}"
MODULE = "celery_integration_tasks"
"""What the module is called for the worker; its tasks' names begin with it."""


def own_tasks() -> Path | None:
    """The folder that holds MODULE; None when the package index cannot be reached."""
    file = _CACHE / f"{MODULE}.py"
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            package = _fetched(Path(folder))
            if package is None:
                return None
            with tarfile.open(package) as archive:
                source = archive.extractfile(f"celery-{_VERSION}/t/integration/tasks.py")
                assert source is not None
                _CACHE.mkdir(parents=True, exist_ok=True)
                file.write_bytes(source.read())
    return _CACHE


def _fetched(folder: Path) -> Path | None:
    """pip refuses a package whose hash is another; that is an error, a missing index is not."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"celery=={_VERSION} --hash=sha256:{_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--retries=1", "--no-deps", "--no-build-isolation"]
    command += ["--no-binary", ":all:", "--require-hashes", "--dest", str(folder), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "HASH" in done.stderr.upper():
        raise RuntimeError(done.stderr)
    found = list(folder.glob("celery-*.tar.gz"))
    return found[0] if done.returncode == 0 and found else None
