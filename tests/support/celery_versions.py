"""Stock Celery in the versions whose workers are tested, each in a virtual environment of its own.

An environment is made from its lock when it is first asked for (about ten seconds) and kept in `.build/celery`; another
lock, or another Python, makes another one. `python -m support.celery_versions` makes all of them.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

VERSIONS = ("5.3", "5.5", "5.7")
"""5.3.6 with kombu 5.3.7, 5.5.3 with kombu 5.5.4, and the newest 5.7."""
ONE_OF_ALL = [*(pytest.param(version, marks=pytest.mark.long) for version in VERSIONS[:-1]), VERSIONS[-1]]
"""For what is the same to most versions: `make test` tries the newest, `make test-full` the others, too."""
_TESTS = Path(__file__).parents[1]
_CACHE = _TESTS.parent / ".build" / "celery"


def celery_python(version: str) -> Path:
    """The Python that has this version of Celery, and nothing of ours. Safe while other processes ask for the same."""
    lock = _TESTS / "celery-versions" / f"requirements-{version}.lock"
    digest = hashlib.sha256(f"{sys.version} {_CACHE}".encode() + lock.read_bytes()).hexdigest()
    folder = _CACHE / f"{version}-{digest[:16]}"
    if not _is_made(folder):
        _CACHE.mkdir(parents=True, exist_ok=True)
        with (_CACHE / f"{version}.lock").open("w") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)
            if not _is_made(folder):
                _make(folder, lock)
    return folder / "bin" / "python3"


def _is_made(folder: Path) -> bool:
    return (folder / "complete").exists()


def _make(folder: Path, lock: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes")
    subprocess.run([folder / "bin" / "pip", "install", *options, "--requirement", lock], check=True)
    (folder / "complete").touch()


if __name__ == "__main__":
    for each in VERSIONS:
        celery_python(each)
