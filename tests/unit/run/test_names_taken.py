"""Names that others have taken, and steps of the operator's own beside a version that was let in."""

from pathlib import Path

from orchestrator.core.model.verdict import Verdict
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.things import FakeDb

SHIPPED = Path(__file__).parents[3] / "plans" / "upgrade.yaml"


def bench_with_a_step_before_commit(folder: Path) -> Bench:
    text = SHIPPED.read_text(encoding="utf-8")
    machine = text[text.index("\ninitial:") :].replace("{done: commit,", "{done: tell,")
    machine += "  tell: {kind: command, then: {done: commit, failed: restore}, with: {run: [tell], changes: nothing}}\n"
    return Bench(folder, machine)


def test_a_step_after_the_start_leaves_the_new_version_its_database(tmp_path: Path) -> None:
    bench = bench_with_a_step_before_commit(tmp_path)
    bench.world.host_commands["tell"] = lambda _: 0
    report = bench.run()
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason
    assert not bench.world.databases["ledger"].fenced
    assert serving_version(bench.world) == "v1.1.0"


def test_a_foreign_database_of_the_quarantines_name_is_no_swap_and_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.users_write(4)
    foreign: dict[str, FakeDb] = {}

    def take_the_name() -> None:
        snapshot = next(name for name in bench.world.databases if "__snapshot_" in name)
        name = snapshot.replace("__snapshot_", "__failed_")
        foreign[name] = bench.world.databases[name] = FakeDb(schema=9, tables={"theirs": ["row"]})

    bench.world.happen("workloads.start_job", take_the_name)
    report = bench.run("v1.2.0")
    ((name, theirs),) = foreign.items()
    assert report.run.verdict is Verdict.ROLLED_BACK
    assert bench.world.databases[name] is theirs
    assert theirs.tables == {"theirs": ["row"]}
    assert report.quarantine == (f"{name}_2",)
    assert bench.world.databases["ledger"].schema == 1
    assert bench.world.missing() == []
