#!/bin/bash
# Entrypoint of the PostgreSQL base image that base_images.sh builds; the same contract as Docker's official image:
# POSTGRES_PASSWORD (required), POSTGRES_USER (postgres), POSTGRES_DB (as the user), PGDATA.
set -euo pipefail

main() {
    if [ "${1:0:1}" = - ]; then
        set -- postgres "$@"
    fi
    if [ "$1" = postgres ]; then
        become_postgres "$@"
        if [ ! -s "$PGDATA/PG_VERSION" ]; then
            initialise
        fi
    fi
    exec "$@"
}

# Volumes and tmpfs mounts arrive owned by root; PostgreSQL itself refuses to run as root.
become_postgres() {
    if [ "$(id -u)" -ne 0 ]; then
        return
    fi
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres:postgres /var/run/postgresql
    find "$PGDATA" \! -user postgres -exec chown postgres:postgres {} +
    chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "${BASH_SOURCE[0]}" "$@"
}

# Single-user mode creates the database, so that no server answers pg_isready before everything is there.
initialise() {
    local user=${POSTGRES_USER:-postgres}
    local database=${POSTGRES_DB:-$user}
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "POSTGRES_PASSWORD is not set: the database is empty, and its superuser needs a password" >&2
        exit 1
    fi
    initdb --pgdata="$PGDATA" --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8
    printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s"\n' "${database//\"/\"\"}" | postgres --single -D "$PGDATA" postgres
    fi
}

main "$@"
