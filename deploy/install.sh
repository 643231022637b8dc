#!/bin/sh
# Installs Remote Agent. Everything is a function, and only the whole last line calls one: cut off anywhere, this does
# nothing. install.sh --help says what it can do.
set -eu

# Name of the release; pack.sh writes its own in here.
describe_release() {
    VERSION=dev
    REPOSITORY=yourorg/remote-agent
    SERVER=https://github.com
    APP=ghcr.io/yourorg/remote-agent
    ORCHESTRATOR=ghcr.io/yourorg/upgrade-orchestrator
    POSTGRES=postgres:15-bookworm
}

print_usage() {
    cat <<'USAGE'
Installs the release of Remote Agent that this came with: images from the registry, files in one folder. It needs Docker
with Compose v2, curl or wget, and root for /opt; or a folder of yours and a user who may use Docker.

  sh install.sh                            into /opt/remote-agent
  sh install.sh --dir ~/remote-agent       elsewhere; the folder's name is also that of its containers and its volume
  sh install.sh --set APP_PORT=8080        a setting other than env.example of the release shows; more than once
  sh install.sh --registry mirror.lan      all images from there
  sh install.sh --server https://git.lan   the release's files from a GitHub of your own
  sh install.sh --unattested               take the files even if nobody can say that the repository's workflow made them
  sh install.sh --dry-run                  only say what would be done
  sh install.sh --uninstall                remove all but the data; with --delete-data, once you say so again, that, too

Run again, it keeps settings and data: it makes what is missing, brings files that nobody has edited to the release that
runs, and starts what does not run. It never upgrades the app: that is what upgrade.sh is for. Exit codes: 0 done; 1 not
done, and one sentence says why; 2 the command line is wrong.
USAGE
}

main() {
    exec </dev/null # where this comes out of a pipe, nobody else reads from it
    umask 077
    describe_release
    read_words "$@"
    STAGE=$(mktemp -d "${TMPDIR:-/tmp}/install.XXXXXX")
    trap 'rm -rf "$STAGE"' EXIT
    trap 'exit 1' INT TERM HUP
    # Compose lets the environment go before .env; only .env shall count.
    unset COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_PROFILES COMPOSE_ENV_FILES RELEASES_REPOSITORY RELEASES_API APP_VERSION \
        APP_IMAGE APP_BIND APP_PORT APP_USER POSTGRES_PASSWORD POSTGRES_IMAGE POSTGRES_VOLUME
    require_docker
    require_own_place
    if [ "$TASK" = install ]; then install_app; else uninstall_app; fi
}

read_words() {
    TASK=install DRY=false ATTESTED=true FOLDER=/opt/remote-agent REGISTRY='' OWN_SERVER='' DELETE=0 GIVEN=''
    while [ $# -gt 0 ]; do
        case $1 in
        --dir | --registry | --server | --set)
            take_value "$1" "${2:-}"
            shift
            ;;
        --dry-run) DRY=true ;;
        --unattested) ATTESTED=false ;;
        --uninstall) TASK=uninstall ;;
        --delete-data) DELETE=$((DELETE + 1)) ;;
        -h | --help) print_usage && exit ;;
        *) misuse "$1 is unknown" ;;
        esac
        shift
    done
    if [ "$DELETE" -gt 0 ] && [ "$TASK" != uninstall ]; then misuse "--delete-data goes with --uninstall only"; fi
    check_folder
}

take_value() {
    case $2 in
    '') misuse "$1 needs a value" ;;
    *[!A-Za-z0-9_.:/@+=-]*) misuse "$1 takes letters, digits and _ . : / @ + = - only; a setting with others is written into .env" ;;
    esac
    case $1 in
    --dir) FOLDER=$2 ;;
    --registry) REGISTRY=$2 ;;
    --server) OWN_SERVER=${2%/} ;;
    --set) take_setting "$2" ;;
    esac
}

# The password would be seen in the list of processes; which version it is belongs to the release.
take_setting() {
    case $1 in
    POSTGRES_PASSWORD=* | APP_VERSION=* | ORCHESTRATOR_VERSION=*) misuse "${1%%=*} cannot be set" ;;
    [A-Z]*=?*) ;;
    *) misuse "--set takes NAME=VALUE" ;;
    esac
    give "$1"
}

