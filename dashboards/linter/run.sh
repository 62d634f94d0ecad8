#!/usr/bin/env bash
# Runs Grafana's linter of dashboards over those of the chart. It is built once, in about four minutes on 2 cores, beside the
# local cluster's binaries but apart from them: another version of it must not build Kubernetes anew.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/cluster/lib/common.sh
. ../../tests/cluster/lib/prerequisites.sh

LINTER=$CACHE/dashboard-linter-$(find . -name '*.go' -o -name 'go.*' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-12)

build() {
  local log=$CACHE/dashboard-linter.log
  need_go
  need /etc/ssl/certs/ca-certificates.crt=ca-certificates
  say "building the linter of dashboards, about four minutes on 2 cores, once …"
  # It appears under its own name only when it is whole.
  GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -ldflags "-s -w" -o "$LINTER.part" \
    github.com/grafana/dashboard-linter > "$log" 2>&1 || { tail -n 20 "$log" >&2; die "building it failed; the whole log is $log."; }
  mv "$LINTER.part" "$LINTER"
}

one_at_a_time dashboard-linter
[ -x "$LINTER" ] || build
failed=0
for dashboard in ../../charts/taskgroup-operator/files/dashboards/*.json; do
  # It names every rule, broken or not: what it said is shown only when one is.
  said=$("$LINTER" lint --strict --config .lint "$dashboard" 2>&1) || { printf '%s\n' "$said" >&2; failed=1; }
done
exit "$failed"
