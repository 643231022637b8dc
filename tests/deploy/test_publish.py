"""A release is made once, whole or not at all; with a stub in place of GitHub that keeps a release in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.stubs import CHECKOUT, VERSION, Ended, Stubs

SCRIPT = CHECKOUT / "deploy" / "release" / "publish.sh"
# In $HOME/release: `draft` holds true or false, `assets` the files that were uploaded; without it there is no release.
GH = """\
release=$HOME/release verb=$2
case "$verb" in
view)
    [ -d "$release" ] || exit 1
    case "$*" in
    *isDraft*) cat "$release/draft" ;;
    *) cd "$release/assets" && for name in *; do [ ! -e "$name" ] || echo "$name $(wc -c <"$name" | tr -d ' ')"; done ;;
    esac ;;
create) mkdir -p "$release/assets" && echo true >"$release/draft" ;;
delete-asset) rm "$release/assets/$6" ;;
upload)
    shift 5
    for file; do
        [ ! -e "$release/assets/${file##*/}" ] || exit 1
        [ "${file##*/}" = "$(cat "$HOME/lost" 2>/dev/null)" ] || cp "$file" "$release/assets"
    done ;;
edit) echo false >"$release/draft" ;;
esac
"""


class Bench:
    """The files of a release, and GitHub."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.stubs = Stubs(self.home)
        self.stubs.add("gh", GH)
        self.dist = folder / "dist"
        self.dist.mkdir()
        for name in ("SHA256SUMS", "attestation.json", "install.sh"):
            (self.dist / name).write_text(f"this is {name}\n")
        self.assets = self.home / "release" / "assets"

    def prepare(self, draft: str, **assets: str) -> None:
        self.assets.mkdir(parents=True)
        (self.home / "release" / "draft").write_text(f"{draft}\n")
        for name, text in assets.items():
            (self.assets / name).write_text(text)

    def publish(self, version: str = VERSION, rules: str = "type=raw,value=latest") -> Ended:
        environment = {"GITHUB_REPOSITORY": "yourorg/remote-agent", "RULES": rules}
        return self.stubs.run(SCRIPT, version, self.dist, environment=environment)

    def read(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.assets.iterdir()} if self.assets.exists() else {}

    def is_public(self) -> bool:
        draft = self.home / "release" / "draft"
        return draft.exists() and draft.read_text() == "false\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_release_is_a_draft_until_all_its_files_are_there(bench: Bench) -> None:
    ended = bench.publish()
    assert ended.exit_code == 0, ended.stderr
    assert bench.is_public()
    assert bench.read() == {path.name: path.read_text() for path in bench.dist.iterdir()}
    verbs = [call.split()[2] for call in ended.calls]
    assert verbs == ["view", "create", "upload", "view", "edit"]
    assert "--draft --verify-tag" in ended.calls[1]
    assert all("--repo yourorg/remote-agent" in call for call in ended.calls)


def test_published_release_is_not_changed(bench: Bench) -> None:
    bench.prepare("false", SHA256SUMS="as it was")
    ended = bench.publish()
    assert ended.exit_code == 1
    assert "is published, and what is published is never changed" in ended.stderr
    assert bench.read() == {"SHA256SUMS": "as it was"}
    assert [call.split()[2] for call in ended.calls] == ["view"]


def test_a_draft_that_was_prepared_or_left_gets_these_files_alone(bench: Bench) -> None:
    bench.prepare("true", SHA256SUMS="of an earlier attempt", other="left")
    assert bench.publish().exit_code == 0
    assert sorted(bench.read()) == ["SHA256SUMS", "attestation.json", "install.sh"]
    assert bench.read()["SHA256SUMS"] == "this is SHA256SUMS\n"
    assert bench.is_public()


def test_half_a_release_stays_a_draft(bench: Bench) -> None:
    (bench.home / "lost").write_text("install.sh")
    ended = bench.publish()
    assert (ended.exit_code, bench.is_public()) == (1, False)
    assert "has not exactly the files" in ended.stderr
    (bench.home / "lost").unlink()
    assert (bench.publish().exit_code, bench.is_public()) == (0, True)


@pytest.mark.parametrize("lacking", ["SHA256SUMS", "attestation.json"])
def test_without_checksums_or_attestation_nothing_is_made(bench: Bench, lacking: str) -> None:
    (bench.dist / lacking).write_text("")
    ended = bench.publish()
    assert (ended.exit_code, ended.calls, bench.read()) == (1, (), {})


@pytest.mark.parametrize(
    ("version", "rules", "kind"),
    [
        ("v1.2.3", "type=raw,value=v1.2.3\ntype=raw,value=latest", "--latest=true"),
        ("v1.2.2", "type=raw,value=v1.2.2", "--latest=false"),
        ("v1.3.0-rc.1", "type=raw,value=v1.3.0-rc.1", "--prerelease"),
    ],
)
def test_the_newest_is_the_newest_and_a_prerelease_is_one(bench: Bench, version: str, rules: str, kind: str) -> None:
    ended = bench.publish(version, rules)
    assert ended.calls[-1].endswith(f"--draft=false {kind}")