# GIVEN is a list of NAME=VALUE in which the first one counts.
give() {
    GIVEN="$1
$GIVEN"
}

given() { printf '%s' "$GIVEN" | sed -n "s/^$1=//p" | head -n 1; }

check_folder() {
    case $FOLDER in
    /*) ;;
    *) FOLDER=$PWD/$FOLDER ;;
    esac
    while [ "$FOLDER" != "${FOLDER%/}" ]; do FOLDER=${FOLDER%/}; done
    PROJECT=${FOLDER##*/}
    case $PROJECT in
    '' | [!a-z0-9]* | *[!a-z0-9_-]*) misuse "the folder's name is also that of its containers: small letters, digits, - and _" ;;
    esac
}

require_docker() {
    command -v docker >/dev/null || fail "Docker is not installed; see docs.docker.com/engine/install"
    docker version >/dev/null 2>&1 || fail "no Docker engine answers to user $(id -un); start it, or run this as root"
    docker compose version >/dev/null 2>&1 || fail "Docker has no Compose v2; see docs.docker.com/compose/install/linux"
}

# Nobody else may be able to change what is made, run or removed here: not the folder, not one above it, nothing in it.
require_own_place() {
    CALLER=''
    if [ "$(id -u)" -eq 0 ]; then CALLER=$(printf '%s' "${SUDO_UID:-}" | grep -Ex '[0-9]{1,10}') || CALLER=''; fi
    require_no_link "$FOLDER"
    require_own_way "$FOLDER"
    above=$FOLDER
    while [ ! -e "${above:=/}" ]; do above=${above%/*}; done
    require_own_way "$(readlink -f "$above")"
    for name in .env .installed.sha256 docker-compose.yml upgrade.yaml upgrade.sh; do
        require_no_link "$FOLDER/$name"
        if [ -e "$FOLDER/$name" ]; then
            [ -f "$FOLDER/$name" ] || fail "$FOLDER/$name is no file; move it away. Nothing was changed"
            require_ours "$FOLDER/$name"
        fi
    done
    for name in workspaces ssh-keys backups .orchestrator; do
        require_no_link "$FOLDER/$name"
        if [ -e "$FOLDER/$name" ] && [ ! -d "$FOLDER/$name" ]; then
            fail "$FOLDER/$name is no folder; move it away. Nothing was changed"
        fi
    done
}

# Each link and folder that leads to a place. One with a sticky bit keeps others from renaming what is in it.
require_own_way() {
    way='' rest=${1#/}/
    require_ours /
    while [ -n "$rest" ]; do
        way=$way/${rest%%/*}
        rest=${rest#*/}
        if [ ! -e "$way" ] && [ ! -L "$way" ]; then return; fi
        case $(stat -c %A "$way") in
        d*[tT]) if [ "$way" = "$FOLDER" ] || ! is_of_ours "$way"; then require_ours "$way"; fi ;;
        *) require_ours "$way" ;;
        esac
    done
}

require_no_link() {
    if [ -L "$1" ]; then fail "$1 is a link, and no link is followed here; name the folder that it leads to. Nothing was changed"; fi
}

require_ours() {
    if ! is_of_ours "$1"; then
        fail "$1 belongs to user $(stat -c %u "$1"), who could change what is installed there; take another folder, or: chown -h $(id -u) $1. Nothing was changed"
    fi
    case $(stat -c '%A %u %g' "$1") in
    l*) ;;
    ????????w*) fail "everybody may write to $1; take another folder, or: chmod o-w $1. Nothing was changed" ;;
    ?????w*)
        # The group that has the number of its user is that user's own.
        if [ "$(stat -c %u "$1")" != "$(stat -c %g "$1")" ]; then
            fail "group $(stat -c %g "$1") may write to $1; take another folder, or: chmod g-w $1. Nothing was changed"
        fi
        ;;
    esac
}

