#!/usr/bin/env bash
# The demo: images, the chart, some examples. On the local cluster, or with CONTEXT= and REGISTRY= on one of your own.
# EXAMPLES= names others, or all.
set -euo pipefail
cd "$(dirname "$0")/../.."
CONTEXT=${CONTEXT:-} REGISTRY=${REGISTRY:-}
read -ra examples <<< "${EXAMPLES:-}"
# A tag of its own for every run: nodes keep what they pulled under a name, and would run the images of the last time.
TAG=demo-$(date +%Y%m%d%H%M%S)

main() {
  if [ -n "$CONTEXT" ]; then
    own_cluster
  else
    [ -z "$REGISTRY" ] || fail "REGISTRY= means nothing without CONTEXT=; name the context of your cluster too."
    local_cluster
  fi
}

fail() { echo "demo: $*" >&2; exit 1; }

local_cluster() {
  echo "starting the local cluster … (the first time builds it and the images: about 12 minutes on 2 cores)"
  tests/cluster/cluster up > /dev/null
  make product-images
  case " ${examples[*]} " in *" all "* | *" prices "*) tests/cluster/cluster image localhost/postgres:15 tests/cluster/images/postgres ;; esac
  echo "installing the chart …"
  tests/cluster/install
  eval "$(tests/cluster/cluster env)"
  show
  echo
  echo "The cluster stays up: eval \"\$(tests/cluster/cluster env)\"; kubectl -n taskgroup-demo get tg. 'make cluster-down' stops it."
  echo "Its metrics in a Prometheus, until Ctrl-C: make metrics"
}

own_cluster() {
  local tool
  for tool in kubectl helm; do command -v $tool > /dev/null || fail "$tool is needed for a cluster of your own; install it."; done
  kubectl config get-contexts "$CONTEXT" > /dev/null 2>&1 || fail "your kubeconfig has no context $CONTEXT."
  if [[ $CONTEXT == kind-* && -z $REGISTRY ]]; then
    REGISTRY=localhost
    build
    load_into_kind
  else
    [ -n "$REGISTRY" ] || fail "REGISTRY= is missing: name a registry that you may push to and $CONTEXT may pull from."
    build
    push
  fi
  echo "installing the chart …"
  CONTEXT=$CONTEXT REGISTRY=$REGISTRY TAG=$TAG tests/cluster/install
  show --context "$CONTEXT" --worker-image "$REGISTRY/taskgroup-worker:$TAG"
}

show() { PYTHONPATH=tests .venv/bin/python -m demo.demo "$@" "${examples[@]}"; }

builder() {
  local tool
  for tool in docker podman buildah; do
    if command -v $tool > /dev/null; then echo $tool; return; fi
  done
  fail "docker, podman or buildah is needed to build the images; install one."
}

build() {
  TOOL=$(builder) || exit 1
  echo "building the images with $TOOL …"
  unset BASE_IMAGE
  $TOOL build --quiet --tag "$REGISTRY/taskgroup-operator:$TAG" operator
  $TOOL build --quiet --tag "$REGISTRY/taskgroup-worker:$TAG" worker-image
}

push() {
  echo "pushing them to $REGISTRY …"
  $TOOL push "$REGISTRY/taskgroup-operator:$TAG"
  $TOOL push "$REGISTRY/taskgroup-worker:$TAG"
}

load_into_kind() {
  command -v kind > /dev/null || fail "kind is needed to load images into $CONTEXT; install it, or give a REGISTRY=."
  [ "$TOOL" != buildah ] || fail "docker or podman is needed to load images into $CONTEXT; install one, or give a REGISTRY=."
  local archive
  archive=$(mktemp --suffix .tar)
  for image in operator worker; do
    $TOOL save --output "$archive" "localhost/taskgroup-$image:$TAG"
    kind load image-archive "$archive" --name "${CONTEXT#kind-}"
  done
  rm "$archive"
}

main
