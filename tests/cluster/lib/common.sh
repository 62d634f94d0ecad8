# shellcheck shell=bash
# Paths, addresses and the few words that every other part uses.

CACHE=${TASKGROUP_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/taskgroup-cluster}
KUBERNETES=v1.36.3
CNI_PLUGINS=/usr/lib/cni

# The benchmarking range of RFC 2544 is routed nowhere, so it collides with no network that the machine is in. The node's
# address sits on the loopback interface: nothing of the cluster can be reached from outside the machine.
NODE_IP=198.18.0.1
CLUSTER_RANGE=198.18.0.0/15
POD_CIDR=198.18.1.0/24
SERVICE_CIDR=198.19.0.0/16
SERVICE_API=198.19.0.1

# The same range must bypass a proxy that the machine is set up with, in the components and in every client.
NO_PROXY=${NO_PROXY:-${no_proxy:-}}
NO_PROXY=${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost,$CLUSTER_RANGE
no_proxy=$NO_PROXY
export NO_PROXY no_proxy

say() { printf '%s\n' "$*" >&2; }
die() { say "cluster: $*"; exit 1; }

choose_mode() { # LIGHT CONTROLLERS: the two modes share binaries and nothing else, so both may run at once
  CONTROLLERS=$2
  if [ "$1" = true ]; then
    MODE=light RUN=$CACHE/run-light API_ADDRESS=127.0.0.1 API_PORT=17443 ETCD_PORT=17379 ETCD_PEER_PORT=17380
  else
    MODE=full RUN=$CACHE/run API_ADDRESS=$NODE_IP API_PORT=16443 ETCD_PORT=16379 ETCD_PEER_PORT=16380
  fi
  BIN=$CACHE/bin-$(pins)
  # Whatever KUBECONFIG the user has is neither read nor written.
  KUBECONFIG=$RUN/kubeconfig
  export KUBECONFIG PATH=$BIN:$PATH
}

one_at_a_time() { # NAME: hold a lock until this command ends
  local descriptor
  mkdir -p "$CACHE" 2> /dev/null || die "the folder $CACHE cannot be made; name another with TASKGROUP_CLUSTER_CACHE=."
  exec {descriptor}> "$CACHE/$1.lock"
  flock "$descriptor"
}

wait_for() { # SECONDS WHAT COMMAND...: try until it succeeds; afterwards show what it said last
  local seconds=$1 what=$2 last=; shift 2
  local end=$((SECONDS + seconds))
  while ! last=$("$@" 2>&1); do
    if [ "$SECONDS" -ge "$end" ]; then
      say "$last"
      die "$what took longer than $seconds s; the logs are in $RUN/log."
    fi
    sleep 0.2
  done
}

environment() {
  [ -e "$KUBECONFIG" ] || say "the cluster is not up: 'make cluster-up' starts it; until then only the tools are of use."
  # shellcheck disable=SC2016  # the caller's shell is to expand it
  printf 'export KUBECONFIG=%q\nexport PATH=%q:"$PATH"\nexport NO_PROXY=%q no_proxy=%q\n' "$KUBECONFIG" "$BIN" "$NO_PROXY" "$NO_PROXY"
}
