#!/usr/bin/env bash
# mypy over everything typed. Folders whose modules are imported from their own root are checked from there, so that two of
# them may hold modules of the same name.
set -euo pipefail
cd "$(dirname "$0")/.."

check() { # ROOT PATH... with more options of mypy in OPTIONS; folders that hold no Python yet are left out
  local root=$1 path; local -a paths=(); shift
  for path in "$@"; do
    [ -z "$(find "$path" -name '*.py' -print -quit 2> /dev/null)" ] || paths+=("$path")
  done
  MYPYPATH=$root .venv/bin/mypy --no-error-summary ${OPTIONS:+"$OPTIONS"} "${paths[@]}"
}

check operator/tools operator/src operator/tools bench dashboards tests/unit tests/component tests/hostile tests/e2e tests/support tests/demo tests/cluster/lib
# Celery's decorators have no types, and the examples look like any user's app.
OPTIONS=--allow-untyped-decorators check worker-image/apps worker-image/apps
