"""A run as it is seen on a terminal."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.core.model.verdict import Verdict
from orchestrator.live.screen import ScreenDisplay
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.outside import FakeOperator
from tests.unit.live.terminal import Terminal, make_display

STATES = [
    *("check", "preflight", "confirm", "prefetch", "backup", "rehearse", "stop"),
    *("pull", "migrate", "start", "health", "commit", "cleanup"),
]
SGR = re.compile(r"\x1b\[[0-9;]*m")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-9]|4[0-9]|9[0-7]|38|48)[0-9;]*m")


def run(bench: Bench, terminal: Terminal, version: str = "v1.1.0", *, verbose: bool = False) -> list[str]:
    """Run it; every picture that was seen meanwhile, as one text each."""
    seen: list[str] = []
    display = make_display(terminal, bench.world.clock, verbose=verbose)
    refresh = display.refresh

    def watch() -> None:
        refresh()
        seen.append("\n".join(terminal.show()))

    display.refresh = watch  # type: ignore[method-assign]  # looks over its shoulder
    bench.recorder = display  # type: ignore[assignment]  # hears of the run in place of the recorder
    with display.shown():
        bench.run(version)
    return seen


@dataclass(frozen=True)
class Seen:
    """A run that was committed, in 80 × 24 cells."""

    bench: Bench
    terminal: Terminal
    pictures: list[str]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    bench, terminal = Bench(tmp_path_factory.mktemp("good")), Terminal()
    return Seen(bench, terminal, run(bench, terminal))


def test_at_every_moment_each_state_is_seen_once_as_done_running_or_waiting(good: Seen) -> None:
    for picture in good.pictures:
        named = [line.split()[1] for line in picture.splitlines() if line[:1] in "✓○⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"]
        assert len(named) == len(set(named))
        if len(named) > len(STATES) - 2:  # between two states, that which comes next is not known
            assert [name for name in STATES if name in named] == named
    assert [line.split()[1] for line in good.terminal.show() if line.startswith("✓")] == STATES


def test_download_restore_and_rehearsal_show_how_far_they_are(good: Seen) -> None:
    told = "\n".join(good.pictures)
    for label in ("Writing the backup", "Reading the backup", "Restoring the backup", "`migrate` on the copy"):
        assert label in told
    assert re.search(r"prefetch .*\n  █+░* ", told)
    assert re.search(r"migrate .*`migrate`\n  .*about \d s left\n  │ migrating", told)


def test_the_outage_that_was_counted_is_the_one_that_is_reported(good: Seen) -> None:
    (report,) = good.bench.service.records.reports()
    counted = [float(found) for picture in good.pictures for found in re.findall(r"app down for ([\d.]+) s", picture)]
    assert counted[0] == 0.0
    # While the app stops it may still answer: when it last did is known as its stop is over.
    assert sum(later < earlier for earlier, later in pairwise(counted)) <= 1
    assert f"app was down for {report.outage_s:.1f} s" in good.pictures[-1]


def test_nothing_of_the_drawing_is_left_in_the_end_and_the_cursor_is_on(good: Seen) -> None:
    left = good.terminal.read_all()
    assert not [line for line in left if line[:1] in "○⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" or "ledger  " in line]
    assert not good.terminal.screen.cursor.hidden


def test_a_long_reason_is_folded_below_its_state(tmp_path: Path) -> None:
    terminal = Terminal(40, 12)
    run(Bench(tmp_path, WITHOUT_REHEARSAL), terminal, "v1.3.0")
    lines = terminal.read_all()
    at = next(number for number, line in enumerate(lines) if line.startswith("✗ health failed"))
    assert lines[at + 1 : at + 3] == ["    Service app is unhealthy. Its own", "    health check has failed for 2 s."]


def test_where_there_is_hardly_room_nothing_of_the_drawing_scrolls_away(tmp_path: Path) -> None:
    terminal = Terminal(40, 8)
    run(Bench(tmp_path, WITHOUT_REHEARSAL), terminal, "v1.2.0")
    lines = terminal.read_all()
    assert [line.split()[1] for line in lines if line[:1] in "✓✗"][-3:] == ["migrate", "restore", "rollback"]
    assert not [line for line in lines if line[:1] in "○⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" or "ledger  " in line]


def test_no_color_takes_every_style_and_leaves_the_view(tmp_path: Path) -> None:
    plain = Terminal(environment={"NO_COLOR": "1"})
    coloured = Terminal()
    for name, terminal in (("plain", plain), ("coloured", coloured)):
        (tmp_path / name).mkdir()
        run(Bench(tmp_path / name, WITHOUT_REHEARSAL), terminal)
    assert not SGR.search(plain.getvalue())
    assert COLOUR.search(coloured.getvalue())
    assert plain.show() == coloured.show()


def test_foreign_text_and_wide_characters_do_not_break_the_view(tmp_path: Path) -> None:
    bench, terminal = Bench(tmp_path, WITHOUT_REHEARSAL), Terminal(60, 24)
    bench.world.releases[
        "v1.1.0"
    ].migration_log = "\x1b[2J\x1b[?25l資料庫遷移中資料庫遷移中資料庫遷移中資料庫遷移中資料庫\x1b]0;x\x07\n"
    run(bench, terminal)
    assert "│ 資料庫" in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue()
    assert "\x1b]0" not in terminal.getvalue()
    assert not [line for line in terminal.read_all() if line.startswith("○")]


def test_verbose_keeps_steps_and_log_lines(tmp_path: Path) -> None:
    terminal = Terminal(100, 40)
    run(Bench(tmp_path, WITHOUT_REHEARSAL), terminal, verbose=True)
    kept = terminal.read_all()
    assert kept.index("  backup: Writing the backup") < kept.index("  backup: Reading the backup")
    assert kept.count("    │ migrating") == 1


def test_what_is_printed_meanwhile_stands_above_the_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, terminal = Bench(tmp_path, WITHOUT_REHEARSAL), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bench.world.happen("workloads.stop_services", lambda: print("a warning", file=sys.stderr))
    run(bench, terminal)
    lines = terminal.read_all()
    assert lines[lines.index("a warning") - 1].startswith("✓ backup")


def test_a_question_has_the_terminal_to_itself(tmp_path: Path) -> None:
    terminal, operator = Terminal(), FakeOperator()
    bench = Bench(tmp_path, WITHOUT_REHEARSAL, operator)
    display = make_display(terminal, bench.world.clock)
    seen: list[str] = []

    def ask() -> None:
        with display.paused():
            terminal.write("Upgrade now? [y/N]: y\n")
            display.refresh()
            seen.extend(terminal.show())

    operator.asked = ask
    bench.recorder = display  # type: ignore[assignment]  # hears of the run in place of the recorder
    with display.shown():
        report = bench.run(force=False)
    assert report.run.verdict is Verdict.COMMITTED
    assert [line.split()[1] for line in seen] == ["check", "preflight", "now?"]
    assert terminal.read_all()[2] == "Upgrade now? [y/N]: y"
    assert terminal.read_all()[3].startswith("✓ confirm")


def test_a_notice_of_a_signal_waits_for_the_next_drawing_and_stands_above_it(tmp_path: Path) -> None:
    bench, terminal = Bench(tmp_path, WITHOUT_REHEARSAL), Terminal()
    display = make_display(terminal, bench.world.clock)
    bench.world.happen("workloads.stop_services", lambda: display.notice("Interrupted: it goes back."))
    bench.recorder = display  # type: ignore[assignment]  # hears of the run in place of the recorder
    with display.shown():
        bench.run()
    assert terminal.read_all().count("Interrupted: it goes back.") == 1


def test_a_terminal_that_is_made_narrower_keeps_what_is_over_and_one_drawing(tmp_path: Path) -> None:
    bench, terminal = Bench(tmp_path, WITHOUT_REHEARSAL), Terminal(100, 30)
    console = terminal.console
    display = ScreenDisplay(console, bench.world.clock, by_itself=False)
    bench.world.releases["v1.1.0"].migration_log = "資料庫遷移中" * 8 + "\n"

    def be_narrowed() -> None:
        terminal.narrow(44)
        console.size = (44, 30)
        display.refresh()

    bench.world.clock.after(6.0, be_narrowed)  # in the migration, with a line that is folded twice
    bench.recorder = display  # type: ignore[assignment]  # hears of the run in place of the recorder
    with display.shown():
        bench.run()
    lines = terminal.read_all()
    assert [line.split()[1] for line in lines if line[:1] == "✓"] == [name for name in STATES if name != "rehearse"]
    assert not [line for line in lines if line[:1] in "○⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" or "資料庫" in line]
