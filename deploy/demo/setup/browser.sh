#!/bin/sh
# Makes sure that a Chromium is on this machine, for the tests of the pages.
#
#   deploy/demo/setup/browser.sh
#
# Does nothing when one is on PATH already. Otherwise installs the distribution's own package (Debian; needs root or sudo
# without a password). Prints its path on stdout. Exit 1: one sentence says what to do.
set -eu

main() {
    if find_browser; then
        return
    fi
    command -v apt-get >/dev/null || fail "no Chromium is on PATH; install one"
    if [ "$(id -u)" -eq 0 ]; then
        ROOT=''
    elif sudo -n true 2>/dev/null; then
        ROOT='sudo -n'
    else
        fail "no Chromium is on PATH; run as root: apt-get install chromium"
    fi
    say "installing chromium"
    $ROOT apt-get update -qq >/dev/null || say "apt-get update reported errors; going on with the package lists there are"
    $ROOT env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 chromium fonts-dejavu-core >/dev/null 2>&1 || fail "apt-get could not install chromium; install it by hand"
    find_browser || fail "chromium was installed and is not on PATH"
}

find_browser() {
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name"; then
            return 0
        fi
    done
    return 1
}

say() { printf 'browser: %s\n' "$1" >&2; }
fail() {
    say "$1"
    exit 1
}

main "$@"
