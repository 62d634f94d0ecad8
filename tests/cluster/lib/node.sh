# shellcheck shell=bash
# The node: kubelet, kube-proxy and DNS beside the container runtime.

node() {
  local port
  for port in 53 10250; do free_port "$NODE_IP" "$port"; done
  for port in 10248 10249 10256; do free_port 127.0.0.1 "$port"; done
  kubelet_configuration
  dns_configuration
  containerd_up
  load_images
  start coredns coredns -conf Corefile
  start kubelet kubelet --config=kubelet.yaml --kubeconfig=kubeconfig --root-dir="$RUN/kubelet" --hostname-override=local \
    --node-ip="$NODE_IP" --cert-dir="$RUN/pki"
  # Zero leaves the kernel's connection table alone: writing it fails in many virtual machines.
  start kube-proxy kube-proxy --kubeconfig=kubeconfig --cluster-cidr="$POD_CIDR" --proxy-mode=iptables --conntrack-max-per-core=0 \
    --hostname-override=local --iptables-min-sync-period=100ms
  wait_for 60 "the node" node_is_ready
}

node_is_ready() {
  answers kubelet kubectl get node local -o "jsonpath={.status.conditions[?(@.type=='Ready')].status}" | grep -q True
}

kubelet_configuration() {
  cat > kubelet.yaml << E
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $RUN/pki/ca.crt}}
authorization: {mode: Webhook}
# Control groups of either version, on machines with and without systemd.
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
containerRuntimeEndpoint: unix://$RUN/containerd.sock
clusterDNS: [$NODE_IP]
clusterDomain: cluster.local
resolvConf: ""
maxPods: 250
# A host whose disk is nearly full must not evict the tests.
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
serializeImagePulls: false
# Tests kill the operator again and again; the usual minutes of back-off would be waited for by all others.
crashLoopBackOff: {maxContainerRestartPeriod: 5s}
podLogsDir: $RUN/pod-logs
E
}

dns_configuration() { # it listens on the node's address, so it needs no pod and no image
  cat > Corefile << E
.:53 {
    bind $NODE_IP
    errors
    cache 5
    kubernetes cluster.local in-addr.arpa {
        kubeconfig $KUBECONFIG local
    }
}
E
}
