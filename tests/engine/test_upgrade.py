"""The four upgrades of the ledger by the real command, under a writer that never stops.

The rehearsal is left out of the plan: it would refuse the bad releases before there is a way back to be gone.
"""

import gzip
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from deploy.demo.bed import LABEL, Acknowledged, Bed, Prober, Writer, missing, read_entries
from tests.engine.installation import (
    Ended,
    Install,
    Installation,
    find_belongings,
    find_image_names,
    orchestrator,
)

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

EXPECTED = {
    "1.1.0": ("committed", 0),
    "1.2.0": ("rolled_back", 20),
    "1.3.0": ("rolled_back", 20),
    "1.4.0": ("rolled_back", 20),
}


@dataclass
class Story:
    """Four upgrades, one after the other, and what was there before and after each."""

    installation: Installation
    ended: dict[str, Ended] = field(default_factory=dict)
    env: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    belongings: list[dict[str, set[str]]] = field(default_factory=list)
    unreachable_s: dict[str, float] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    acknowledged: tuple[Acknowledged, ...] = ()


@pytest.fixture(scope="module")
def story(install: Install) -> Iterator[Story]:
    story = Story(install(rehearsed=False))
    host = story.installation.host
    story.belongings.append(find_belongings(host.client, host.project))
    with Prober(host.url) as prober, Writer(host.url) as writer:
        for release in EXPECTED:
            writer.await_acknowledged(20, 60)
            before, began = story.installation.read_env(), time.monotonic()
            story.ended[release] = story.installation.run("--force", "--version", f"v{release}", "--json")
            writer.await_acknowledged(20, 60)
            story.env[release] = (before, story.installation.read_env())
            story.unreachable_s[release] = prober.unreachable_s(began, time.monotonic())
            story.belongings.append(find_belongings(host.client, host.project))
    story.acknowledged = tuple(writer.acknowledged)
    story.versions = prober.versions
    yield story
    host.down()


@pytest.mark.parametrize("release", EXPECTED)
def test_every_upgrade_ends_as_it_should(story: Story, release: str) -> None:
    ended = story.ended[release]
    verdict, exit_code = EXPECTED[release]
    assert (ended.document["verdict"], ended.exit_code) == (verdict, exit_code), ended.said
    assert ended.document["exit_code"] == exit_code
    assert ended.document["to"] == release
    failure = ended.document["failure"]
    assert verdict == "committed" or (isinstance(failure, dict) and failure["owner"] == "release"), failure


@pytest.mark.parametrize(
    ("release", "state", "words"),
    [
        ("1.2.0", "migrate", 'relation "authors" does not exist'),
        ("1.3.0", "health", "Service app is"),
        ("1.4.0", "health", "says that it is 1.1.0 instead of 1.4.0"),
    ],
)
def test_a_bad_release_is_found_where_it_is_bad_and_the_report_says_why(
    story: Story, release: str, state: str, words: str
) -> None:
    document = story.ended[release].document
    states = document["states"]
    assert isinstance(states, list)
    first_bad = next(line for line in states if line["outcome"] in ("failed", "timeout"))
    assert first_bad["state"] == state
    assert words in first_bad["reason"]
    assert [line["state"] for line in states[-2:]] == ["restore", "rollback"]
    assert document["next"]


def test_every_acknowledged_entry_is_live_or_in_a_quarantine_that_a_report_names(story: Story) -> None:
    host = story.installation.host
    assert len(story.acknowledged) > 100
    lost = missing(story.acknowledged, read_entries(host.url))
    for ended in story.ended.values():
        names = ended.document["quarantine"]
        assert isinstance(names, list)
        for name in names:
            lost = missing(lost, host.read_aside(name))
    assert lost == []


@pytest.mark.parametrize("release", ["1.2.0", "1.3.0", "1.4.0"])
def test_a_rollback_leaves_the_env_file_byte_for_byte_as_it_was(story: Story, release: str) -> None:
    before, after = story.env[release]
    assert after == before


