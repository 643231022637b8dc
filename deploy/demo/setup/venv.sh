#!/bin/bash
# Makes the virtual environment .venv of this checkout, with the locked dependencies and the command `orchestrator`.
#
#   deploy/demo/setup/venv.sh
#
# Needs Python 3.11 or newer; installs the distribution's venv module when that alone is missing (Debian and Ubuntu; root
# or sudo without a password). Does nothing when .venv is up to date. Says on stderr, in one line each, what it does.
# Exit 1: one sentence says what to do.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
VENV=$ROOT/.venv
STAMP=$VENV/.stamp
UV_VERSION=0.13.9

main() {
    cd "$ROOT"
    exec 9<pyproject.toml
    flock 9 # two makes at once build it once
    RECIPE=$(cat uv.lock pyproject.toml "${BASH_SOURCE[0]}" <(pwd) | sha256sum | cut -d ' ' -f 1)
    if [ "$(cat "$STAMP" 2>/dev/null)" = "$RECIPE" ] && "$VENV/bin/python" -c '' 2>/dev/null; then
        return
    fi
    rm -f "$STAMP"
    usable_venv || make_venv
    install_locked
    printf '%s\n' "$RECIPE" >"$STAMP"
}

say() { printf 'venv: %s\n' "$1" >&2; }
fail() {
    say "$1"
    exit 1
}

usable_venv() { [ -x "$VENV/bin/python" ] && new_enough "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

make_venv() {
    local python
    python=$(find_python) || fail "no Python 3.11 or newer is on PATH; install one (Debian 12, Ubuntu 24.04: apt-get install python3)"
    "$python" -c 'import ensurepip' 2>/dev/null || install_venv_module "$python"
    say "creating .venv with $("$python" --version)"
    "$python" -m venv --clear "$VENV" 9<&- || fail "$python -m venv failed; the lines above say why"
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

install_venv_module() {
    local as_root=()
    command -v apt-get >/dev/null || fail "$1 has no venv module (ensurepip); install it"
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "$1 has no venv module; run as root: apt-get install python3-venv"
        as_root=(sudo -n)
    fi
    say "installing python3-venv"
    "${as_root[@]}" apt-get update -qq 9<&- || say "apt-get update reported errors; going on with the package lists there are"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 python3-venv >/dev/null 9<&- || fail "apt-get could not install python3-venv; install it by hand"
    "$1" -c 'import ensurepip' 2>/dev/null || fail "$1 still has no venv module; install the one that belongs to it"
}

install_locked() {
    if [ "$("$VENV/bin/uv" --version 2>/dev/null | cut -d ' ' -f 2)" != "$UV_VERSION" ]; then
        say "installing uv $UV_VERSION"
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" 9<&- ||
            fail "pip could not install uv $UV_VERSION; the lines above say why"
    fi
    say "installing what uv.lock says"
    # The system's certificates: an intermediary with a certificate of its own is known to them alone.
    UV_PROJECT_ENVIRONMENT=$VENV UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-1} UV_PYTHON_DOWNLOADS=never \
        "$VENV/bin/uv" sync --quiet --frozen --inexact --python "$VENV/bin/python" 9<&- ||
        fail "uv could not install the locked dependencies; the lines above say why"
}

main "$@"
