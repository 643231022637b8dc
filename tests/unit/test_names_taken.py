"""Steps of the operator's own beside a version that was let in."""

from pathlib import Path

from orchestrator.model import Verdict
from tests.fakes.bench import Bench, serving_version

SHIPPED = Path(__file__).parents[2] / "plans" / "upgrade.yaml"


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
