# shellcheck shell=bash
# Builds the pinned binaries once; a folder named by the hash of everything that decides them holds the outcome.

# A server without these says v0.0.0, and charts that state a kubeVersion refuse it.
VERSION_FLAGS="-X k8s.io/component-base/version.gitVersion=$KUBERNETES
  -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
LIGHT_BINARIES=(etcd kube-apiserver kube-controller-manager kubectl helm)
declare -A MINUTES_OF=([full]=10 [light]=7)
BINARIES=("${LIGHT_BINARIES[@]}" kube-scheduler kubelet kube-proxy containerd containerd-shim-runc-v2 ctr runc coredns)

pins() {
  { cat "$HERE"/tools/*/{go.mod,go.sum} "$HERE"/tools/*/*.go; declare -f build_one go_build; echo "$VERSION_FLAGS"; } \
    | sha256sum | cut -c1-12
}

build() {
  local -a wanted=("${BINARIES[@]}")
  [ "$MODE" = full ] || wanted=("${LIGHT_BINARIES[@]}")
  local name; local -a missing=()
  for name in "${wanted[@]}"; do
    [ -x "$BIN/$name" ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  need_go
  need_for_build
  mkdir -p "$BIN"
  [ ${#missing[@]} -lt 5 ] || say "building Kubernetes from source: about ${MINUTES_OF[$MODE]} minutes on 2 cores, once"
  local number=0
  for name in "${missing[@]}"; do
    say "building $name … ($((number += 1)) of ${#missing[@]})"
    build_one "$name"
  done
  # Binaries of pins that nobody built against for a month.
  touch "$BIN"
  find "$CACHE" -maxdepth 1 -name 'bin-*' -mtime +30 -exec rm -rf {} +
}

build_one() { # BINARY
  local module=k8s.io/kubernetes/cmd
  case $1 in
    etcd) go_build etcd "$1" "" go.etcd.io/etcd/server/v3 ;;
    containerd | containerd-shim-runc-v2 | ctr) go_build containerd "$1" "" "github.com/containerd/containerd/v2/cmd/$1" ;;
    coredns) go_build coredns "$1" "" . ;;
    helm) go_build helm "$1" "" helm.sh/helm/v4/cmd/helm ;;
    # It needs cgo and libseccomp: without them every pod with a seccomp profile is refused.
    runc) CGO=1 go_build runc "$1" "" -tags seccomp github.com/opencontainers/runc ;;
    *) go_build kubernetes "$1" "$VERSION_FLAGS" "$module/$1" ;;
  esac
}

go_build() { # TOOL BINARY LDFLAGS [FLAG...] PACKAGE
  local tool=$1 binary=$2 flags=$3; shift 3
  # A file appears under its own name only when it is whole: an interrupted build goes on where it stopped.
  (
    cd "$HERE/tools/$tool"
    GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=${CGO:-0} "$GO" build -trimpath -buildvcs=false -ldflags "-s -w $flags" -o "$BIN/.$binary" "$@"
  ) > "$CACHE/go-build.log" 2>&1 || { tail -n 20 "$CACHE/go-build.log" >&2; die "building $binary failed; the whole log is $CACHE/go-build.log."; }
  mv "$BIN/.$binary" "$BIN/$binary"
}
