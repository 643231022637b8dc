"""A real bash completes commands, options, plans, runs, versions and backups; whatever is broken, it says nothing."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tools.bench import WITHOUT_REHEARSAL, Bench

BIN = Path(sys.executable).parent
_BASH = """
source <(orchestrator completion bash)
complete -p orchestrator
while read -r line; do
  read -ra COMP_WORDS <<<"$line"
  [[ $line == *' ' ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  "$(complete -p orchestrator | sed 's/.*-F \\([^ ]*\\).*/\\1/')" orchestrator "${COMP_WORDS[COMP_CWORD]}" ""
  echo "= ${COMPREPLY[*]}"
done
"""


def complete(folder: Path, lines: Sequence[str]) -> tuple[list[list[str]], str]:
    """What bash completes each line to, and what was said on stderr. A blank at its end begins a new word."""
    done = subprocess.run(
        ["bash", "--norc", "-c", _BASH.replace("read -r line", "IFS= read -r line")],
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("=")], done.stderr


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.plan.source.write_text(bench.plan.text, encoding="utf-8")
    return bench


def test_bash_completes_what_there_is(bench: Bench, tmp_path: Path) -> None:
    run_id = bench.run("v1.1.0").run.id
    (tmp_path / "compose.yaml").write_text("services: {}\n", encoding="utf-8")
    backup = bench.plan.backups.directory / "2025-01-30_143022_v1.2.2.sql.gz"
    backup.parent.mkdir(exist_ok=True)
    backup.touch()
    expected = {
        "orchestrator sta": ["status"],
        "orchestrator backups v": ["verify"],
        "orchestrator run --dry": ["--dry-run"],
        "orchestrator graph --format s": ["svg"],
        "orchestrator completion f": ["fish"],
        "orchestrator run ": ["plan.yaml"],
        "orchestrator show --plan plan.yaml r-": [run_id],
        "orchestrator graph plan.yaml --run ": [run_id],
        "orchestrator run plan.yaml --version v1": ["v1.1.0", "v1.0.0"],
        "orchestrator backups restore --plan plan.yaml ": [str(backup)],
    }
    found, said = complete(tmp_path, list(expected))
    assert dict(zip(expected, found, strict=True)) == expected
    assert said == ""


def test_completion_prints_nothing_for_a_broken_plan_or_journal(bench: Bench, tmp_path: Path) -> None:
    bench.run("v1.1.0")
    (bench.plan.journal_directory / "journal.sqlite3").write_bytes(b"no database")
    (tmp_path / "broken.yaml").write_text("plan: 1\nname: [", encoding="utf-8")
    lines = [
        "orchestrator show --plan plan.yaml ",
        "orchestrator show --plan broken.yaml ",
        "orchestrator show --plan nowhere.yaml ",
        "orchestrator show ",
        "orchestrator run broken.yaml --version ",
    ]
    found, said = complete(tmp_path, lines)
    assert found == [[], [], [], [], []]
    assert said == ""


@pytest.mark.parametrize(("shell", "words"), [("zsh", "orchestrator sta"), ("fish", "orchestrator sta")])
def test_the_scripts_of_the_other_shells_ask_as_they_are_answered(shell: str, words: str) -> None:
    orchestrator = BIN / "orchestrator"
    script = subprocess.run([orchestrator, "completion", shell], capture_output=True, text=True, check=True, timeout=60)
    assert f"_ORCHESTRATOR_COMPLETE={shell}_complete" in script.stdout
    asked = {"_ORCHESTRATOR_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": "1"}
    asked["COMP_CWORD"] = "sta" if shell == "fish" else "1"
    environment = {**os.environ, **asked}
    answer = subprocess.run([orchestrator], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert "status" in answer.stdout
    assert "how it ended" in answer.stdout
    assert answer.stderr == ""
