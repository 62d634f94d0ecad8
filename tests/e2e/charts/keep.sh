#!/usr/bin/env bash
# Keeps the chart as it was at a commit of this repository, for tests of the upgrade from it.
#
#   keep.sh COMMIT NAME
#
# before-metrics.tgz: keep.sh c389f69 before-metrics, the last chart without metrics, network policies and a disruption budget.
set -euo pipefail
cd "$(dirname "$0")"
git -C "$(git rev-parse --show-toplevel)" archive --format=tar.gz --prefix=taskgroup-operator/ \
  "${1:?a commit}:charts/taskgroup-operator" > "${2:?a name}.tgz"