is_of_ours() {
    case " 0 $(id -u) $CALLER " in
    *" $(stat -c %u "$1") "*) return 0 ;;
    *) return 1 ;;
    esac
}

require_place() {
    above=$FOLDER
    while [ ! -e "${above:=/}" ]; do above=${above%/*}; done
    if [ ! -d "$above" ] || [ ! -w "$above" ]; then
        fail "user $(id -un) may not write to $above; run this as root, or name a folder of yours with --dir"
    fi
    other=$(docker ps --all --filter "label=com.docker.compose.project=$PROJECT" \
        --format '{{.Label "com.docker.compose.project.working_dir"}}' | grep -vxF "$FOLDER" | head -n 1) || true
    [ -z "$other" ] || fail "the containers of $other are called $PROJECT, too; choose a folder with another name"
}

# An upgrade owns the containers until it has an end.
require_no_upgrade() {
    if [ ! -d "$FOLDER/.orchestrator" ] || [ ! -x "$FOLDER/upgrade.sh" ]; then return; fi
    case $(stat -c %u "$FOLDER/upgrade.sh") in
    0 | "$(id -u)") ;;
    *) fail "$FOLDER/upgrade.sh is of user $(stat -c %u "$FOLDER/upgrade.sh") and is not run by another one; run this as that user. Nothing was changed" ;;
    esac
    case $("$FOLDER/upgrade.sh" -- status --json 2>/dev/null) in
    *'"verdict": null'*) fail "an upgrade is at work or was cut off; wait, or end it with $FOLDER/upgrade.sh --recover. Nothing was changed" ;;
    *'"verdict": "'* | *'"usage.no_journal"'*) ;;
    *) fail "whether an upgrade is at work cannot be told; $FOLDER/upgrade.sh -- status says why. Nothing was changed" ;;
    esac
}

setting() { sed -n "s/^$1=//p" "$FOLDER/.env" | tail -n 1; }

compose() { docker compose --project-directory "$FOLDER" --file "$FOLDER/docker-compose.yml" --ansi never "$@"; }

# All that comes over the network is here, whole, before anything is made.
install_app() {
    require_place
    if [ -e "$FOLDER/.env" ]; then continue_installed; else begin_new; fi
    if $DRY; then
        say "dry run: nothing was changed"
    else
        place_files
        start_app
        report
    fi
}

continue_installed() {
    [ -z "$GIVEN$REGISTRY" ] || misuse "$FOLDER is installed; its settings are in $FOLDER/.env"
    require_no_upgrade
    VERSION=$(setting APP_VERSION)
    VERSION=${VERSION%%@*}
    USER_INSIDE=$(setting APP_USER)
    REPOSITORY=$(setting RELEASES_REPOSITORY)
    api=$(setting RELEASES_API)
    if [ "$api" != https://api.github.com ]; then SERVER=${api%/api/v3}; fi
    SERVER=${OWN_SERVER:-$SERVER}
    say "$VERSION is installed in $FOLDER; its settings and data stay"
    fetch_files
}

begin_new() {
    [ "$VERSION" != dev ] || fail "this install.sh is of no release; take one from $SERVER/$REPOSITORY/releases"
    choose_settings
    volume=$(given POSTGRES_VOLUME)
    if docker volume inspect "$volume" >/dev/null 2>&1; then
        fail "the volume $volume holds a database, and there is no $FOLDER/.env with its password; put that back, or take another volume: --set POSTGRES_VOLUME=NAME"
    fi
    fetch_files
    for pair in $GIVEN; do
        grep -q "^\(# \)\{0,1\}${pair%%=*}=" "$STAGE/env.example" || misuse "${pair%%=*} is no setting of $VERSION"
    done
    if $DRY; then
        say "would pull $(given APP_IMAGE):$VERSION, $(given ORCHESTRATOR_IMAGE):$VERSION and $(given POSTGRES_IMAGE)"
        say "would make $FOLDER with .env, docker-compose.yml, upgrade.yaml, upgrade.sh, workspaces, ssh-keys and backups"
        say "would make the volume $volume, start the app and wait until it is healthy on port $(given APP_PORT)"
    else
        pull_images
        write_settings >"$STAGE/env"
    fi
}

# Options of the command line go before these.
choose_settings() {
    said=$GIVEN GIVEN=''
    if [ -n "$REGISTRY" ]; then
        APP=$REGISTRY/${APP#*/} ORCHESTRATOR=$REGISTRY/${ORCHESTRATOR#*/} POSTGRES=$REGISTRY/$POSTGRES
    fi
    if [ -n "$OWN_SERVER" ]; then
        SERVER=$OWN_SERVER
        give "RELEASES_API=$SERVER/api/v3"
    fi
    if [ "$(id -u)" -ne 0 ]; then give "APP_USER=$(id -u):$(id -g)"; fi
    give "APP_IMAGE=$APP"
    give "ORCHESTRATOR_IMAGE=$ORCHESTRATOR"
    give "POSTGRES_IMAGE=$POSTGRES"
    give "POSTGRES_VOLUME=$PROJECT-postgres"
    give "APP_PORT=5100"
    GIVEN=$said$GIVEN
}

fetch_files() {
    for name in SHA256SUMS docker-compose.yml env.example upgrade.yaml upgrade.sh; do fetch "$name"; done
    sums 'docker-compose.yml|env.example|upgrade.yaml|upgrade.sh' <"$STAGE/SHA256SUMS" >"$STAGE/wanted" || true
    if [ "$(grep -c . "$STAGE/wanted")" -ne 4 ] || ! (cd "$STAGE" && sha256sum -c wanted >/dev/null 2>&1); then
        fail "the files of release $VERSION are not those that its SHA256SUMS names; nothing was changed. Try again; if it stays so, do not trust $SERVER"
    fi
    check_origin
}

# The checksums come from the server that the files come from: that these are what the repository's own workflow made of
# this tag, a signature says, and only where there is a program that can read it.
check_origin() {
    workflow=$REPOSITORY/.github/workflows/docker-publish.yml tag=refs/tags/$VERSION bundle=$STAGE/attestation.json
    if ! $ATTESTED; then
        say "who made the files was not checked, as you have said: they are whole, and may be anybody's"
    elif [ "$SERVER" != https://github.com ]; then
        say "who made the files cannot be checked on $SERVER: they are whole, and as trustworthy as that server"
    elif gh attestation verify --help >/dev/null 2>&1; then
        fetch attestation.json
        gh attestation verify "$STAGE/SHA256SUMS" --bundle "$bundle" --repo "$REPOSITORY" --signer-workflow "$workflow" \
            --source-ref "$tag" >"$STAGE/said" 2>&1 || fail_unattested gh
        say "made by $workflow of $VERSION: gh has checked the signature"
    elif cosign version >/dev/null 2>&1; then
        fetch attestation.json
        cosign verify-blob-attestation --new-bundle-format --bundle "$bundle" --type slsaprovenance1 \
            --certificate-oidc-issuer https://token.actions.githubusercontent.com \
            --certificate-identity "https://github.com/$workflow@$tag" "$STAGE/SHA256SUMS" >"$STAGE/said" 2>&1 || fail_unattested cosign
        say "made by $workflow of $VERSION: cosign has checked the signature"
    else
        say "neither gh nor cosign is here, so who made the files was not checked: they are whole, and as trustworthy as $SERVER"
    fi
}

fail_unattested() {
    fail "$1 does not find that $workflow made the files of $VERSION ($(tail -n 1 "$STAGE/said" | make_inert)); nothing was changed. If this host only cannot reach what $1 needs for that, say --unattested"
}

fetch() {
    address=$SERVER/$REPOSITORY/releases/download/$VERSION/$1
    if command -v curl >/dev/null; then
        curl --fail --silent --location --proto-redir '=https' --retry 2 --connect-timeout 10 --max-time 120 --output "$STAGE/$1" "$address"
    elif command -v wget >/dev/null; then
        wget -q -T 30 -O "$STAGE/$1" "$address"
    else
        fail "neither curl nor wget is installed; install one of them"
    fi || fail "$address could not be fetched; nothing was changed. See that this host reaches $SERVER, and that $VERSION is a release"
}

# The lines of files in a list of checksums.
sums() { grep -E "^[0-9a-f]{64} [ *]($1)\$"; }

pull_images() {
    pull "$(given APP_IMAGE):$VERSION"
    give "APP_VERSION=$VERSION$(find_digest "$(given APP_IMAGE)")"
    USER_INSIDE=$(given APP_USER)
    USER_INSIDE=${USER_INSIDE:-$(docker image inspect --format '{{.Config.User}}' "$(given APP_IMAGE):$VERSION")}
    case $USER_INSIDE in
    *[!0-9:]* | '' | :* | *:) fail "the user of the app's image is '$USER_INSIDE', not numbers; nothing was changed. Choose: --set APP_USER=1000:1000" ;;
    esac
    give "APP_USER=$USER_INSIDE"
    pull "$(given ORCHESTRATOR_IMAGE):$VERSION"
    give "ORCHESTRATOR_VERSION=$VERSION$(find_digest "$(given ORCHESTRATOR_IMAGE)")"
    # Any correction of it will do; the present one may be in use.
    docker image inspect "$(given POSTGRES_IMAGE)" >/dev/null 2>&1 || pull "$(given POSTGRES_IMAGE)"
}

pull() {
    say "pulling $1"
    docker pull --quiet "$1" >/dev/null 2>"$STAGE/said" ||
        fail "$1 could not be pulled ($(tail -n 1 "$STAGE/said" | make_inert)); nothing was changed. See that this host reaches the registry"
}

# As the registry names it, so that the tag cannot mean something else tomorrow.
find_digest() {
    docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1:$VERSION" | sed -n "s|^$1@|@|p" | head -n 1
}

# env.example with what was chosen; its comments stay. The password is made here and is nobody's argument.
write_settings() {
    give "POSTGRES_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
    while IFS= read -r line; do
        name=${line#'# '}
        name=${name%%=*}
        value=''
        case $name in
        *[!A-Z_]* | '') ;;
        *) value=$(given "$name") ;;
        esac
        if [ -n "$value" ]; then printf '%s=%s\n' "$name" "$value"; else printf '%s\n' "$line"; fi
    done <"$STAGE/env.example"
}

