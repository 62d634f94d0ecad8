#!/usr/bin/env bash
# Runs the generators and names every file whose content that changed, tracked by git or not.
set -euo pipefail
cd "$(dirname "$0")/.."

snapshot() { git ls-files -co --exclude-standard -z | xargs -0 sha256sum 2> /dev/null | sort -k 2 || true; }

before=$(snapshot)
make generate > /dev/null
stale=$(diff <(echo "$before") <(snapshot) | sed -n 's/^[<>] [0-9a-f]*  //p' | sort -u)
[ -z "$stale" ] || { printf 'verify: out of date, now written anew; look at them and commit them:\n%s\n' "$stale" >&2; exit 1; }
