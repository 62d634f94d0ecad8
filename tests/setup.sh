#!/usr/bin/env bash
# Makes .venv from requirements-dev.lock; does nothing when it was made from the same lock by the same Python.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null \
  || { echo "setup: Python 3.11 or newer is needed and $PYTHON is not; name one with PYTHON=/path/to/python3." >&2; exit 1; }
[ "$PYTHON" != python3 ] || tests/cluster/cluster need python:ensurepip=python3-venv
# The interpreter behind a virtual environment: with .venv/bin first in PATH, python3 would go with the .venv that is made anew.
PYTHON=$("$PYTHON" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)')
tests/cluster/cluster need jq=jq

wanted=$({ "$PYTHON" -VV; pwd; cat requirements-dev.lock operator/pyproject.toml; } | sha256sum)
[ "$(cat .venv/made-from 2> /dev/null)" != "$wanted" ] || exit 0

echo "making .venv …" >&2
rm -rf .venv
"$PYTHON" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable operator
.venv/bin/pip check --disable-pip-version-check > /dev/null \
  || { .venv/bin/pip check; echo "setup: the lock does not fit operator/pyproject.toml; run 'make lock' with the environment at hand." >&2; exit 1; }
echo "$wanted" > .venv/made-from
