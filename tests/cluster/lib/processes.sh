# shellcheck shell=bash
# Starts and ends the components. A process is ours when its id and its start time are those that `start` wrote down: an id
# that the system has given to another process since then is left alone.

start() { # NAME COMMAND...
  local name=$1; shift
  started "$name" > /dev/null && return
  # Locks and whatever else is open here must not live on in the component.
  (
    for descriptor in /proc/self/fd/*; do
      descriptor=${descriptor##*/}
      [ "$descriptor" -le 2 ] || eval "exec $descriptor>&-"
    done
    exec setsid nohup "$@" < /dev/null > "$RUN/log/$name.log" 2>&1
  ) &
  echo "$! $(start_time $!)" > "$RUN/pid/$name"
}

start_time() { # PID: clock ticks since the machine's start, field 22 of its stat line (the name before it may hold blanks)
  local line
  { read -r line < "/proc/$1/stat"; } 2> /dev/null || return 1
  # shellcheck disable=SC2086  # the fields are to be split
  set -- ${line##*) }
  # A zombie has ended: only its parent has not asked yet.
  [ "$1" != Z ] && echo "${20}"
}

started() { # NAME: print the id of a component that runs
  local pid ticks
  { read -r pid ticks < "$RUN/pid/$1"; } 2> /dev/null || return 1
  [ "$(start_time "$pid")" = "$ticks" ] || return 1
  echo "$pid"
}

stop() { # SECONDS NAME...: ask all of them to end, and end them by force when the time is over
  local seconds=$1 name pid; shift
  for name in "$@"; do
    pid=$(started "$name") && kill "$pid" 2> /dev/null
  done
  for name in "$@"; do
    await_end "$name" "$seconds" || { pid=$(started "$name") && kill -KILL "$pid" 2> /dev/null; await_end "$name" 10; } \
      || die "$name (process $pid) does not end."
    rm -f "$RUN/pid/$name"
  done
}

await_end() { # NAME SECONDS
  local end=$((${EPOCHREALTIME//[^0-9]/} + $2 * 1000000))
  while started "$1" > /dev/null; do
    [ "${EPOCHREALTIME//[^0-9]/}" -lt "$end" ] || return 1
    sleep 0.02
  done
}

answers() { # NAME COMMAND...: for wait_for; a component that is gone will never answer
  local name=$1; shift
  started "$name" > /dev/null || { tail -n 5 "$RUN/log/$name.log" >&2; die "$name ended at once; its log is $RUN/log/$name.log."; }
  "$@"
}

free_port() { # ADDRESS PORT
  ! (exec 3<> "/dev/tcp/$1/$2") 2> /dev/null || die "port $2 on $1 is taken by another program; end it and run this again."
}

components() {
  if [ "$MODE" = light ]; then
    echo etcd kube-apiserver
    [ ! -e "$RUN/pid/kube-controller-manager" ] || echo kube-controller-manager
  else
    echo etcd kube-apiserver kube-controller-manager kube-scheduler containerd coredns kubelet kube-proxy
  fi
}

all_started() {
  local name
  for name in $(components); do started "$name" > /dev/null || return 1; done
}

is_up() { [ "$(cat "$RUN/bin" 2> /dev/null)" = "$BIN" ] && all_started && kubectl get --raw /readyz > /dev/null 2>&1; }

status() {
  local name pid
  [ -d "$RUN/pid" ] || { echo "$MODE: down"; return 3; }
  for name in $(components); do
    if pid=$(started "$name"); then echo "$name: runs ($pid)"; else echo "$name: stopped"; fi
  done
  all_started || { echo "$MODE: broken; 'up' starts it anew"; return 3; }
  is_up || { echo "$MODE: the API server is not ready"; return 3; }
  [ "$MODE" = light ] || kubectl get nodes
  echo "$MODE: up, kubeconfig $KUBECONFIG"
}
