"""Rendering for people, in edge cases."""

from pathlib import Path

import click
import pytest

from orchestrator.cli.render import render_dry_run, render_report
from orchestrator.run.service import DryState
from tests.tools.bench import WITHOUT_REHEARSAL, Bench


@pytest.mark.parametrize("width", [60, 66, 67, 68, 78, 80])
def test_a_dry_run_keeps_a_long_name_whole_and_within_80_columns(width: int) -> None:
    name = "n" * width
    told = click.unstyle(render_dry_run([DryState("prefetch", "pull", (f"download {name} now",), name)])).splitlines()
    assert max(map(len, told)) <= 80
    assert sum(name in line for line in told) == 2
    assert told[0].startswith("  prefetch")


def entries(text: str) -> dict[str, list[str]]:
    """The lines of a report by the names that stand before them."""
    found: dict[str, list[str]] = {}
    for line in click.unstyle(text).splitlines()[1:]:
        if line[2:10].strip():
            found[line[2:10].strip()] = [line[12:]]
        else:
            found[list(found)[-1]].append(line[12:])
    return found


def test_the_end_of_a_run_that_went_back_says_all_that_a_person_acts_on(tmp_path: Path) -> None:
    report = Bench(tmp_path, WITHOUT_REHEARSAL).run("v1.2.0")
    told = render_report(report)
    assert click.unstyle(told).splitlines()[0] == "ROLLED BACK  1.0.0 → 1.2.0: 1.0.0 serves"
    found = entries(told)
    assert list(found) == ["why", "log", "outage", "backup", "data", "kept", "run", "next"]
    assert found["why"][0].startswith("The migration ended with exit code 1; its log is /")
    assert found["log"] == ["│ migrating", "│ ERROR:  column authors.name contains null values"]
    assert found["outage"] == [f"{report.outage_s:.1f} s"]
    assert report.backup is not None
    assert found["backup"] == [str(report.backup.path)]
    assert report.quarantine[0] in found["kept"][0]
    assert report.run.id in found["next"][0]


def test_a_run_that_was_committed_tells_no_cause(tmp_path: Path) -> None:
    assert list(entries(render_report(Bench(tmp_path).run()))) == ["outage", "backup", "snapshot", "run"]


def test_log_lines_of_a_failure_are_inert_and_are_not_cut_into_lines(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.world.releases["v1.2.0"].migration_log = f"\x1b[2J{'word ' * 30}\x1b]0;title\x07\n"
    told = render_report(bench.run("v1.2.0"), 80)
    assert entries(told)["log"] == [f"│ {'word ' * 30}".rstrip()]
    assert "\x1b[2J" not in told


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_sentences_are_folded_to_the_terminal_and_names_are_left_whole(tmp_path: Path, columns: int) -> None:
    report = Bench(tmp_path, WITHOUT_REHEARSAL).run("v1.3.0")
    found = entries(render_report(report, columns))
    assert max(map(len, found["why"])) <= columns - 12
    assert " ".join(found["why"]) == report.run.reason.splitlines()[0]
    assert any(report.quarantine[0] in line for line in found["kept"])
