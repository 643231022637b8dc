#!/bin/sh
# Upgrades what is installed in this script's folder, or brings the old version back.
#
#   ./upgrade.sh                    ask once, then upgrade to the newest release
#   ./upgrade.sh --check            only say whether there is one: exit code 100 if so, 0 if not
#   ./upgrade.sh --force            do not ask
#   ./upgrade.sh --version v1.2.3   to this release
#   ./upgrade.sh --recover          end an upgrade that was cut off: back before the commit, forward after it
#   ./upgrade.sh --resume           go on with it instead, as far as that is right
#   ./upgrade.sh -- COMMAND …       any other command of the orchestrator: status, history, rollback, backups list …
#
# All the work is the orchestrator's, along the plan upgrade.yaml: the one that is on PATH, or its image that .env names,
# in a container that sees the engine's socket and this folder. Exit codes, signals and the terminal are the
# orchestrator's own; 10 also where it could not be started.
#
# It changes neither itself nor the orchestrator while an upgrade is at work or was cut off. The image of the orchestrator
# follows the app: the upgrade after a committed one takes, and notes in .env, the one of the release that runs.
set -eu

SOCKET_INSIDE=/var/run/docker.sock

main() {
    FOLDER=$(dirname "$(readlink -f "$0")")
    PLAN=$FOLDER/upgrade.yaml
    read_words "$@"
    if [ "$COMMAND" = --help ]; then
        sed -n '2,/^set /s/^# \{0,1\}//p' "$FOLDER/upgrade.sh"
        return
    fi
    [ -f "$PLAN" ] || fail "there is no upgrade.yaml in $FOLDER; this script belongs into the folder of an installation"
    if [ "$COMMAND" = -- ]; then
        shift "$SKIPPED"
    else
        set -- "$COMMAND" "$PLAN" ${FORCE:+"$FORCE"} ${VERSION:+"--version=$VERSION"}
    fi
    cd "$FOLDER"
    if on_host; then exec_on_host "$@"; fi
    find_engine
    if [ "$COMMAND" = run ]; then follow_release; fi
    exec_in_container "$@"
}

# Sets COMMAND, FORCE, VERSION; behind `--`, SKIPPED says how many words come before the orchestrator's own.
read_words() {
    COMMAND=run FORCE='' VERSION='' SKIPPED=0
    while [ $# -gt 0 ]; do
        SKIPPED=$((SKIPPED + 1))
        case $1 in
        --check | --recover | --resume) choose_command "${1#--}" ;;
        --force) FORCE=--force ;;
        --version)
            [ $# -ge 2 ] || misuse "--version needs the release to go to: --version v1.2.3"
            VERSION=$2
            SKIPPED=$((SKIPPED + 1))
            shift
            ;;
        --version=*) VERSION=${1#--version=} ;;
        -h | --help) choose_command --help ;;
        --)
            choose_command --
            [ $# -ge 2 ] || misuse "-- is followed by a command of the orchestrator: -- status"
            return
            ;;
        *) misuse "$1 is unknown" ;;
        esac
        shift
    done
    if [ "$COMMAND" = check ]; then FORCE=''; fi
    case $COMMAND$FORCE$VERSION in
    recover | resume | run* | check* | -- | --help) ;;
    *) misuse "--recover, --resume and -- take no other option" ;;
    esac
}

choose_command() {
    [ "$COMMAND" = run ] || misuse "--check, --recover, --resume and -- do not go together"
    COMMAND=$1
}

# Another program has the same name, so it is asked who it is.
on_host() {
    unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONWARNINGS PYTHONPLATLIBDIR PYTHONBREAKPOINT
    command -v orchestrator >/dev/null || return 1
    case $(orchestrator --version 2>/dev/null) in
    'orchestrator, version '*) return 0 ;;
    *) return 1 ;;
    esac
}

# These two are for the container; the orchestrator would take them for options of its own.
exec_on_host() {
    unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONWARNINGS PYTHONPLATLIBDIR PYTHONBREAKPOINT
    unset ORCHESTRATOR_IMAGE ORCHESTRATOR_VERSION
    export ORCHESTRATOR_PLAN="$PLAN"
    exec orchestrator "$@"
}

