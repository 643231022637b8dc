#!/usr/bin/env bash
# The plainest script that upgrades the ledger, as a careful person writes it in an evening.
#
#   plain_upgrade.sh FOLDER NEW_TAG SECONDS [stop-first]
#
# Dump, down, pull, migrate, up, poll for SECONDS; whatever goes wrong after the dump puts dump and old version back. As
# it is usually written it dumps while users go on to save, and what they save until `down` is in no dump: a way back
# loses it. With `stop-first` the app is stopped before the dump. Exit 0: the new version serves; 20: the old one.
set -euo pipefail

cd "$1"
new=$2 patience=$3 order=${4:-}
export COMPOSE_ANSI=never
dump=backups/before.sql.gz
old=$(sed -n 's/^APP_VERSION=//p' .env)
port=$(sed -n 's/^APP_PORT=//p' .env)

pin() { sed -i "s/^APP_VERSION=.*/APP_VERSION=$1/" .env; }

await_healthy() {
    for ((left = patience * 4; left > 0; left--)); do
        if curl --silent --fail --output /dev/null "http://127.0.0.1:$port/api/health"; then return 0; fi
        sleep 0.25
    done
    return 1
}

upgrade() {
    docker compose pull --quiet app && docker compose run --rm app ledger migrate && docker compose up --detach --quiet-pull \
        && await_healthy
}

go_back() {
    docker compose down
    pin "$old"
    docker compose up --detach --wait db
    docker compose exec --no-TTY db dropdb --username ledger --force ledger
    docker compose exec --no-TTY db createdb --username ledger ledger
    gunzip --stdout "$dump" | docker compose exec --no-TTY db psql --quiet --username ledger --output /dev/null ledger
    docker compose up --detach
    patience=60 await_healthy
}

if [ "$order" = stop-first ]; then docker compose stop app; fi
docker compose exec --no-TTY db pg_dump --username ledger ledger | gzip >"$dump"
docker compose down
pin "$new"
if upgrade; then exit 0; fi
go_back
exit 20
