"""Retention lets go only what is superfluous, and never the newest proven backup of the running version."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.core.store_facts import BackupManifest
from orchestrator.run.service import Service
from states.cleanup import choose_superfluous
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import announce_up_to, make_ports
from tests.tools.database import FakeDatabase
from tests.tools.words import make_receipt

START = datetime(2026, 1, 1, tzinfo=UTC)


def make_receipts(versions: list[str], names: list[int] | None = None) -> tuple[BackupManifest, ...]:
    """One a day, the first one being the newest."""
    return tuple(
        make_receipt(
            Path(f"/backups/{names[number] if names else number}.sql.gz"), START - timedelta(days=number), version
        )
        for number, version in enumerate(versions)
    )


def test_all_but_the_newest_go() -> None:
    gone = choose_superfluous(make_receipts(["v5", "v4", "v3", "v2", "v1"]), 3, "v5")
    assert [path.name for path in gone] == ["3.sql.gz", "4.sql.gz"]


def test_the_newest_of_the_protected_version_stays_however_old() -> None:
    gone = choose_superfluous(make_receipts(["v3", "v3", "v3", "v1", "v1"]), 3, "v1")
    assert [path.name for path in gone] == ["4.sql.gz"]


VERSIONS = st.sampled_from(["v1", "v2", "v3"])


@given(st.lists(VERSIONS, max_size=12), st.integers(1, 15), st.sampled_from(["v1", "v9", None]))
def test_what_is_kept_is_enough_and_not_more(versions: list[str], keep: int, protected: str | None) -> None:
    receipts = make_receipts(versions)
    gone = choose_superfluous(receipts, keep, protected)
    kept = [receipt for receipt in receipts if receipt.path not in gone]
    assert kept[:keep] == list(receipts[:keep])
    newest_protected = [receipt for receipt in receipts if receipt.version == protected][:1]
    assert [receipt for receipt in newest_protected if receipt not in kept] == []
    assert kept[keep:] == [receipt for receipt in newest_protected if receipt not in receipts[:keep]]
    assert len(set(gone)) == len(gone) == len(receipts) - len(kept)


@given(
    st.lists(st.tuples(VERSIONS, st.integers(0, 4)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.sampled_from(["v1", None]),
)
def test_a_file_is_not_let_go_for_an_older_receipt_of_the_same_name(
    drawn: list[tuple[str, int]], keep: int, protected: str | None
) -> None:
    receipts = make_receipts([version for version, _ in drawn], [name for _, name in drawn])
    gone = choose_superfluous(receipts, keep, protected)
    assert {receipt.path for receipt in receipts[:keep]}.isdisjoint(gone)
    assert len(set(gone)) == len(gone)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench whose backups are real files."""
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    use_database(bench, FakeDatabase(bench.world))
    return bench


def use_database(bench: Bench, database: FakeDatabase) -> None:
    ports = make_ports(bench.world)
    store = BackupFolder(bench.world.backup_directory)
    bench.service = Service(bench.plan, KINDS, replace(ports, backups=store, stores=(PostgresStore(database),)))


def upgrade(bench: Bench, version: str) -> Verdict | None:
    bench.world.clock.advance(3600)
    request = ReleaseRequest(version=version, allow_downgrade=True, retry=True)
    return bench.service.run(request, assume_yes=True, listener=bench.recorder).run.verdict


