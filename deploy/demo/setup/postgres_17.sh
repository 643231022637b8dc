#!/bin/bash
# Makes sure that an image of PostgreSQL 17 is on the engine, and prints its name:
#
#   deploy/demo/setup/postgres_17.sh
#   POSTGRES_IMAGE=…
#
# The official image where it is here already; otherwise one with the same contract, built from Debian 13's packages
# (root, about a minute, once). Only the exhaustive tests of hostile databases need it, so it is none of the base images.
# shellcheck disable=SC2016  # the $1 of a customize hook is expanded by mmdebstrap's shell
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OFFICIAL=postgres:17-trixie
OWN=upgrade-orchestrator-base/postgres:17
RECIPE_LABEL=upgrade-orchestrator.recipe
MIRROR=http://deb.debian.org

main() {
    local image recipe
    exec 9>"${TMPDIR:-/tmp}/upgrade-orchestrator-postgres-17.$(id -u).lock"
    flock 9 # two checkouts at once build once
    recipe=$(cat "${BASH_SOURCE[0]}" "$HERE/postgres_entrypoint.sh" | sha256sum | cut -d ' ' -f 1)
    image=$OFFICIAL
    if ! docker image inspect "$image" >/dev/null 2>&1; then
        image=$OWN
        if [ "$(docker image inspect --format "{{index .Config.Labels \"$RECIPE_LABEL\"}}" "$OWN" 2>/dev/null)" != "$recipe" ]; then
            build "$recipe"
        fi
    fi
    printf 'POSTGRES_IMAGE=%s\n' "$image"
}

build() {
    local recipe=$1 proxy
    WORKSHOP=$(mktemp -d /var/tmp/upgrade-orchestrator-base.XXXXXX)
    trap 'rm -rf --one-file-system "$WORKSHOP"' EXIT
    chmod 0755 "$WORKSHOP"
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
    env TMPDIR="$WORKSHOP" mmdebstrap --quiet --variant=minbase --include=postgresql-17 \
        ${proxy:+--aptopt="Acquire::http::Proxy \"$proxy\""} \
        --aptopt='Acquire::Retries "3"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/lib/postgresql/17/lib/bitcode/*' \
        --dpkgopt='path-exclude=/usr/lib/postgresql/17/lib/llvmjit*' \
        --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' \
        --dpkgopt='path-exclude=/usr/lib/*/libz3*' \
        --customize-hook="install -m 0755 '$HERE/postgres_entrypoint.sh' \"\$1/usr/local/bin/docker-entrypoint.sh\"" \
        --customize-hook='rm -rf "$1/var/lib/postgresql/17" "$1/etc/postgresql/17"' \
        --customize-hook='chroot "$1" install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data' \
        --customize-hook='chroot "$1" install -d -o postgres -g postgres -m 2775 /var/run/postgresql' \
        --customize-hook='echo "listen_addresses = '"'*'"'" >>"$1/usr/share/postgresql/17/postgresql.conf.sample"' \
        trixie "$WORKSHOP/postgres.tar" \
        "deb $MIRROR/debian trixie main" \
        "deb $MIRROR/debian-security trixie-security main" >&2 9>&-
    docker import --change "LABEL $RECIPE_LABEL=$recipe" \
        --change 'ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'ENV LANG=C.UTF-8' \
        --change 'ENV PGDATA=/var/lib/postgresql/data' \
        --change 'VOLUME /var/lib/postgresql/data' \
        --change 'ENTRYPOINT ["docker-entrypoint.sh"]' \
        --change 'CMD ["postgres"]' \
        --change 'EXPOSE 5432' \
        --change 'STOPSIGNAL SIGINT' \
        "$WORKSHOP/postgres.tar" "$OWN" >/dev/null
}

main "$@"
