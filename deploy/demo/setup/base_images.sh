#!/bin/bash
# Makes sure that the two base images of the demo and the tests are on the engine, and prints their names:
#
#   deploy/demo/setup/base_images.sh
#   POSTGRES_IMAGE=…
#   PYTHON_IMAGE=…
#
# The official images where Docker Hub answers; otherwise images with the same contract, built from Debian's packages
# (root or sudo without a password, about a minute, once). Images stay on the engine. Everything else goes to stderr.
# Exit 1: one sentence says what to do.
# shellcheck disable=SC2016  # the $1 of a customize hook is expanded by mmdebstrap's shell
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
HUB_TIMEOUT_S=5
LOCKS=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/upgrade-orchestrator # where nobody else can put a link
PULL_TIMEOUT_S=600
RECIPE_LABEL=upgrade-orchestrator.recipe
MIRROR=http://deb.debian.org

main() {
    docker info >/dev/null 2>&1 || fail "no Docker Engine answers; run $HERE/engine.sh first"
    mkdir -p "$LOCKS"
    exec 9>"$LOCKS/base-images.lock"
    flock 9 # two checkouts at once build once
    RECIPE=$(cat "${BASH_SOURCE[0]}" "$HERE/postgres_entrypoint.sh" | sha256sum | cut -d ' ' -f 1)
    ensure_both
    printf 'POSTGRES_IMAGE=%s\nPYTHON_IMAGE=%s\n' "$POSTGRES" "$PYTHON"
}

say() { printf 'base images: %s\n' "$1" >&2; }
fail() {
    say "$1"
    exit 1
}

ensure_both() {
    POSTGRES=$(find_image postgres:15-bookworm upgrade-orchestrator-base/postgres:15)
    PYTHON=$(find_image python:3.11-slim-bookworm upgrade-orchestrator-base/python:3.11)
    if [ -z "$POSTGRES$PYTHON" ] && hub_answers && pull postgres:15-bookworm && pull python:3.11-slim-bookworm; then
        POSTGRES=postgres:15-bookworm
        PYTHON=python:3.11-slim-bookworm
    fi
    if [ -n "$POSTGRES" ] && [ -n "$PYTHON" ]; then
        return
    fi
    prepare_workshop
    set -m # each build is a process group of its own, so that clean_up can end it with all its children
    [ -n "$POSTGRES" ] || { build_postgres </dev/null & BUILDS+=($!); }
    [ -n "$PYTHON" ] || { build_python </dev/null & BUILDS+=($!); }
    set +m
    for build in "${BUILDS[@]}"; do
        wait "$build" || fail "a base image could not be built from Debian's packages; the lines above say why"
    done
    POSTGRES=${POSTGRES:-upgrade-orchestrator-base/postgres:15}
    PYTHON=${PYTHON:-upgrade-orchestrator-base/python:3.11}
}

