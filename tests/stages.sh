#!/usr/bin/env bash
# Runs make targets (each with its variables, as one argument) one after the other up to the first that fails, and prints what each took. A cluster that was not up
# before is taken down at the end, however the run ends.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
CLUSTER=tests/cluster/cluster

declare -a names=() seconds=() outcomes=()
declare -A was_up=()
for mode in "" --light; do
  # shellcheck disable=SC2086  # an empty mode is no argument
  if $CLUSTER status $mode > /dev/null 2>&1; then was_up[${mode:-full}]=1; fi
done

finish() {
  local status=$? index total=0
  trap - EXIT INT TERM
  for mode in "" --light; do
    # shellcheck disable=SC2086
    [ -n "${was_up[${mode:-full}]:-}" ] || $CLUSTER down $mode
  done
  printf '\n%-20s %8s\n' stage seconds
  for index in "${!names[@]}"; do
    printf '%-20s %8d  %s\n' "${names[index]}" "${seconds[index]}" "${outcomes[index]}"
    total=$((total + seconds[index]))
  done
  printf '%-20s %8d  (budget: 1500 with warm caches, 3600 from nothing)\n' total "$total"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

for stage in "$@"; do
  echo "── $stage"
  begin=$SECONDS
  read -ra words <<< "$stage"
  make "${words[@]}"
  status=$?
  names+=("$stage")
  seconds+=($((SECONDS - begin)))
  if [ "$status" -ne 0 ]; then outcomes+=(FAILED); exit 1; fi
  outcomes+=(ok)
done
