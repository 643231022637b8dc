#!/bin/sh
# Makes sure that a Docker Engine with Compose v2 answers on this machine.
#
#   deploy/demo/setup/engine.sh
#
# Does nothing when one answers already. Otherwise installs the distribution's own packages (Debian 12 or later, Ubuntu
# 22.04 or later; needs root or sudo without a password) and starts the daemon. Says in one line each what it does, on
# stderr. Exit 0: `docker info` and `docker compose version` work. Exit 1: one sentence says what to do.
set -eu

START_TIMEOUT_S=60
LOCKS=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/upgrade-orchestrator # where nobody else can put a link
SUITE=trixie # Debian 12 carries no Compose v2; the release after it does
OWN_NAME=upgrade-orchestrator-$SUITE

main() {
    if engine_answers && compose_works; then
        return
    fi
    refuse_foreign_engine
    choose_root_prefix
    mkdir -p "$LOCKS"
    exec 9>"$LOCKS/engine.lock"
    flock 9
    install_missing
    engine_answers || start_daemon
    check_client
    say "Docker Engine $(docker version --format '{{.Server.Version}}') with Compose $(docker compose version --short) answers"
}

engine_answers() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }
compose_works() { docker compose version >/dev/null 2>&1; }
say() { printf 'engine: %s\n' "$1" >&2; }
fail() {
    say "$1"
    exit 1
}

# An engine elsewhere, or one that this user may not use, is not repaired by installing a second one.
refuse_foreign_engine() {
    if [ -n "${DOCKER_HOST:-}" ] && ! engine_answers; then
        fail "DOCKER_HOST is $DOCKER_HOST and no engine answers there; start that engine or unset DOCKER_HOST"
    fi
    if [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
        fail "user $(id -un) may not use /var/run/docker.sock; run this as root or add the user to the group docker"
    fi
}

choose_root_prefix() {
    if [ "$(id -u)" -eq 0 ]; then
        ROOT=''
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        ROOT='sudo -n'
    else
        fail "no Docker Engine answers and user $(id -un) is not root; install Docker with Compose v2, or run this as root"
    fi
}

as_root() { $ROOT "$@"; }

install_missing() {
    if has_daemon && command -v docker >/dev/null && compose_works; then
        return
    fi
    choose_packages
    say "installing $PACKAGES"
    as_root apt-get update -qq || say "apt-get update reported errors; going on with the package lists there are"
    hold_services
    apt_log=$(mktemp)
    # One package at a time from the newer release: a whole-release pin (-t) would replace libc with it.
    # shellcheck disable=SC2086  # a list of words
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $PACKAGES >"$apt_log" 2>&1; then
        release_services
        tail -n 20 "$apt_log" >&2
        fail "apt-get could not install $PACKAGES; repair apt, or install Docker with Compose v2 by hand"
    fi
    rm -f "$apt_log"
    release_services
}

has_daemon() { [ -n "$(daemon_path)" ]; }
daemon_path() { PATH=$PATH:/usr/sbin:/usr/bin:/sbin command -v dockerd || true; }

# An engine that is installed keeps its daemon: only Compose is added then.
choose_packages() {
    # shellcheck disable=SC1091  # the system's own file
    distribution=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-}" "${VERSION_ID:-}") || distribution=''
    case $distribution in
    'debian 12')
        add_next_release
        if has_daemon; then
            PACKAGES="docker-compose/$SUITE docker-buildx/$SUITE"
        else
            PACKAGES="docker.io/$SUITE docker-cli/$SUITE docker-compose/$SUITE docker-buildx/$SUITE docker-registry/$SUITE"
        fi
        ;;
    'debian 1'[3-9])
        if has_daemon; then
            PACKAGES='docker-compose docker-buildx'
        else
            PACKAGES='docker.io docker-cli docker-compose docker-buildx docker-registry'
        fi
        ;;
    'ubuntu 2'[2-9].*)
        if has_daemon; then
            PACKAGES='docker-compose-v2 docker-buildx'
        else
            PACKAGES='docker.io docker-compose-v2 docker-buildx docker-registry'
        fi
        ;;
    *)
        fail "do not know how to install Docker on ${distribution:-this system}; install an engine with Compose v2 and run this again"
        ;;
    esac
}

# Pinned at 100: apt takes from there only what is asked for by name, and never an upgrade of something installed.
add_next_release() {
    say "adding Debian $SUITE as a package source, pinned at 100 ($OWN_NAME)"
    as_root tee "/etc/apt/sources.list.d/$OWN_NAME.sources" >/dev/null <<SOURCES
Types: deb
URIs: http://deb.debian.org/debian
Suites: $SUITE
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    as_root tee "/etc/apt/preferences.d/$OWN_NAME" >/dev/null <<PIN
Package: *
Pin: release n=$SUITE
Pin-Priority: 100
PIN
}

# Packages start their services while they are installed: docker-registry would listen on every interface, and the
# engine's init script without systemd mounts over the cgroup tree. Nothing starts until start_daemon says so.
hold_services() {
    HELD=false
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        HELD=true
        trap release_services EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
        as_root chmod 0755 /usr/sbin/policy-rc.d
    fi
    REGISTRY_WAS_THERE=false
    if [ -e /usr/bin/docker-registry ]; then REGISTRY_WAS_THERE=true; fi
}

release_services() {
    if $HELD; then
        HELD=false
        as_root rm -f /usr/sbin/policy-rc.d
    fi
    if ! $REGISTRY_WAS_THERE && [ -e /usr/bin/docker-registry ] && command -v systemctl >/dev/null; then
        REGISTRY_WAS_THERE=true
        as_root systemctl disable --quiet docker-registry.service 2>/dev/null || true # it is run by hand, on loopback
    fi
}

start_daemon() {
    if [ "$(cat /proc/1/comm)" = systemd ]; then
        say "starting the daemon with systemd"
        as_root systemctl enable --quiet --now docker.service || fail "docker.service does not start; see: journalctl -u docker"
        await_engine "journalctl -u docker"
        return
    fi
    log=/var/log/dockerd.log
    say "starting dockerd in the background (log: $log)"
    # shellcheck disable=SC2016  # expanded by the inner shell; 9 is our lock, which a daemon must not keep
    as_root sh -c 'PATH=$PATH:/usr/sbin:/sbin; nohup setsid "$1" >>"$2" 2>&1 </dev/null 9>&- &' start "$(daemon_path)" "$log"
    await_engine "$log"
}

await_engine() {
    deadline=$(($(date +%s) + START_TIMEOUT_S))
    until engine_answers; do
        if [ -S /var/run/docker.sock ]; then refuse_foreign_engine; fi
        if [ "$(date +%s)" -ge "$deadline" ]; then
            fail "dockerd does not answer after $START_TIMEOUT_S s; its log says why: $1"
        fi
        sleep 0.2
    done
}

# A docker client of an earlier installation may stand before the packaged one on PATH and look for plugins elsewhere.
check_client() {
    if compose_works; then
        return
    fi
    if /usr/bin/docker compose version >/dev/null 2>&1; then
        fail "$(command -v docker) hides /usr/bin/docker and finds no Compose plugin; remove it or put /usr/bin first on PATH"
    fi
    fail "'docker compose version' still fails; install the Compose v2 plugin (docs.docker.com/compose/install/linux)"
}

main "$@"
