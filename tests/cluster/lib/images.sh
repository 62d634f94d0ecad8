# shellcheck shell=bash
# Builds images with buildah and loads them into the node. An image is built only when its inputs changed, and loaded only when
# the node does not hold it: both are looked up by digest.

PAUSE=localhost/pause:1
BASE=localhost/base:bookworm
DEBIAN=${DEBIAN_MIRROR:-} # empty: the mirror that debootstrap itself prefers
STAMPS=$CACHE/images

buildah_() { buildah --root "$CACHE/buildah/store" --runroot "$CACHE/buildah/run" --storage-driver overlay "$@"; }

stamp() { echo "$STAMPS/$(tr '/:' '__' <<< "$1")"; }

image() { # NAME DIR [DOCKERFILE]
  local name=$1 directory=$2 file=${3:-$2/Dockerfile} inputs
  need_for_images
  [ -f "$file" ] || die "there is no $file."
  inputs=$(inputs_of "$directory" "$file")
  if ! is_built "$name" "$inputs"; then
    say "building $name …"
    build_image "$name" "$directory" "$file"
    remember "$name" "$inputs"
  fi
  ! runtime_is_up || load "$name"
}

image_on_base() { # NAME DIR [DOCKERFILE]: there is no registry here from which a Dockerfile's own base could come
  if [ -z "${BASE_IMAGE+set}" ]; then
    base
    export BASE_IMAGE=$BASE
  fi
  image "$@"
}

inputs_of() { # DIR DOCKERFILE: a hash of all that decides the image
  {
    [ -z "${BASE_IMAGE:-}" ] || { echo "$BASE_IMAGE"; image_id "$BASE_IMAGE"; }
    cat "$2"
    tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --exclude=__pycache__ --exclude='*.egg-info' \
      --exclude='.*_cache' --exclude=.venv --exclude=.git -cf - .
  } | sha256sum | cut -d' ' -f1
}

image_id() { buildah_ images --no-trunc --quiet "$1" 2> /dev/null || true; }

is_built() { # NAME INPUTS
  local known id
  { read -r known id _ < "$(stamp "$1")"; } 2> /dev/null || return 1
  [ "$known" = "$2" ] && [ "$(image_id "$1")" = "$id" ]
}

remember() { # NAME INPUTS
  mkdir -p "$STAMPS"
  echo "$2 $(image_id "$1") $1" > "$(stamp "$1")"
}

build_image() { # NAME DIR DOCKERFILE
  local -a options=(--isolation chroot --network host --layers --quiet --format docker --tag "$1" --file "$3")
  mkdir -p "$CACHE"/{pip,pip-settings,buildah}
  [ -z "${BASE_IMAGE:-}" ] || options+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
  # What pip needs on this machine is lent to the build; nothing of it stays in the image.
  python3 "$HERE/lib/pip_settings.py" > "$CACHE/pip-settings/pip.conf"
  options+=(--volume "$CACHE/pip:/root/.cache/pip:rw" --volume "$CACHE/pip-settings:/root/.config/pip:ro")
  [ ! -d /etc/ssl/certs ] || options+=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)
  buildah_ bud "${options[@]}" "$2" > "$CACHE/image.log" 2>&1 \
    || { tail -n 30 "$CACHE/image.log" >&2; die "building $1 failed; the whole log is $CACHE/image.log."; }
}

load() { # NAME: hand an image to the node
  local name=$1 id archive
  id=$(image_id "$name")
  [ "$(cat "$CACHE/containerd/loaded/$(basename "$(stamp "$name")")" 2> /dev/null)" != "$id" ] || ! held "$name" || return 0
  archive=$(mktemp -p "$CACHE" image-XXXXXX.tar); rm "$archive"
  { buildah_ push --quiet --disable-compression "$name" "oci-archive:$archive:$name" && client images import "$archive" > /dev/null; } \
    || { rm -f "$archive"; die "$name could not be loaded into the node; see $RUN/log/ctr.log."; }
  rm "$archive"
  mkdir -p "$CACHE/containerd/loaded"
  echo "$id" > "$CACHE/containerd/loaded/$(basename "$(stamp "$name")")"
}

held() { client images ls -q "name==$1" | grep -qx "$1"; }

load_images() { # everything that was built while the node was down, and the image of every pod's sandbox
  local file name
  pause
  for file in "$STAMPS"/*; do
    read -r _ _ name < "$file"
    [ -z "$(image_id "$name")" ] || load "$name"
  done
}

pause() {
  local context
  need_for_images
  context=$(mktemp -d)
  cp /bin/busybox "$HERE/images/pause/Dockerfile" "$context"
  BASE_IMAGE='' image "$PAUSE" "$context"
  rm -r "$context"
}

base() {
  local inputs
  need_for_images
  inputs=$({ declare -f bootstrap; cat "$HERE/images/base/Dockerfile"; } | sha256sum | cut -d' ' -f1)
  if ! is_built "$BASE" "$inputs"; then
    say "building $BASE …"
    build_base
    remember "$BASE" "$inputs"
  fi
  ! runtime_is_up || load "$BASE"
}

build_base() {
  local context
  # What an interrupted build left; it holds a whole system.
  rm -rf --one-file-system "$CACHE"/base-*
  context=$(mktemp -d -p "$CACHE" base-XXXXXX)
  bootstrap "$context/root" "$context/root.tar" > "$CACHE/debootstrap.log" 2>&1 || die "debootstrap failed; see $CACHE/debootstrap.log."
  BASE_IMAGE='' build_image "$BASE" "$context" "$HERE/images/base/Dockerfile"
  rm -r "$context"
}

bootstrap() { # DIRECTORY ARCHIVE
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$1" "$DEBIAN" || return 1
  tar -C "$1" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
    --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' -cf "$2" . || return 1
  rm -rf --one-file-system "$1"
}
