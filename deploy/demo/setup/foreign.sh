#!/bin/bash
# Makes sure that this machine runs programs of the other architecture, arm64 on amd64 or the other way round, and that
# what images of it are built on is here:
#
#   deploy/demo/setup/foreign.sh
#   FOREIGN_ARCHITECTURE=arm64
#   FOREIGN_FOLDER=…            with python.tar, a root file system with Python 3.11, and docker and docker-compose
#
# Debian's packages, of which emulation is registered with the kernel and lasts until the next boot; needs root or sudo
# without a password. The folder is in the cache of this project and made once, which needs an engine. Everything else goes to stderr. Exit 1:
# one sentence says what to do.
# shellcheck disable=SC2016  # the $1 of a customize hook is expanded by mmdebstrap's shell
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
FORMATS=/proc/sys/fs/binfmt_misc
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/upgrade-orchestrator
MIRROR=http://deb.debian.org

main() {
    choose_architecture
    ROOT=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "running $ARCHITECTURE programs here has to be set up by root: run this as root"
        ROOT=(sudo -n)
    fi
    mkdir -p "$CACHE" # where nobody else can put a link
    exec 9>"$CACHE/foreign.lock"
    flock 9 # two checkouts at once set up once
    [ -e "$FORMATS/qemu-$MACHINE" ] || register_emulator
    grep -q '^flags:.*F' "$FORMATS/qemu-$MACHINE" ||
        fail "qemu-$MACHINE was registered by somebody else and not with the flag F: unregister it, and run this again"
    FOLDER=$CACHE/foreign-$ARCHITECTURE-$(sha256sum "${BASH_SOURCE[0]}" | cut -c 1-16)
    [ -d "$FOLDER" ] || make_folder
    printf 'FOREIGN_ARCHITECTURE=%s\nFOREIGN_FOLDER=%s\n' "$ARCHITECTURE" "$FOLDER"
}

say() { printf 'foreign: %s\n' "$1" >&2; }
fail() {
    say "$1"
    exit 1
}

choose_architecture() {
    case $(uname -m) in
    x86_64) ARCHITECTURE=arm64 MACHINE=aarch64 ;;
    aarch64) ARCHITECTURE=amd64 MACHINE=x86_64 ;;
    *) fail "this machine is neither amd64 nor arm64: run this on one of those" ;;
    esac
}

# The file that systemd would read says F: the kernel opens the emulator now, so that containers need not have it.
register_emulator() {
    ensure_package qemu-user-static "/usr/lib/binfmt.d/qemu-$MACHINE.conf"
    [ -e "$FORMATS/register" ] || "${ROOT[@]}" mount -t binfmt_misc binfmt_misc "$FORMATS" ||
        fail "this kernel has no binfmt_misc, which hands $ARCHITECTURE programs to their emulator: use another one"
    [ -e "$FORMATS/qemu-$MACHINE" ] || "${ROOT[@]}" tee "$FORMATS/register" <"/usr/lib/binfmt.d/qemu-$MACHINE.conf" >/dev/null ||
        fail "the kernel refused to register qemu-$MACHINE: in a container, register it on the host"
}

# Made beside its place and renamed: a folder that is there is complete.
make_folder() {
    local unfinished
    ensure_package mmdebstrap /usr/bin/mmdebstrap
    mkdir -p "$CACHE"
    unfinished=$(mktemp -d "$CACHE/foreign-unfinished.XXXXXX")
    chmod 0755 "$unfinished"
    # shellcheck disable=SC2064  # this folder
    trap "rm -rf --one-file-system '$unfinished'" EXIT
    say "unpacking Debian's packages for $ARCHITECTURE"
    unpack_client "$unfinished" || fail "Docker's command line for $ARCHITECTURE could not be unpacked; the lines above say why"
    unpack_python "$unfinished" || fail "Python for $ARCHITECTURE could not be unpacked; the lines above say why"
    compile_modules "$unfinished" || fail "Python for $ARCHITECTURE could not be compiled; the lines above say why"
    mv -T "$unfinished" "$FOLDER"
    trap - EXIT
}

# Configured it would be a whole Debian, after minutes of emulation; what configuring would have made and a container
# needs is two files and a name.
unpack_python() {
    bootstrap python3,python3-venv,python3-pip,base-files,base-passwd,passwd,login,coreutils,dash bookworm "$1/python.tar" \
        --customize-hook='cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"' \
        --customize-hook='cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"' \
        --customize-hook='ln -s python3 "$1/usr/bin/python"' \
        --customize-hook='rm -r "$1/usr/share/doc" "$1/usr/share/man" "$1/usr/share/locale"'
}

# Adds the compiled modules, for which this machine's own Python of the same version is as good and far quicker.
compile_modules() {
    local python
    python=$("$HERE/base_images.sh" | sed -n 's/^PYTHON_IMAGE=//p')
    docker run --rm --network none --volume "$1:/foreign" "$python" sh -euc '
        mkdir /unpacked
        cd /unpacked
        tar --extract --file /foreign/python.tar ./usr/lib/python3 ./usr/lib/python3.11
        python3 -m compileall -q -s /unpacked -p / usr/lib
        find . -name "*.pyc" -print0 | tar --append --file /foreign/python.tar --null --files-from -'
}

unpack_client() {
    bootstrap docker-cli,docker-compose trixie - |
        tar --extract --directory "$1" --transform 's,.*/,,' ./usr/bin/docker ./usr/libexec/docker/cli-plugins/docker-compose
}

# bootstrap PACKAGES SUITE FILE [OPTION…]
bootstrap() {
    local packages=$1 suite=$2 file=$3 proxy
    shift 3
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy)
    "${ROOT[@]}" mmdebstrap --quiet --variant=extract --architectures="$ARCHITECTURE" --skip=check/qemu \
        --include="$packages" ${proxy:+--aptopt="Acquire::http::Proxy \"$proxy\""} --aptopt='Acquire::Retries "3"' \
        "$@" "$suite" "$file" "deb $MIRROR/debian $suite main" \
        "deb $MIRROR/debian $suite-updates main" "deb $MIRROR/debian-security $suite-security main" </dev/null 9>&-
}

# ensure_package PACKAGE FILE: a file of it shows whether it is installed.
ensure_package() {
    [ ! -e "$2" ] || return 0
    command -v apt-get >/dev/null || fail "only Debian and Ubuntu can set this up: run this there"
    say "installing $1"
    "${ROOT[@]}" apt-get update -qq >/dev/null || say "apt-get update reported errors; going on with the package lists there are"
    "${ROOT[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -o DPkg::Lock::Timeout=300 \
        "$1" debian-archive-keyring >/dev/null 2>&1 9>&- || fail "apt-get could not install $1; install it by hand"
    [ -e "$2" ] || fail "$1 was installed and has no $2"
}

main "$@"