# ---- In a container

find_engine() {
    command -v docker >/dev/null || fail "neither the orchestrator nor docker is on PATH; the app was not touched"
    endpoint=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)} || endpoint=''
    case $endpoint in
    unix://*) SOCKET=${endpoint#unix://} ;;
    *) fail "the engine ${endpoint:-that docker means} is not on this host; run this where the app runs, or install the orchestrator here" ;;
    esac
    docker version >/dev/null 2>&1 || fail "no engine answers on $SOCKET for user $(id -un); start Docker, or run this as root"
    IMAGE=$(setting ORCHESTRATOR_IMAGE)
    PINNED=$(setting ORCHESTRATOR_VERSION)
    [ -n "$IMAGE" ] && [ -n "$PINNED" ] || fail "$FOLDER/.env lacks ORCHESTRATOR_IMAGE or ORCHESTRATOR_VERSION; .env of the release shows them"
}

# As on the host: its network, so that the app is asked where users ask it; its processes, so that a lock names its owner.
# Only this folder can be written, so that nothing lands in a place that is gone afterwards.
exec_in_container() {
    if [ -t 0 ]; then set -- --interactive --tty "$IMAGE:$PINNED" "$@"; else set -- "$IMAGE:$PINNED" "$@"; fi
    if [ "$(id -u)" -ne 0 ]; then
        set -- --user "$(id -u):$(id -g)" --group-add "$(stat -L -c %g "$SOCKET")" "$@"
    fi
    exec docker run --rm --network host --pid host --read-only --tmpfs /tmp \
        --mount "type=bind,source=$SOCKET,target=$SOCKET_INSIDE" --mount "type=bind,source=$FOLDER,target=$FOLDER" \
        --workdir "$FOLDER" --env HOME=/tmp --env "ORCHESTRATOR_PLAN=$PLAN" \
        --env TERM --env NO_COLOR --env GITHUB_TOKEN --env SUDO_UID --env ORCHESTRATOR_TRUST_OWNER "$@"
}

# Never back: an older one might not read what a newer one has recorded. An image that is unavailable now is tried again next time.
follow_release() {
    running=$(setting APP_VERSION)
    running=${running%%@*}
    case ${PINNED%%@*} in
    v[0-9]*) ;;
    *) return 0 ;;
    esac
    [ "$(printf '%s\n' "${PINNED%%@*}" "$running" | sort -V | tail -n 1)" != "${PINNED%%@*}" ] || return 0
    if is_unfinished; then return 0; fi
    if ! docker pull --quiet "$IMAGE:$running" >/dev/null 2>&1; then
        say "the orchestrator of $running is not available now; the one of ${PINNED%%@*} does the work"
        return 0
    fi
    digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$IMAGE:$running" | sed -n "s|^$IMAGE@||p" | head -n 1)
    PINNED=$running${digest:+@$digest}
    note_pin
    say "the orchestrator is the one of $running now"
}

is_unfinished() {
    [ -d "$FOLDER/.orchestrator" ] || return 1
    newest=$( (exec_in_container status --json) </dev/null 2>/dev/null) || return 0
    case $newest in
    *'"verdict": null'*) return 0 ;;
    *) return 1 ;;
    esac
}

# Beside its place and renamed, so that nobody ever reads half of it; owner and mode stay.
note_pin() {
    new=$FOLDER/.env.$$
    cp -p "$FOLDER/.env" "$new"
    sed "s|^ORCHESTRATOR_VERSION=.*|ORCHESTRATOR_VERSION=$PINNED|" "$FOLDER/.env" >"$new"
    mv "$new" "$FOLDER/.env"
}

# The last line that sets it, as Compose reads it.
setting() { sed -n "s/^$1=//p" "$FOLDER/.env" 2>/dev/null | tail -n 1 | tr -d "\"' "; }

say() { printf 'upgrade: %s\n' "$1" >&2; }

fail() {
    say "$1"
    exit 10
}

misuse() {
    say "$1; upgrade.sh --help shows what there is"
    exit 2
}

{ main "$@"; exit; }
