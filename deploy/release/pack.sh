#!/bin/sh
# Lays out what a release offers for download, beside what is in the folder already (its wheel):
#
#   deploy/release/pack.sh v1.2.3 dist
#
# install.sh, upgrade.sh, upgrade.yaml, docker-compose.yml and env.example as an installation of that release has them,
# images.txt with the names of its images, and SHA256SUMS of all. GITHUB_REPOSITORY, GITHUB_SERVER_URL and GITHUB_API_URL,
# which a workflow has, say whose release it is; without them it is yourorg/remote-agent on github.com.
#
# Exit 1: one sentence says what is wrong.
set -eu

main() {
    [ $# -eq 2 ] || fail "say the version and the folder: pack.sh v1.2.3 dist"
    VERSION=$1 FOLDER=$2
    is_version "$VERSION" || fail "$VERSION is no version like v1.2.3"
    REPOSITORY=${GITHUB_REPOSITORY:-yourorg/remote-agent}
    SERVER=${GITHUB_SERVER_URL:-https://github.com}
    API=${GITHUB_API_URL:-https://api.github.com}
    # Names of images have small letters only.
    IMAGE=$(printf '%s' "$REPOSITORY" | tr '[:upper:]' '[:lower:]')
    SOURCE=$(cd "$(dirname "$0")/.." && pwd)
    mkdir -p "$FOLDER"
    for name in install.sh upgrade.sh upgrade.yaml docker-compose.yml; do write "$name" "$name"; done
    # Without its dot, which GitHub would replace by a word.
    write .env.example env.example
    chmod 0755 "$FOLDER/install.sh" "$FOLDER/upgrade.sh"
    write_images >"$FOLDER/images.txt"
    write_sums
}

# Of one line: grep would be content with any of several.
is_version() {
    case $1 in
    *[!0-9A-Za-z.-]*) return 1 ;;
    esac
    printf '%s\n' "$1" | grep -Eqx 'v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?'
}

# write SOURCE NAME: with the names and the version of this release in place of the examples.
write() {
    sed -e "s|ghcr.io/yourorg/remote-agent|ghcr.io/$IMAGE|g" -e "s|ghcr.io/yourorg/|ghcr.io/${IMAGE%%/*}/|g" \
        -e "s|yourorg/remote-agent|$REPOSITORY|g" -e "s|https://github.com|$SERVER|g" -e "s|https://api.github.com|$API|g" \
        -e "s|^\( *\)VERSION=dev$|\1VERSION=$VERSION|" -e "s|^\([A-Z]*_VERSION\)=v1\.2\.3$|\1=$VERSION|" \
        "$SOURCE/$1" >"$FOLDER/$2"
}

# One a line; a host without the internet can be given them with docker save and docker load, or through a mirror.
write_images() {
    printf '%s\n' "ghcr.io/$IMAGE:$VERSION" "ghcr.io/${IMAGE%%/*}/upgrade-orchestrator:$VERSION"
    sed -n 's/^# POSTGRES_IMAGE=//p' "$SOURCE/.env.example"
}

write_sums() {
    cd "$FOLDER"
    rm -f SHA256SUMS
    sha256sum -- * >.sums
    mv .sums SHA256SUMS
}

fail() {
    printf 'pack: %s\n' "$1" >&2
    exit 1
}

main "$@"
