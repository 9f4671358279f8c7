#!/usr/bin/env bash
# What `make image` runs: builds the image IMAGE (training, serving) in its VARIANT (cpu, cuda) and prints its name
# and digest.
#   ENGINE  podman, docker or buildah; empty: the first that works here
#   BASE    the base image; empty: the Containerfile's default
#   TAG     the image's name; PUSH=REF also pushes it there and prints the digest that a job's image needs
#   PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, PIP_CERT: where packages come from, as for pip itself
#   UV_CACHE_DIR  uv's cache, which saves podman and buildah what was fetched before; the default is uv's own
set -euo pipefail
cd "$(dirname "$0")/.."

IMAGE=${IMAGE:-training} VARIANT=${VARIANT:-cpu}
TAG=${TAG:-isocenter-$IMAGE:$VARIANT}
[ -f "$IMAGE/Containerfile" ] || { echo "There is no image '$IMAGE': IMAGE=training or serving." >&2; exit 2; }
case $VARIANT in cpu | cuda) ;; *) echo "There is no variant '$VARIANT': VARIANT=cpu or cuda." >&2; exit 2 ;; esac

engine() {
  local name
  for name in podman docker buildah; do
    if command -v "$name" >/dev/null && "$name" info >/dev/null 2>&1; then echo "$name"; return; fi
  done
  echo "None of podman, docker and buildah works here (on Debian: apt-get install buildah)." >&2
  exit 7
}
ENGINE=${ENGINE:-$(engine)}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/context" "$work/wheels" "$work/cache"

# What git knows of, as it is now: no caches, no secrets that lie about.
git ls-files -z platform "$IMAGE" constraints.txt | xargs -0 cp --parents --target-directory "$work/context"
revision=$(git describe --always --dirty --abbrev=40 --exclude='*')
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
find "$work/context" -exec touch --no-dereference --date "@$epoch" {} +

# For pip and, in its words, for uv.
{
  [ -z "${PIP_INDEX_URL:-}" ] || printf 'export PIP_INDEX_URL=%q UV_DEFAULT_INDEX=%q\n' "$PIP_INDEX_URL"{,}
  [ -z "${PIP_EXTRA_INDEX_URL:-}" ] || printf 'export PIP_EXTRA_INDEX_URL=%q UV_INDEX=%q\n' "$PIP_EXTRA_INDEX_URL"{,}
  [ -z "${PIP_CERT:-}" ] || echo 'export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca'
} >"$work/index"

# docker would copy the cache into its build.
cache=${UV_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/uv}
if [ "$ENGINE" = docker ] || [ ! -d "$cache" ]; then cache=$work/cache; fi

arguments=(
  --file "$IMAGE/Containerfile" --tag "$TAG" --iidfile "$work/id"
  --secret "id=index,src=$work/index" ${PIP_CERT:+--secret "id=ca,src=$PIP_CERT"}
  --build-context "wheels=${PIP_FIND_LINKS:-$work/wheels}" --build-context "cache=$cache"
  --build-arg "VARIANT=$VARIANT" ${BASE:+--build-arg "BASE=$BASE"}
  --build-arg "REVISION=$revision" --build-arg "CREATED=$(date --utc --date "@$epoch" +%Y-%m-%dT%H:%M:%SZ)"
)
# buildah and podman can also give every file the source's time, and keep only the last stage.
build() {
  case $ENGINE in
    docker) SOURCE_DATE_EPOCH=$epoch docker buildx build --load "${arguments[@]}" "$work/context" ;;
    *) "$ENGINE" build --timestamp "$epoch" --layers=false "${arguments[@]}" "$work/context" ;;
  esac
}
# How the engines say that a base image can't be had: podman and buildah, then docker.
NO_BASE='pinging container registry|initializing source|reading manifest|failed to resolve source metadata|pull access denied'
build 2>&1 | tee "$work/said" >&2 || {
  code=$?
  grep -Eq "$NO_BASE" "$work/said" || exit "$code"
  base=${BASE:-$(sed -n 's/^ARG BASE=//p' "$IMAGE/Containerfile" | head -1)}
  echo "The base image $base can't be had: its registry isn't reached from here, or has no such image." >&2
  echo "Hint: make image BASE=REF names another Debian 12, on a registry that you reach or in $ENGINE's store" >&2
  echo "here; without any, make one of Debian's packages: mmdebstrap --include=ca-certificates,python3-venv" >&2
  echo "bookworm base.tar, then $ENGINE imports it (FROM scratch, ADD base.tar /)." >&2
  exit 7
}
echo "$TAG $(cat "$work/id")"

if [ -n "${PUSH:-}" ]; then
  if [ "$ENGINE" = docker ]; then
    docker tag "$TAG" "$PUSH" && docker push --quiet "$PUSH" >&2
    docker image inspect --format '{{index .RepoDigests 0}}' "$PUSH"
  else
    "$ENGINE" push --quiet --digestfile "$work/digest" "$TAG" "docker://$PUSH" >&2
    echo "${PUSH%:*}@$(cat "$work/digest")"
  fi
fi
