# shellcheck shell=bash
# The container runtime and its network.

CHAIN=TASKGROUP-CLUSTER
NETWORK=taskgroup-cluster

# Its warnings about the host are for the log: nobody who runs the tests can act on them.
client() { ctr --address "$RUN/containerd.sock" --namespace k8s.io "$@" 2>> "$RUN/log/ctr.log"; }

runtime_is_up() { [ "$MODE" = full ] && started containerd > /dev/null && client version > /dev/null 2>&1; }

containerd_configuration() {
  mkdir -p cni
  # A wire per pod instead of a bridge: all traffic passes the host's own routing, so Services work with or without br_netfilter.
  cat > cni/10-ptp.conflist << E
{"cniVersion": "1.0.0", "name": "$NETWORK", "plugins": [
  {"type": "ptp", "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": "$RUN/ipam", "ranges": [[{"subnet": "$POD_CIDR"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
E
  cat > containerd.toml << E
version = 3
root = "$CACHE/containerd"
state = "$RUN/containerd"
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true   # a machine without CAP_SYS_RESOURCE refuses every sandbox otherwise
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$CNI_PLUGINS"]
    conf_dir = "$RUN/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "$BIN/runc"
      Root = "$RUN/runc"
      SystemdCgroup = false
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "$PAUSE"
E
}

containerd_up() {
  containerd_configuration
  start containerd containerd --config containerd.toml
  wait_for 30 "containerd" answers containerd client version
  # What an unclean end left in its store (a power cut, a kill) would come back as dead pods.
  remove_containers
}

node_address() {
  local other
  other=$(iptables -t nat -S KUBE-SERVICES 2> /dev/null | head -n 1 || true)
  [ -z "$other" ] || die "another Kubernetes node runs on this machine (iptables has its KUBE-SERVICES chain); end it and run this again."
  save_kernel_settings
  sysctl -qw net.ipv4.ip_forward=1
  ip addr replace "$NODE_IP/32" dev lo
  # A host whose firewall forwards nothing by default (Docker's, for one) would cut the pods off.
  iptables -N "$CHAIN"
  iptables -A "$CHAIN" -s "$POD_CIDR" -j ACCEPT
  iptables -A "$CHAIN" -d "$POD_CIDR" -j ACCEPT
  iptables -I FORWARD -j "$CHAIN"
  iptables -I INPUT -j "$CHAIN"
}

save_kernel_settings() { # the kubelet, kube-proxy and the lines above change these; `down` puts them back
  local key
  for key in net.ipv4.ip_forward net.ipv4.conf.all.route_localnet vm.overcommit_memory vm.panic_on_oom kernel.panic \
    kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes; do
    echo "$key=$(sysctl -n "$key")"
  done > "$RUN/sysctl.conf" 2> /dev/null
}