# find_image OFFICIAL OWN: the one that is here, or nothing; our own counts only when built by this very recipe.
find_image() {
    if docker image inspect "$1" >/dev/null 2>&1; then
        printf '%s' "$1"
    elif [ "$(docker image inspect --format "{{index .Config.Labels \"$RECIPE_LABEL\"}}" "$2" 2>/dev/null)" = "$RECIPE" ]; then
        printf '%s' "$2"
    fi
}

hub_answers() { timeout "$HUB_TIMEOUT_S" docker manifest inspect python:3.11-slim-bookworm >/dev/null 2>&1; }

pull() {
    say "pulling $1 from Docker Hub"
    timeout "$PULL_TIMEOUT_S" docker pull --quiet "$1" >&2 9>&-
}

prepare_workshop() {
    ROOT=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "Docker Hub does not answer, and building from Debian's packages needs root: run this as root"
        ROOT=(sudo -n)
    fi
    WORKSHOP=$("${ROOT[@]}" mktemp -d /var/tmp/upgrade-orchestrator-base.XXXXXX)
    "${ROOT[@]}" chmod 0755 "$WORKSHOP"
    BUILDS=()
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    if ! command -v mmdebstrap >/dev/null; then
        command -v apt-get >/dev/null || fail "Docker Hub does not answer, and only Debian and Ubuntu can build the images: pull postgres:15-bookworm and python:3.11-slim-bookworm"
        say "installing mmdebstrap"
        "${ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -o DPkg::Lock::Timeout=300 \
            mmdebstrap debian-archive-keyring >/dev/null 2>&1 || fail "apt-get could not install mmdebstrap; install it by hand"
    fi
}

clean_up() {
    local build patience
    for build in "${BUILDS[@]}"; do
        "${ROOT[@]}" kill -- "-$build" 2>/dev/null || continue
        # mmdebstrap removes its own tree when it is told to end; two that remove the same tree only complain
        for ((patience = 150; patience > 0; patience--)); do
            "${ROOT[@]}" kill -0 -- "-$build" 2>/dev/null || break
            sleep 0.1
        done
    done
    "${ROOT[@]}" rm -rf --one-file-system "$WORKSHOP"
}

build_postgres() {
    say "building upgrade-orchestrator-base/postgres:15 from Debian's packages"
    # Without the JIT's files PostgreSQL goes on without JIT: 150 MB less.
    bootstrap postgres postgresql-15 \
        --dpkgopt='path-exclude=/usr/lib/postgresql/15/lib/bitcode/*' \
        --dpkgopt='path-exclude=/usr/lib/postgresql/15/lib/llvmjit*' \
        --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' \
        --dpkgopt='path-exclude=/usr/lib/*/libz3*' \
        --customize-hook="install -m 0755 '$HERE/postgres_entrypoint.sh' \"\$1/usr/local/bin/docker-entrypoint.sh\"" \
        --customize-hook='rm -rf "$1/var/lib/postgresql/15" "$1/etc/postgresql/15"' \
        --customize-hook='chroot "$1" install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data' \
        --customize-hook='chroot "$1" install -d -o postgres -g postgres -m 2775 /var/run/postgresql' \
        --customize-hook='echo "listen_addresses = '"'*'"'" >>"$1/usr/share/postgresql/15/postgresql.conf.sample"'
    import_image postgres upgrade-orchestrator-base/postgres:15 \
        --change 'ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'ENV LANG=C.UTF-8' \
        --change 'ENV PGDATA=/var/lib/postgresql/data' \
        --change 'VOLUME /var/lib/postgresql/data' \
        --change 'ENTRYPOINT ["docker-entrypoint.sh"]' \
        --change 'CMD ["postgres"]' \
        --change 'EXPOSE 5432' \
        --change 'STOPSIGNAL SIGINT'
}

build_python() {
    say "building upgrade-orchestrator-base/python:3.11 from Debian's packages"
    bootstrap python python3,python3-venv,python3-pip,ca-certificates \
        --customize-hook='ln -s python3 "$1/usr/bin/python"' \
        --customize-hook='rm -f "$1/usr/lib/python3.11/EXTERNALLY-MANAGED"'
    import_image python upgrade-orchestrator-base/python:3.11 \
        --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'ENV LANG=C.UTF-8' \
        --change 'CMD ["python3"]'
}

# bootstrap NAME PACKAGES [OPTION…]: NAME.tar in the workshop, a minimal Debian 12 with the packages.
bootstrap() {
    local name=$1 packages=$2 proxy
    shift 2
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
    "${ROOT[@]}" env TMPDIR="$WORKSHOP" mmdebstrap --quiet --variant=minbase --include="$packages" \
        ${proxy:+--aptopt="Acquire::http::Proxy \"$proxy\""} \
        --aptopt='Acquire::Retries "3"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$@" bookworm "$WORKSHOP/$name.tar" \
        "deb $MIRROR/debian bookworm main" \
        "deb $MIRROR/debian bookworm-updates main" \
        "deb $MIRROR/debian-security bookworm-security main" >&2 9>&-
}

# import_image NAME TAG [CHANGE…]
import_image() {
    local name=$1 tag=$2 predecessor
    shift 2
    predecessor=$(docker image inspect --format '{{.Id}}' "$tag" 2>/dev/null) || true
    docker import --change "LABEL $RECIPE_LABEL=$RECIPE" "$@" "$WORKSHOP/$name.tar" "$tag" >/dev/null
    if [ -n "$predecessor" ]; then
        docker image rm "$predecessor" >/dev/null 2>&1 || say "the previous $tag stays, something still uses it"
    fi
    say "built $tag"
}

main "$@"
