#!/usr/bin/env bash
# Prints the path of versitygw, an S3 server that keeps objects in a folder. It is built once, in about two minutes on 2 cores,
# beside the local cluster's binaries but apart from them: another version of it must not build Kubernetes anew.
set -euo pipefail
cd "$(dirname "$0")"
. ../cluster/lib/common.sh
. ../cluster/lib/prerequisites.sh

SERVER=$CACHE/s3-server-$(sha256sum go.mod go.sum | sha256sum | cut -c1-12)

build() {
  local log=$CACHE/s3-server.log
  need_go
  need /etc/ssl/certs/ca-certificates.crt=ca-certificates
  say "building the S3 server of the tests, about two minutes on 2 cores, once …"
  # It appears under its own name only when it is whole.
  GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -ldflags "-s -w" -o "$SERVER.part" \
    github.com/versity/versitygw/cmd/versitygw > "$log" 2>&1 || { tail -n 20 "$log" >&2; die "building it failed; the whole log is $log."; }
  mv "$SERVER.part" "$SERVER"
}

one_at_a_time s3-server
[ -x "$SERVER" ] || build
echo "$SERVER"