class CutDumps(FakeDatabase):
    """Its dumps end in the middle, and it says that they went well."""

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        found = bytearray()
        super().dump(found.extend, deadline=deadline)
        write(bytes(found[: len(found) // 2]))


class EmptyDumps(FakeDatabase):
    """Its dumps hold nothing, and it says that they went well."""

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        """Nothing is written."""


def test_dumps_that_failed_push_no_good_one_out(bench: Bench) -> None:
    for version in ("v1.1.0", "v1.0.0", "v1.1.0"):
        assert upgrade(bench, version) is Verdict.COMMITTED
    good = bench.service.records.receipts()
    for database in (CutDumps(bench.world), EmptyDumps(bench.world)):
        use_database(bench, database)
        for _ in range(3):
            assert upgrade(bench, "v1.0.0") is Verdict.REFUSED
    use_database(bench, FakeDatabase(bench.world))
    bench.world.fail("database.dump", DatabaseError("database.dump_failed", "The dump broke off."), times=3)
    for _ in range(3):
        assert upgrade(bench, "v1.0.0") is Verdict.REFUSED
    assert bench.service.records.receipts() == good
    assert upgrade(bench, "v1.0.0") is Verdict.COMMITTED
    assert bench.service.records.receipts()[1:] == good[:2]
    assert [check.problem for check in bench.service.records.verify_backups(None, report=lambda _: None)] == [
        "",
        "",
        "",
    ]


def test_what_the_journal_does_not_know_is_nobodys_to_remove(bench: Bench) -> None:
    folder = bench.world.backup_directory
    folder.mkdir(mode=0o700)
    foreign = {
        ".2020-01-01_000000_v1.0.0.sql.gz.0a1b2c3d.partial": b"cut",
        "2020-01-01_000000_v1.0.0.sql.gz": b"",
        "2099-01-01_000000_v1.0.0.sql.gz": b"",
        "by-hand.sql.gz": b"precious",
        "notes.txt": b"mine",
    }
    for name, content in foreign.items():
        (folder / name).write_bytes(content)
    for version in ("v1.1.0", "v1.0.0", "v1.1.0", "v1.0.0", "v1.1.0"):
        assert upgrade(bench, version) is Verdict.COMMITTED
    kept = {receipt.path.name for receipt in bench.service.records.receipts()}
    assert len(kept) == 3
    assert {path.name for path in folder.iterdir()} == kept | set(foreign)
    assert {name: (folder / name).read_bytes() for name in foreign} == foreign


def test_the_secrets_of_a_run_go_when_nothing_leads_back_to_it_and_not_before(bench: Bench) -> None:
    announce_up_to(bench.world, "v1.2.0")
    verdicts = [upgrade(bench, version) for version in ("v1.1.0", "v1.2.0", "v1.0.0", "v1.2.0", "v1.1.0")]
    runs = sorted((bench.plan.journal_directory / "runs").iterdir())
    kept = [(folder / "env").exists() for folder in runs]
    assert (verdicts, kept) == (
        [Verdict.COMMITTED, Verdict.ROLLED_BACK, Verdict.COMMITTED, Verdict.ROLLED_BACK, Verdict.COMMITTED],
        [False, False, False, False, True],
    )
    assert all((folder / "compose.template.json").exists() == there for folder, there in zip(runs, kept, strict=True))
    assert all((folder / "plan.yaml").is_file() for folder in runs)


def test_the_secrets_of_runs_whose_snapshots_are_kept_stay(bench: Bench) -> None:
    states = {
        name: replace(spec, options=spec.options.model_copy(update={"snapshots": 2}))
        if spec.kind == "cleanup"
        else spec
        for name, spec in bench.plan.states.items()
    }
    bench.plan = replace(bench.plan, states=states)
    use_database(bench, FakeDatabase(bench.world))
    for version in ("v1.1.0", "v1.0.0", "v1.1.0"):
        assert upgrade(bench, version) is Verdict.COMMITTED
    runs = sorted((bench.plan.journal_directory / "runs").iterdir())
    assert [(folder / "env").exists() for folder in runs] == [False, True, True]


def test_a_clock_that_was_set_back_does_not_make_the_newest_backups_old(bench: Bench) -> None:
    announce_up_to(bench.world, "v1.2.0")
    for _ in range(4):
        assert upgrade(bench, "v1.2.0") is Verdict.ROLLED_BACK
    bench.world.clock._start -= timedelta(days=400)
    assert upgrade(bench, "v1.1.0") is Verdict.COMMITTED
    own = bench.service.records.receipts()[0]
    assert own.taken_at.year == 2024
    assert own.path.is_file()
    before = [receipt.path for receipt in bench.service.records.receipts()]
    assert upgrade(bench, "v1.0.0") is Verdict.COMMITTED
    assert [receipt.path for receipt in bench.service.records.receipts()][1:] == before[:2]
