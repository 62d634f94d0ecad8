# shellcheck shell=bash
# Takes down what `up` started, also after a crash or a restart of the machine, and puts the machine back as it was.

down() {
  [ -d "$RUN" ] || return 0
  # What runs may be older than the pins of this checkout; it is ended by the tools that it was started with.
  [ ! -e "$RUN/bin" ] || PATH=$(cat "$RUN/bin"):$PATH
  if [ "$MODE" = full ]; then
    need_root
    stop 2 kubelet kube-proxy coredns
    end_containers
    stop 2 containerd
  fi
  # The API server would wait a minute for open watches; none of these has anything to save, for its state goes too.
  stop 1 kube-scheduler kube-controller-manager kube-apiserver etcd
  if [ "$MODE" = full ]; then
    unmount
    clean_network
    clean_folders
  fi
  rm -rf "$RUN"
}

end_containers() { # they outlive a containerd that was killed; only another one knows how to reach them
  [ -e "$RUN/containerd.toml" ] && command -v containerd > /dev/null || return 0
  start containerd containerd --config "$RUN/containerd.toml"
  wait_for 30 "containerd" answers containerd client version
  remove_containers
}

remove_containers() {
  local networks path
  local -a each=(xargs -r -n 1 -P 8 ctr --address "$RUN/containerd.sock" --namespace k8s.io)
  networks=$(client containers ls -q | "${each[@]}" containers info 2> /dev/null | grep -o '/run/netns/cni-[0-9a-f-]*' | sort -u || true)
  client tasks ls -q | "${each[@]}" tasks delete --force > /dev/null 2>&1 || true
  client containers ls -q | "${each[@]}" containers delete > /dev/null 2>&1 || true
  client sandboxes ls 2> /dev/null | awk 'NR > 1 {print $1}' | "${each[@]}" sandboxes rm --force > /dev/null 2>&1 || true
  # A pod's network lives in a mounted namespace; its wire and addresses go with it.
  for path in $networks; do ip netns delete "${path##*/}" 2> /dev/null || true; done
  rm -f "/var/lib/cni/results/$NETWORK"-*
}

mounts() { awk -v root="$RUN/" 'index($2, root) == 1 {print $2}' /proc/mounts | sort -r; }

unmount() {
  mounts | xargs -r umount 2> /dev/null || true
  mounts | xargs -r umount --lazy 2> /dev/null || true
  # Removing the folder now would remove what is mounted in it.
  [ -z "$(mounts)" ] || die "these cannot be unmounted: $(mounts | tr '\n' ' ')"
}

clean_network() {
  local program
  for program in iptables ip6tables; do
    ! command -v "$program-save" > /dev/null || remove_kube_chains "$program"
  done
  iptables -D FORWARD -j "$CHAIN" 2> /dev/null || true
  iptables -D INPUT -j "$CHAIN" 2> /dev/null || true
  iptables -F "$CHAIN" 2> /dev/null || true
  iptables -X "$CHAIN" 2> /dev/null || true
  ip addr del "$NODE_IP/32" dev lo 2> /dev/null || true
  [ ! -e "$RUN/sysctl.conf" ] || sysctl -qp "$RUN/sysctl.conf" 2> /dev/null || true
}

remove_kube_chains() { # PROGRAM: `up` made sure that there were none of another node's
  local table rules
  for table in filter nat mangle; do
    rules=$("$1-save" -t "$table" 2> /dev/null | grep KUBE- || true)
    [ -n "$rules" ] || continue
    {
      echo "*$table"
      # First the jumps into the chains and all that is in them, then the chains.
      sed -n 's/^-A \(KUBE-[^ ]*\).*/-F \1/p' <<< "$rules" | sort -u
      sed -n '/^-A KUBE-/d; s/^-A /-D /p' <<< "$rules"
      sed -n 's/^:\(KUBE-[^ ]*\).*/-X \1/p' <<< "$rules"
      echo COMMIT
    } | "$1-restore" --noflush || say "cluster: some $1 chains of kube-proxy in the table $table stay."
  done
}

clean_folders() { # control groups and folders of fixed names that the runtime and the kubelet make; only empty ones can go
  local tree
  for tree in /sys/fs/cgroup/k8s.io /sys/fs/cgroup/*/k8s.io; do
    [ ! -d "$tree" ] || find "$tree" -depth -type d -exec rmdir --ignore-fail-on-non-empty {} + 2> /dev/null || true
  done
  rm -f /var/lib/kubelet/device-plugins/kubelet.sock
  rmdir /var/lib/kubelet/device-plugins /var/lib/kubelet /run/containerd/s /run/containerd 2> /dev/null || true
}
