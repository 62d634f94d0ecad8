#!/usr/bin/env bash
# Draws docs/images/dashboards: lets the story of tests/e2e/test_dashboards.py happen on the local cluster, watched by a
# Prometheus, and draws what that one knows. With a folder: from the data that an earlier run left there.
#
#   dashboards.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
DATA=${1:-}

if [ -z "$DATA" ]; then
  DATA=$PWD/.build/dashboards
  rm -rf "$DATA"
  make cluster-up images install
  eval "$(tests/cluster/cluster env)"
  PATH=$PWD/.venv/bin:$PATH DASHBOARDS_OUTPUT=$DATA TASKGROUP_E2E_KUBECONFIG=$KUBECONFIG .venv/bin/pytest tests/e2e/test_dashboards.py
fi
PYTHONPATH=tests:. .venv/bin/python -m support.dashboard_pictures "$DATA" docs/images/dashboards
