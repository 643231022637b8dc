#!/bin/sh
# Makes the release of a tag that is there, once: a draft, all the files of a folder in it, and then public.
#
#   deploy/release/publish.sh v1.2.3 dist
#
# A published release is never changed: with a release of that tag published, nothing is done. A draft that somebody has
# prepared keeps its title and notes; files that an earlier attempt has left in it are replaced by these. GITHUB_REPOSITORY
# and GH_TOKEN say where, RULES (of tags.py) whether it is the newest. Exit 1: one sentence says what is wrong, and no
# release was published.
set -eu

main() {
    [ $# -eq 2 ] || fail "say the version and the folder: publish.sh v1.2.3 dist"
    VERSION=$1 FOLDER=$2
    [ -s "$FOLDER/SHA256SUMS" ] && [ -s "$FOLDER/attestation.json" ] || fail "$FOLDER lacks SHA256SUMS or attestation.json"
    case $(release view "$VERSION" --json isDraft --jq .isDraft 2>/dev/null || echo none) in
    none) release create "$VERSION" --draft --verify-tag --title "$VERSION" --generate-notes >/dev/null || fail "the draft could not be made" ;;
    true) remove_left ;;
    *) fail "release $VERSION is published, and what is published is never changed; take a new version" ;;
    esac
    release upload "$VERSION" "$FOLDER"/* >/dev/null || fail "not all files could be uploaded; the draft stays one"
    require_whole
    release edit "$VERSION" --draft=false "$(say_kind)" >/dev/null || fail "the draft is whole, but could not be published"
}

release() { verb=$1 && shift && gh release "$verb" --repo "$GITHUB_REPOSITORY" "$@"; }

list_assets() { release view "$VERSION" --json assets --jq '.assets[] | "\(.name) \(.size)"'; }

remove_left() {
    list_assets | while read -r name _; do
        release delete-asset "$VERSION" "$name" --yes >/dev/null || exit 1
    done || fail "files of an earlier attempt could not be removed from the draft"
}

# Each file with its size: half a release is none.
require_whole() {
    wanted=$(cd "$FOLDER" && for name in *; do echo "$name $(wc -c <"$name" | tr -d ' ')"; done | sort)
    [ "$(list_assets | sort)" = "$wanted" ] || fail "the draft has not exactly the files of $FOLDER; it stays a draft"
}

say_kind() {
    case $VERSION/${RULES:-} in
    *-*/*) echo --prerelease ;;
    */*value=latest*) echo --latest=true ;;
    *) echo --latest=false ;;
    esac
}

fail() {
    printf 'publish: %s\n' "$1" >&2
    exit 1
}

main "$@"
