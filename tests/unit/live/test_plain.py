"""Plain lines where nothing can be drawn."""

from __future__ import annotations

import io
from pathlib import Path

from orchestrator.live.display import ProgressDisplay
from orchestrator.live.plain import LineDisplay
from tests.tools.bench import WITHOUT_REHEARSAL, Bench


def run(folder: Path, version: str = "v1.1.0", *, verbose: bool = False) -> list[str]:
    bench, pipe = Bench(folder, WITHOUT_REHEARSAL), io.StringIO()
    bench.recorder = LineDisplay(pipe, verbose=verbose)  # type: ignore[assignment]  # hears of the run in place of the recorder
    bench.run(version)
    assert "\x1b" not in pipe.getvalue()
    assert "\r" not in pipe.getvalue()
    return pipe.getvalue().splitlines()


def test_a_pipe_gets_one_line_a_state_and_nothing_is_drawn_again(tmp_path: Path) -> None:
    told = run(tmp_path, "v1.2.0")
    assert [line.split()[1] for line in told] == [
        *("check", "preflight", "confirm", "prefetch", "backup", "stop", "pull", "migrate", "restore", "rollback")
    ]
    assert told[7].startswith("✗ migrate      failed       2.00 s  The migration ended with exit code 1; its log is /")


def test_verbose_tells_each_step_and_each_line_once(tmp_path: Path) -> None:
    told = run(tmp_path, verbose=True)
    assert told.count("  backup: Writing the backup") == 1
    assert told.count("    │ migrating") == 1
    assert told.index("… migrate") < told.index("    │ migrating") < told.index("… start")


def test_foreign_text_is_made_inert() -> None:
    pipe = io.StringIO()
    display = LineDisplay(pipe, verbose=True)
    display.said("migrate", "\x1b[31mred\x1b]0;title\x07")
    display.left("migrate", "failed", "cause \x1b[2J\nlog line", 1.0)
    assert pipe.getvalue() == "    │ red\n✗ migrate      failed       1.00 s  cause\n"


def test_quiet_tells_nothing(tmp_path: Path, capfd: object) -> None:
    bench = Bench(tmp_path)
    bench.recorder = ProgressDisplay()  # type: ignore[assignment]  # hears of the run in place of the recorder
    assert bench.run().run.exit_code == 0
    out, err = capfd.readouterr()  # type: ignore[attr-defined]  # pytest's own
    assert (out, err) == ("", "")
