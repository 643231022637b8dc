"""Tables, sections and marks of the report."""

import json
from pathlib import Path

import pytest

from benchmarks.machine import tell_taken
from benchmarks.report import Part, ReportError, Table, keep, put_into, replace_section, show_ratio
from tests.engine.installation import CHECKOUT

MACHINE = {
    "taken_at": "2026-01-30T14:30:00+00:00", "commit": "abc1234", "cores": 2, "processor": "Some CPU", "memory_gib": 24,
    "kernel": "6.1", "engine": "26.1", "storage": "overlay2", "compose": "2.26", "python": "3.11.7", "load": 0.1,
}  # fmt: skip


def test_a_table_is_markdown_with_figures_to_the_right() -> None:
    assert Table(("upgrade", "s"), (("dump | gzip", "1.00"),)).to_markdown().splitlines() == [
        "| upgrade | s |",
        "| --- | ---: |",
        "| dump \\| gzip | 1.00 |",
    ]


def test_a_part_takes_its_own_place_in_the_report_and_no_other(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("# Head\n\n<!-- a:begin -->\nold\n<!-- a:end -->\n\n<!-- b:begin -->\nstays\n<!-- b:end -->\n")
    put_into(report, Part("a", ["Said.", Table(("x",), (("1",),))]), "Taken now.")
    text = report.read_text()
    assert "Taken now.\n\nSaid.\n\n| x |" in text
    assert "old" not in text
    assert text.startswith("# Head\n")
    assert text.endswith("<!-- b:begin -->\nstays\n<!-- b:end -->\n")


def test_a_report_without_a_place_for_a_part_is_refused() -> None:
    for text in ("", "<!-- a:begin -->", "<!-- a:end -->"):
        with pytest.raises(ReportError, match="a:begin"):
            replace_section(text, "a", "content")


def test_the_figures_are_kept_with_the_machine_that_they_are_of(tmp_path: Path) -> None:
    document = json.loads(keep(tmp_path / "new", Part("a", measured=[{"s": 1.5}]), dict(MACHINE)).read_text())
    assert document == {"schema": 1, "part": "a", "machine": MACHINE, "measured": [{"s": 1.5}]}


def test_ratio_beyond_its_bound_is_marked() -> None:
    assert show_ratio(1.15, at_most=1.15) == "1.15"
    assert show_ratio(1.16, at_most=1.15) == "1.16 ✗"
    assert show_ratio(2.0, at_least=2.0) == "2.00"
    assert show_ratio(1.99, at_least=2.0) == "1.99 ✗"


def test_the_line_above_the_tables_tells_of_a_busy_machine() -> None:
    quiet = tell_taken(MACHINE, 3)
    assert quiet.startswith("Taken 2026-01-30 14:30 UTC at abc1234: 2 cores (Some CPU), 24 GiB")
    assert quiet.endswith("Python 3.11.7; 3 rounds; load 0.1 before the first round.")
    assert "rounds" not in tell_taken(MACHINE, None)
    assert "load 3.5 before the first round: **taken beside other work**" in tell_taken({**MACHINE, "load": 3.5}, 3)


def test_the_shipped_report_has_a_place_for_every_part() -> None:
    from benchmarks.__main__ import PARTS  # noqa: PLC0415 - all of the benchmark, for its names

    text = (CHECKOUT / "BENCHMARKS.md").read_text(encoding="utf-8")
    for name in PARTS:
        replace_section(text, name, "")
