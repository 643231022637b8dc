"""Going back after a commit and exchanging the data, by the real command, under a writer that never stops."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo.bed import Acknowledged, Writer, missing, read_entries
from tests.engine.installation import Ended, Install, Installation, orchestrator

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


@dataclass
class Story:
    """An upgrade, the way back, and the data of an earlier backup, one after the other."""

    installation: Installation
    upgraded: Ended
    returned: Ended
    reloaded: Ended
    acknowledged: tuple[Acknowledged, ...]
    old_image: str

    def names(self, ended: Ended) -> list[str]:
        """Databases that a run has set aside."""
        names = ended.document["quarantine"]
        assert isinstance(names, list)
        return [str(name) for name in names]


@pytest.fixture(scope="module")
def story(install: Install) -> Iterator[Story]:
    installation = install(rehearsed=False)
    host, plan = installation.host, str(installation.plan)
    old_image = image_id(installation)
    with Writer(host.url) as writer:
        writer.await_acknowledged(20, 60)
        upgraded = installation.run("--force", "--version", "v1.1.0", "--json")
        writer.await_acknowledged(20, 60)
        returned = orchestrator("rollback", plan, "--force", "--json")
        writer.await_acknowledged(20, 60)
        backup = str(backup_of(returned))
        writer.await_acknowledged(20, 60)
        older = next(path for path in installation.backups() if str(path) != backup and "v1.0.0" in path.name)
        reloaded = orchestrator("backups", "restore", str(older), "--plan", plan, "--force", "--json")
        writer.await_acknowledged(20, 60)
    yield Story(installation, upgraded, returned, reloaded, tuple(writer.acknowledged), old_image)
    host.down()


def image_id(installation: Installation) -> str:
    image = installation.host.container("app").attrs["Image"]
    assert isinstance(image, str)
    return image


def backup_of(ended: Ended) -> Path:
    backup = ended.document["backup"]
    assert isinstance(backup, dict), ended.said
    return Path(backup["path"])


def read_quarantine(installation: Installation, name: str) -> dict[int, str]:
    rows = installation.host.psql("SELECT id, hash FROM entries", database=name).splitlines()
    return {int(row.split("|")[0]): row.split("|")[1] for row in rows}


def test_each_step_ends_well(story: Story) -> None:
    for ended, versions in (
        (story.upgraded, ("1.0.0", "1.1.0")),
        (story.returned, ("1.1.0", "1.0.0")),
        (story.reloaded, ("1.0.0", "1.0.0")),
    ):
        assert ended.exit_code == 0, ended.said
        assert ended.document["verdict"] == "committed"
        assert (ended.document["from"], ended.document["to"]) == versions


def test_the_old_image_serves_again_and_stays_when_the_operator_brings_the_project_up(story: Story) -> None:
    host = story.installation.host
    before = host.container("app")
    assert image_id(story.installation) == story.old_image
    subprocess.run(["docker", "compose", "up", "-d"], cwd=host.folder, check=True, capture_output=True, timeout=120)
    assert host.container("app").id == before.id


def test_what_was_saved_in_between_is_in_the_databases_that_the_reports_name(story: Story) -> None:
    lost = missing(story.acknowledged, read_entries(story.installation.host.url))
    assert lost, "the data of before know nothing of what was saved since"
    for ended in (story.returned, story.reloaded):
        (name,) = story.names(ended)
        lost = missing(lost, read_quarantine(story.installation, name))
    assert lost == []


def test_nothing_that_was_made_on_the_way_stays_but_what_the_reports_name(story: Story) -> None:
    host = story.installation.host
    databases = set(host.psql("SELECT datname FROM pg_database", database="postgres").splitlines())
    named = {*story.names(story.returned), *story.names(story.reloaded)}
    assert databases == {"postgres", "template0", "template1", "ledger", *named}


def test_the_list_of_backups_names_the_quarantines_and_one_can_be_dropped(story: Story) -> None:
    plan = str(story.installation.plan)
    listed = orchestrator("backups", "list", plan, "--json").document["quarantine"]
    assert isinstance(listed, list)
    assert [entry["database"] for entry in listed] == [*story.names(story.reloaded), *story.names(story.returned)]
    assert all(entry["size_bytes"] > 0 for entry in listed)
    run = str(story.reloaded.document["run"])
    asked = orchestrator("quarantine", "drop", run, "--plan", plan)
    assert asked.exit_code == 10
    assert "--force" in asked.said
    dropped = orchestrator("quarantine", "drop", run, "--plan", plan, "--force")
    assert dropped.exit_code == 0, dropped.said
    assert orchestrator("quarantine", "drop", run, "--plan", plan, "--force").exit_code == 2
    databases = story.installation.host.psql("SELECT datname FROM pg_database", database="postgres").splitlines()
    assert not {*databases} & {*story.names(story.reloaded)}


def test_a_file_that_no_run_has_proven_is_refused(story: Story, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.sql.gz"
    foreign.write_bytes(story.installation.backups()[0].read_bytes()[:-1])
    plan = str(story.installation.plan)
    cut = orchestrator("backups", "restore", str(foreign), "--plan", plan, "--force", "--json")
    assert cut.exit_code == 10
    assert "damaged" in str(cut.document["reason"])
    nowhere = orchestrator("backups", "restore", str(tmp_path / "nowhere"), "--plan", plan, "--force")
    assert nowhere.exit_code == 2