def test_a_commit_pins_the_digest_and_changes_nothing_else(story: Story, ledger_bed: Bed) -> None:
    before, after = story.env["1.1.0"]
    pin = re.search(rb"^APP_VERSION=(v1\.1\.0@sha256:[0-9a-f]{64})$", after, re.MULTILINE)
    assert pin is not None
    assert after == before.replace(b"APP_VERSION=v1.0.0", b"APP_VERSION=" + pin[1])


def test_nothing_but_the_version_is_another_after_a_commit_or_a_way_back(story: Story) -> None:
    # Each run has seen in its preflight that what the one before it has left is as the files say.
    for ended in story.ended.values():
        notes = ended.document["notes"]
        assert isinstance(notes, list)
        assert not [note for note in notes if "What runs now" in note]


def test_users_are_without_the_app_for_seconds(story: Story) -> None:
    assert all(0 < seconds < 60 for seconds in story.unreachable_s.values()), story.unreachable_s


def test_users_saw_the_new_version_and_have_it_in_the_end(story: Story) -> None:
    assert story.versions[:2] == ["1.0.0", "1.1.0"]
    assert story.versions[-1] == "1.1.0"


def test_each_upgrade_leaves_a_private_backup_that_is_whole(story: Story) -> None:
    files = story.installation.backups()
    assert len(files) in (3, 4)
    for file in files:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d{6}_v1\.[01]\.0\.sql\.gz", file.name), file
        assert file.stat().st_mode & 0o777 == 0o600
        dump = gzip.decompress(file.read_bytes()).decode()
        assert "COPY public.entries" in dump
        assert dump.rstrip().endswith("-- PostgreSQL database dump complete") or "\\unrestrict" in dump[-200:]
    verified = orchestrator("backups", "verify", "--plan", str(story.installation.plan))
    assert verified.exit_code == 0, verified.said


def test_history_tells_of_every_run(story: Story) -> None:
    listed = orchestrator("history", str(story.installation.plan))
    assert [word for word in listed.said.split() if word in ("committed", "rolled_back")] == [
        "rolled_back",
        "rolled_back",
        "rolled_back",
        "committed",
    ]


def test_no_container_volume_or_network_is_left_beside_those_of_the_app(story: Story) -> None:
    assert story.belongings == [story.belongings[0]] * len(story.belongings)


def test_the_old_image_of_each_upgrade_keeps_a_name(story: Story, ledger_bed: Bed) -> None:
    names = find_image_names(ledger_bed.client, [f"{LABEL}={ledger_bed.id}"])
    runs = {str(ended.document["run"]) for ended in story.ended.values()}
    assert {name.rpartition(":")[2] for name in names if name.startswith("upgrade-orchestrator/kept:")} >= runs


def test_the_newest_release_that_runs_is_up_to_date(story: Story) -> None:
    story.installation.feed.announce("1.0.0", "1.1.0")
    ended = story.installation.run("--force", "--json")
    assert (ended.exit_code, ended.document["verdict"]) == (0, "up_to_date"), ended.said
    assert story.installation.run("--check").exit_code == 0


def test_a_plan_of_just_the_six_states_upgrades_and_comes_back(install: Install) -> None:
    plain = install(shipped="plain.yaml")
    with Writer(plain.host.url) as writer:
        writer.await_acknowledged(20, 60)
        good = plain.run("--force", "--version", "v1.1.0", "--json")
        bad = plain.run("--force", "--version", "v1.2.0", "--json")
        writer.await_acknowledged(20, 60)
    assert (good.exit_code, good.document["verdict"]) == (0, "committed"), good.said
    assert (bad.exit_code, bad.document["verdict"]) == (20, "rolled_back"), bad.said
    assert missing(writer.acknowledged, read_entries(plain.host.url)) == []
    plain.host.down()
