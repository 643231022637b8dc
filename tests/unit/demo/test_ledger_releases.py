"""The ledger's releases as data, and which migrations lead to each."""

from pathlib import Path

import pytest

from deploy.demo.images import RELEASES
from deploy.demo.ledger.migrations import MigrationError, Schema, choose_pending
from deploy.demo.ledger.release import ReleaseError, carry, lineage, load_release

SUCCESSORS = ["1.2.0", "1.3.0", "1.4.0"]


def write_release(releases: Path, version: str, facts: str = "", migration: str = "0001_first.sql") -> None:
    folder = releases / version
    folder.mkdir(parents=True)
    (folder / "release.toml").write_text(facts, encoding="utf-8")
    (folder / migration).write_text("SELECT 1;\n", encoding="utf-8")


@pytest.mark.parametrize("version", SUCCESSORS)
@pytest.mark.parametrize(("schema", "pending"), [(0, 3), (1, 2), (2, 1)])
def test_every_successor_migrates_from_every_good_release(version: str, schema: int, pending: int) -> None:
    release = load_release(RELEASES, version)
    migrations = choose_pending(Schema(schema), release)
    assert len(migrations) == pending
    assert migrations[-1].schema == release.schema


def test_a_database_at_the_schema_of_the_release_needs_nothing() -> None:
    assert choose_pending(Schema(2), load_release(RELEASES, "1.1.0")) == []


def test_a_database_from_another_line_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"1\.3\.0 does not know the database's schema 5"):
        choose_pending(Schema(5), load_release(RELEASES, "1.3.0"))


def test_a_newer_database_is_refused() -> None:
    with pytest.raises(MigrationError, match="does not know"):
        choose_pending(Schema(2), load_release(RELEASES, "1.0.0"))


def test_nothing_is_applied_to_a_half_migrated_database() -> None:
    with pytest.raises(MigrationError, match="0003_authors was begun and never finished"):
        choose_pending(Schema(2, unfinished="0003_authors"), load_release(RELEASES, "1.2.0"))


def test_the_migration_of_1_2_0_commits_statement_by_statement() -> None:
    authors = load_release(RELEASES, "1.2.0").migrations[-1]
    assert authors.stepwise
    assert [statement.split()[0] for statement in authors.statements] == ["ALTER", "ALTER", "ALTER"]
    assert "RENAME COLUMN body" in authors.statements[0]


def test_the_other_migrations_run_in_a_transaction() -> None:
    releases = [load_release(RELEASES, version) for version in ("1.1.0", "1.3.0", "1.4.0")]
    assert not any(migration.stepwise for release in releases for migration in release.migrations)


def test_a_release_inherits_fields_but_not_faults() -> None:
    release = load_release(RELEASES, "1.4.0")
    assert release.fields == ("length", "noted_at")
    assert (release.healthy, release.reported("v1.4.0")) == (True, "1.1.0")
    assert not load_release(RELEASES, "1.3.0").healthy


def test_a_release_reports_its_version_without_the_v() -> None:
    assert load_release(RELEASES, "1.1.0").reported("v1.1.0") == "1.1.0"


def test_every_release_has_notes() -> None:
    assert all((RELEASES / version / "NOTES.md").read_text().startswith("### ") for version in SUCCESSORS)


def test_an_image_carries_its_release_and_those_before_it(tmp_path: Path) -> None:
    carry(RELEASES, "1.3.0", tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["1.0.0", "1.1.0", "1.3.0"]
    assert load_release(tmp_path, "1.3.0") == load_release(RELEASES, "1.3.0")


def test_a_missing_predecessor_is_named(tmp_path: Path) -> None:
    write_release(tmp_path, "2.0.0", 'after = "1.9.0"\n')
    with pytest.raises(ReleaseError, match=r"1\.9\.0 is not a release"):
        lineage(tmp_path, "2.0.0")


def test_a_ring_of_releases_is_refused(tmp_path: Path) -> None:
    write_release(tmp_path, "1", 'after = "2"\n')
    write_release(tmp_path, "2", 'after = "1"\n')
    with pytest.raises(ReleaseError, match="comes after itself"):
        lineage(tmp_path, "1")


def test_migrations_that_do_not_ascend_are_refused(tmp_path: Path) -> None:
    write_release(tmp_path, "1")
    write_release(tmp_path, "2", 'after = "1"\n')
    with pytest.raises(ReleaseError, match="do not ascend"):
        load_release(tmp_path, "2")


def test_an_unknown_fact_is_refused(tmp_path: Path) -> None:
    write_release(tmp_path, "1", "helthy = false\n")
    with pytest.raises(ReleaseError, match="unknown helthy"):
        load_release(tmp_path, "1")


def test_a_misnamed_migration_is_refused(tmp_path: Path) -> None:
    write_release(tmp_path, "1", migration="first.sql")
    with pytest.raises(ReleaseError, match="NNNN_name"):
        load_release(tmp_path, "1")
