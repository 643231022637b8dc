"""The drawing of a run at one moment, in terminals of all sizes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from orchestrator.core.facts import Current, Facts, Serving, StoppedServices, TargetRelease
from orchestrator.core.model.progress import Progress
from orchestrator.core.model.releases import Release
from orchestrator.live.drawing import Moment, Size, draw, fold
from orchestrator.live.view import View
from orchestrator.plan.load import load_plan
from orchestrator.plan.schema import Plan
from states.registry import KINDS

MIB = 1024**2
DOWN_AT = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
WIDE = "資料庫遷移中" * 20


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(Path(__file__).parents[3] / "plans" / "upgrade.yaml", KINDS)


def versions() -> Facts:
    target = TargetRelease(
        release=Release(version="v1.1.0"), repository="registry.example/app", digest=f"sha256:{'0' * 64}"
    )
    return Facts.of((Current(version="v1.0.0", image_id="old"), target))


def backing_up(plan: Plan) -> View:
    view = View.of(plan, versions(), 0.0).entered("backup", 10.0)
    for second in range(11):
        progress = Progress(label="Writing the backup", done=second * 4 * MIB, total=80 * MIB)
        view = view.progressed(progress, 10.0 + second)
    return view


def lines(view: View, at: float, columns: int = 80, rows: int = 24, wall: datetime = DOWN_AT) -> list[str]:
    return draw(view, Moment(at, wall), Size(columns, rows)).plain.split("\n")


def test_what_runs_comes_first_with_its_bar_and_what_waits_below_it(plan: Plan) -> None:
    shown = lines(backing_up(plan), 20.0)
    assert shown[0][2:] == "backup                    10.0 s  Writing the backup"
    assert shown[1] == "  ███████████████░░░░░░░░░░░░░░░  40.0 of 80.0 MiB  4.0 MiB/s  10 s left"
    assert shown[2:-1] == [
        f"○ {name}" for name in ("rehearse", "stop", "pull", "migrate", "start", "health", "commit", "cleanup")
    ]
    assert shown[-1] == "remote-agent  1.0.0 → 1.1.0  20 s"


def test_on_the_way_back_the_way_back_is_what_waits(plan: Plan) -> None:
    shown = lines(View.of(plan, versions(), 0.0).entered("restore", 5.0), 6.0)
    assert shown[1] == "○ rollback"
    assert "cleanup" not in "\n".join(shown)


def test_time_goes_on_while_nothing_is_reported(plan: Plan) -> None:
    assert "25.0 s" in lines(backing_up(plan), 35.0)[0]
    assert "5 s left" in lines(backing_up(plan), 25.0)[1]


def test_the_outage_counts_while_the_app_is_down_and_stands_still_behind_it(plan: Plan) -> None:
    stopped = versions().joined(Facts.of((StoppedServices(at=DOWN_AT, services=()),)))
    view = View.of(plan, stopped, 0.0).entered("migrate", 1.0)
    assert lines(view, 2.0, wall=DOWN_AT + timedelta(seconds=12.3))[-1].startswith("app down for 12.3 s  ")
    serving = Serving(at=DOWN_AT + timedelta(seconds=15), version="v1.1.0", image_id="new")
    view = view.learned(stopped.joined(Facts.of((serving,))))
    assert lines(view, 2.0, wall=DOWN_AT + timedelta(hours=1))[-1].endswith("app was down for 15.0 s")


def test_the_newest_log_line_is_shown_and_can_do_nothing_to_the_terminal(plan: Plan) -> None:
    view = View.of(plan, versions(), 0.0).entered("migrate", 0.0)
    view = view.said("first\n\x1b]0;title\x07second\x1b[2J\tpart\n")
    assert lines(view, 1.0)[1] == "  │ second part"
    assert view.said("\n").line == "second part"


@pytest.mark.parametrize("columns", [10, 20, 40, 59, 60, 80, 120])
@pytest.mark.parametrize("rows", [2, 5, 8, 24])
def test_no_line_and_no_column_is_more_than_the_terminal_has(plan: Plan, columns: int, rows: int) -> None:
    view = backing_up(plan).said(WIDE)
    shown = lines(view, 20.0, columns, rows)
    assert max(map(cell_len, shown)) < columns
    assert len(shown) < max(2, rows)
    assert "backup" in shown[0][:10]


def test_in_a_narrow_terminal_the_remaining_time_counts_for_more_than_the_pace(plan: Plan) -> None:
    assert lines(backing_up(plan), 20.0, columns=46)[1].endswith("░  40.0 of 80.0 MiB  10 s left")
    assert lines(backing_up(plan), 20.0, columns=40)[1] == "  50%  40.0 of 80.0 MiB  10 s left"


def test_where_there_is_no_room_what_waits_shares_a_line(plan: Plan) -> None:
    shown = lines(backing_up(plan), 20.0, columns=80, rows=6)
    assert shown[2] == "○ rehearse · stop · pull · migrate · start · health · commit · cleanup"
    assert shown[3].startswith("remote-agent")


def test_sentences_are_folded_by_cells_and_names_are_left_whole() -> None:
    name = "/var/lib/" + "n" * 60
    assert fold(f"see {name} now", 20) == ["see", name, "now"]
    assert fold("資料 資料 資料", 9) == ["資料 資料", "資料"]