place_files() {
    (umask 022 && mkdir -p "$FOLDER")
    require_own_place # where anybody may make a folder, somebody may have been quicker
    make_folder 0750 "$USER_INSIDE" workspaces
    make_folder 0700 "$USER_INSIDE" ssh-keys
    make_folder 0700 "$(id -u):$(id -g)" backups
    if [ ! -e "$FOLDER/.env" ]; then place 0600 env .env; fi
    place_unedited 0644 docker-compose.yml
    place_unedited 0644 upgrade.yaml
    place_unedited 0755 upgrade.sh
    sums 'docker-compose.yml|upgrade.yaml|upgrade.sh' <"$STAGE/wanted" >"$STAGE/installed"
    place 0644 installed .installed.sha256
}

# Owner and mode also where it is there already: ssh and the backups depend on them.
make_folder() {
    mkdir -p "$FOLDER/$3" && chmod "$1" "$FOLDER/$3"
    if [ "$(id -u)" -eq 0 ]; then chown -h "$2" "$FOLDER/$3"; fi
}

# Beside its place and renamed, so that it is there whole or not at all.
place() {
    new=$(mktemp "$FOLDER/.$3.XXXXXX")
    cat "$STAGE/$2" >"$new"
    chmod "$1" "$new"
    mv -f "$new" "$FOLDER/$3"
}

