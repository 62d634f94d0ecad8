# shellcheck shell=bash
# Makes the definitions of kinds that are not ours, from the Go types in which their projects publish them: the chart's objects
# of these kinds are tried against them.

MONITORING_KINDS=(servicemonitors podmonitors prometheusrules)

definitions() { # prints the folder; a name by the hash of the pins, as for the binaries
  local source=$HERE/definitions/monitoring folder
  folder=$CACHE/definitions-$(cat "$source"/go.* "$source"/*.go | sha256sum | cut -c1-12)
  [ -d "$folder" ] || make_definitions "$source" "$folder"
  touch "$folder"
  find "$CACHE" -maxdepth 1 -name 'definitions-*' -mtime +30 -exec rm -rf {} +
  echo "$folder"
}

make_definitions() { # SOURCE FOLDER
  local partial=$2.partial kind
  need_go
  say "making the definitions of monitoring.coreos.com: a minute, once"
  rm -rf "$partial"
  (
    cd "$1"
    export GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0
    "$GO" tool controller-gen crd:maxDescLen=0 "output:dir=$partial" \
      paths=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1
  ) > "$CACHE/definitions.log" 2>&1 || { tail -n 20 "$CACHE/definitions.log" >&2; die "making definitions failed; the whole log is $CACHE/definitions.log."; }
  for kind in "${MONITORING_KINDS[@]}"; do
    mv "$partial/monitoring.coreos.com_$kind.yaml" "$partial/$kind.yaml"
  done
  rm "$partial"/monitoring.coreos.com_*
  mv "$partial" "$2"
}
