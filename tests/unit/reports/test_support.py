"""The support file holds all that is known of a run and no secret, whatever is missing."""

import json
import os
import stat
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.core.errors import UsageError
from orchestrator.journal.journal import Journal
from orchestrator.redaction.redactor import Redactor
from orchestrator.reports.support import SupportFile, write_support
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import RECOVERY

CANARY = "c4nary-9Zx8Yw7Vu6"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    (tmp_path / "plan.yaml").write_text(bench.plan.text, encoding="utf-8")
    return bench


def test_support_file_has_and_lists_everything_of_a_run(bench: Bench, tmp_path: Path) -> None:
    run = bench.run("v1.2.0").run.id
    folder = bench.plan.journal_directory / "runs" / run
    (folder / "env").write_text(f"POSTGRES_PASSWORD={CANARY}\nTZ=Europe/Berlin\n")
    rendering = {"services": {"app": {"environment": {"DATABASE_URL": f"postgresql://a:{CANARY}@db/x"}}}}
    (folder / "compose.template.json").write_text(json.dumps(rendering))
    (folder / "migrate.log").write_text(f"connecting to postgresql://a:{CANARY}@db/x\n")
    written = write(bench, run, tmp_path / "out.tar.gz", Redactor([CANARY]))
    files = unpack(tmp_path / "out.tar.gz")
    assert {"about.json", "report.json", "journal.jsonl", "contents.txt", "bundle/plan.yaml", "bundle/env"} <= set(
        files
    )
    assert {"bundle/compose.template.json", "logs/migrate.log"} <= set(files)
    assert CANARY not in "".join(files.values())
    assert files["bundle/env"] == "POSTGRES_PASSWORD=***\nTZ=Europe/Berlin\n"
    assert files["logs/migrate.log"] == "connecting to postgresql://a:***@db/x\n"
    assert json.loads(files["report.json"])["verdict"] == "rolled_back"
    assert len(files["journal.jsonl"].splitlines()) == len(records(bench, run))
    assert [entry.name for entry in written.entries] == list(files)
    assert all(name in files["contents.txt"] for name in files if name != "contents.txt")
    assert stat.S_IMODE((tmp_path / "out.tar.gz").stat().st_mode) == 0o600


def test_support_file_names_no_user_of_the_host(bench: Bench, tmp_path: Path) -> None:
    write(bench, bench.run("v1.1.0").run.id, tmp_path / "out.tar.gz")
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        assert {(one.uid, one.gid, one.uname, one.gname, one.mode) for one in archive} == {(0, 0, "", "", 0o600)}


def test_support_file_lists_missing_files_when_some_are_lost(bench: Bench, tmp_path: Path) -> None:
    run = bench.run("v1.1.0").run.id
    folder = bench.plan.journal_directory / "runs" / run
    (folder / "plan.yaml").unlink()
    (folder / "evil.log").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe.log")
    written = write(bench, run, tmp_path / "out.tar.gz")
    remarks = {entry.name: entry.remark for entry in written.entries if entry.content is None}
    assert remarks["bundle/plan.yaml"] == "is not there"
    assert remarks["logs/pipe.log"] == "it is a named pipe, not a regular file"
    assert "logs/evil.log" in remarks
    assert "bundle/plan.yaml  missing  (is not there)" in unpack(tmp_path / "out.tar.gz")["contents.txt"]


def test_support_file_keeps_whole_lines_from_the_end_when_a_log_is_long(bench: Bench, tmp_path: Path) -> None:
    run = bench.run("v1.1.0").run.id
    log = bench.plan.journal_directory / "runs" / run / "long.log"
    log.write_text(f"{CANARY} and some more words\n" * 200_000 + "the end\n")
    written = write(bench, run, tmp_path / "out.tar.gz", Redactor([CANARY]))
    text = unpack(tmp_path / "out.tar.gz")["logs/long.log"]
    assert text.endswith("\nthe end\n")
    assert CANARY[-6:] not in text
    (entry,) = (entry for entry in written.entries if entry.name == "logs/long.log")
    assert entry.remark.startswith("the end of ")
    assert len(text) < 4 * 1024 * 1024


def test_support_file_replaces_no_file(bench: Bench, tmp_path: Path) -> None:
    run = bench.run("v1.1.0").run.id
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("there", "link"):
        with pytest.raises(UsageError, match="already"):
            write(bench, run, tmp_path / name)
    with pytest.raises(UsageError, match="cannot be written"):
        write(bench, run, tmp_path / "nowhere" / "out.tar.gz")
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_support_command_needs_no_engine(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    (bench.world.project_directory / ".env").write_text(f"APP_VERSION=v1.0.0\nOPAQUE={CANARY}\n")
    run = bench.run("v1.1.0").run.id
    (bench.plan.journal_directory / "runs" / run / "x.log").write_text(f"{CANARY}\n")
    done = call("support", run, "--plan", tmp_path / "plan.yaml")
    assert done.exit_code == 0, done.output
    assert "journal.jsonl" in done.stdout
    files = unpack(tmp_path / f"support-{run}.tar.gz")
    assert files["logs/x.log"] == "***\n"
    again = call("support", run, "--plan", tmp_path / "plan.yaml")
    assert (again.exit_code, "--output" in again.stderr) == (2, True)
    listed = call("support", run, "--plan", tmp_path / "plan.yaml", "--output", tmp_path / "other.tar.gz", "--json")
    assert {one["name"] for one in json.loads(listed.stdout)["contents"]} >= set(files)


def test_support_file_is_written_when_the_run_is_unfinished_or_the_plan_is_broken(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run("v1.1.0").run.id
    monkeypatch.setattr(bench.service.ports.workloads, "stop_services", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bench.run("v1.2.0")
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        unfinished = journal.find_unfinished()
    assert unfinished is not None
    for number, plan in enumerate(("plan.yaml", "project/broken.yaml")):
        (tmp_path / "project" / "broken.yaml").write_text("plan: [")
        for wanted in (run, unfinished.id):
            output = tmp_path / f"{number}-{wanted}.tar.gz"
            done = call("support", wanted, "--plan", tmp_path / plan, "--output", output)
            assert done.exit_code == 0, done.output
            assert json.loads(unpack(output)["report.json"])["run"] == wanted


def test_support_command_refuses_an_unknown_run(bench: Bench, tmp_path: Path) -> None:
    bench.run("v1.1.0")
    done = call("support", "../../r-1", "--plan", tmp_path / "plan.yaml", "--output", tmp_path / "out.tar.gz")
    assert done.exit_code == 2
    assert "history" in done.stderr
    assert not (tmp_path / "out.tar.gz").exists()


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write(bench: Bench, run_id: str, path: Path, mask: Redactor | None = None) -> SupportFile:
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        run = journal.find_run(run_id)
        assert run is not None
        return write_support(journal, run, mask or Redactor(), RECOVERY, path)


def records(bench: Bench, run_id: str) -> tuple[object, ...]:
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        return journal.records(run_id)


def unpack(path: Path) -> dict[str, str]:
    """Name below the one folder → text, in the order of the archive."""
    with tarfile.open(path) as archive:
        found = {one.name.split("/", 1)[1]: archive.extractfile(one) for one in archive}
        return {name: file.read().decode() for name, file in found.items() if file is not None}