place_unedited() {
    if [ ! -e "$FOLDER/$2" ] || (cd "$FOLDER" && sums "$2" <.installed.sha256 | sha256sum -c) >/dev/null 2>&1; then
        place "$1" "$2" "$2"
    elif ! cmp -s "$STAGE/$2" "$FOLDER/$2"; then
        say "$2 was edited and stays as it is"
    fi
}

start_app() {
    if [ -z "$(compose ps --quiet --status running app)" ]; then
        say "starting the database"
        attempt "the database does not start" up --detach --wait --wait-timeout 120 db
        say "bringing the database to $VERSION"
        attempt "the database could not be brought to $VERSION" run --rm --no-deps --no-TTY app migrate
    fi
    say "starting the app"
    attempt "the app is not healthy" up --detach --wait --wait-timeout 180
}

attempt() {
    failure=$1
    shift
    if compose "$@" >"$STAGE/said" 2>&1; then return; fi
    compose logs --no-color --no-log-prefix --tail 20 app >>"$STAGE/said" 2>/dev/null || true
    tail -n 40 "$STAGE/said" | make_inert | sed 's/^/    /' >&2
    fail "$failure; the lines above say why. The files made so far are in $FOLDER: fix the cause and run this again, or remove them with --uninstall"
}

# Output of programs may hold control sequences for a terminal.
make_inert() { LC_ALL=C tr -d '\000-\010\013-\037\177'; }

report() {
    cat <<REPORT
✓ Remote Agent installed successfully!

Location: $FOLDER/
Upgrade:  $FOLDER/upgrade.sh
Logs:     docker compose -f $FOLDER/docker-compose.yml logs -f

Access at: http://localhost:$(setting APP_PORT)
REPORT
}

uninstall_app() {
    if [ ! -f "$FOLDER/docker-compose.yml" ] || [ ! -f "$FOLDER/.env" ]; then fail "$FOLDER is no installation; nothing was changed"; fi
    require_no_upgrade
    VOLUME=$(setting POSTGRES_VOLUME)
    if $DRY; then
        say "would remove the containers, the images, and all of $FOLDER but .env, .orchestrator, workspaces, ssh-keys and backups; with --delete-data also these, and the volume $VOLUME"
        return
    fi
    if [ "$DELETE" -eq 1 ]; then confirm_deletion; fi
    compose down --remove-orphans >"$STAGE/said" 2>&1 ||
        fail "the containers could not be removed ($(tail -n 1 "$STAGE/said" | make_inert)); the rest is in $FOLDER"
    remove_images
    (cd "$FOLDER" && rm -f docker-compose.yml upgrade.yaml upgrade.sh .installed.sha256)
    if [ "$DELETE" -gt 0 ]; then
        delete_data
    else
        say "removed. Your data stays: $FOLDER with .env, whose password opens the database, and the volume $VOLUME"
    fi
}

# Told twice: once more on the command line, or by hand.
confirm_deletion() {
    say "this deletes the database in the volume $VOLUME, and workspaces, ssh-keys and backups in $FOLDER; no way leads back"
    printf 'Type %s to delete all of it: ' "$PROJECT" >&2
    answer=''
    if (: </dev/tty) 2>/dev/null; then IFS= read -r answer </dev/tty || true; else echo >&2; fi
    [ "$answer" = "$PROJECT" ] || fail "that was not said twice; nothing was changed. Without a terminal, write --delete-data twice"
}

# Images of another installation stay: without force, the engine keeps every image that a container is made of.
remove_images() {
    for run in "$FOLDER"/.orchestrator/runs/*; do
        docker image rm "upgrade-orchestrator/kept:${run##*/}" >/dev/null 2>&1 || true
    done
    for image in "$(setting APP_IMAGE)" "$(setting ORCHESTRATOR_IMAGE)"; do
        for name in $(docker image ls --digests --format '{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}' "$image"); do
            docker image rm "$name" >/dev/null 2>&1 || true
        done
    done
    docker image rm "$(setting POSTGRES_IMAGE)" >/dev/null 2>&1 || true
}

delete_data() {
    docker volume rm "$VOLUME" >/dev/null || fail "the volume $VOLUME could not be removed"
    (cd "$FOLDER" && rm -rf .env .orchestrator workspaces ssh-keys backups)
    rmdir "$FOLDER" 2>/dev/null || say "$FOLDER stays: something of yours is in it"
    say "removed, with all data"
}

say() { printf 'install: %s\n' "$1" >&2; }

fail() { say "$1."; exit 1; }
misuse() { say "$1; install.sh --help shows what there is"; exit 2; }

{ main "$@"; exit; }
