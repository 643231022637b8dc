"""The way that a run took is seen in each form of the graph, with the times and the state where it is stuck."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator import graphs
from orchestrator.cli import main
from orchestrator.core.errors import DatabaseError
from orchestrator.core.model.verdict import Verdict
from orchestrator.graphs import RunPath, Visit
from orchestrator.graphs.svg import render_svg
from orchestrator.run.confirmed_plan import read_plan_of_run
from orchestrator.run.past_runs import read_run
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench

FORMS = ("text", "mermaid", "dot", "svg")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    bench.plan.source.write_text(bench.plan.text, encoding="utf-8")
    return bench


def read_run_path(bench: Bench, run_id: str) -> RunPath:
    return graphs.read_run_path(*read_run(bench.plan, run_id))


def test_a_way_back_is_told_step_by_step_with_its_times(bench: Bench) -> None:
    run_path = read_run_path(bench, bench.run("v1.3.0").run.id)
    assert run_path.verdict is Verdict.ROLLED_BACK
    assert [visit.state for visit in run_path.visits] == bench.path()
    assert run_path.steps[-3:] == (("health", "restore"), ("restore", "rollback"), ("rollback", "rolled_back"))
    assert run_path.went_wrong("health")
    assert not run_path.went_wrong("migrate")
    assert run_path.tell_time("migrate") == "2.00 s"
    assert run_path.tell_time("commit") == ""
    assert run_path.stuck is None


def test_where_an_operator_is_needed_the_state_that_could_not_go_on_is_marked(bench: Bench) -> None:
    bench.world.fail("database.swap", DatabaseError("database.unreachable", "The server is gone."), times=1000)
    run_path = read_run_path(bench, bench.run("v1.3.0").run.id)
    assert run_path.verdict is Verdict.NEEDS_OPERATOR
    assert run_path.stuck == "restore"
    assert "▶ restore" in graphs.render_text(bench.plan, run_path)
    assert "stroke-width:4px" in graphs.render_mermaid(bench.plan, run_path=run_path)
    assert graphs.render_dot(bench.plan, run_path=run_path).count("penwidth=4") == 1
    assert 'class="state stuck"' in render_svg(bench.plan, run_path)


def test_a_run_that_is_at_work_is_where_it_has_not_left() -> None:
    visits = (Visit("check", "newer", "preflight", 0.25), Visit("preflight", "", "", None))
    run_path = RunPath("r-1", None, visits, "preflight")
    assert run_path.tell_time("preflight") == "at work"
    assert run_path.steps == (("check", "preflight"),)
    assert "without an end" in run_path.title


def test_several_stays_are_told_together() -> None:
    visits = (Visit("wait", "again", "wait", 60.0), Visit("wait", "done", "end", 75.5))
    assert RunPath("r-1", Verdict.COMMITTED, visits, None).tell_time("wait") == "2m16s in 2 stays"


def test_step_without_a_transition_is_drawn_as_cut_off(bench: Bench) -> None:
    run_path = RunPath("r-1", Verdict.ROLLED_BACK, (Visit("start", "interrupted", "rollback", 1.0),), None)
    assert "cut off" in graphs.render_mermaid(bench.plan, run_path=run_path)
    assert "cut off" in graphs.render_dot(bench.plan, run_path=run_path)
    assert "start: cut off → rollback" in render_svg(bench.plan, run_path)


@pytest.mark.parametrize("style", FORMS)
def test_the_command_draws_a_run_with_the_plan_that_it_had(bench: Bench, style: str) -> None:
    run_id = bench.run("v1.3.0").run.id
    bench.plan.source.write_text(bench.plan.text.replace("timeout: 5m", "timeout: 6m"), encoding="utf-8")
    arguments = ["graph", str(bench.plan.source), "--run", run_id, "--format", style]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "2.00 s" in done.stdout
    if style == "text":
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert f"run {run_id}: rolled back" in done.stdout


def test_a_rollback_on_request_is_drawn_with_its_own_machine(bench: Bench) -> None:
    bench.run("v1.1.0")
    report = bench.service.roll_back(assume_yes=True, listener=bench.recorder)
    plan, run, records = read_plan_of_run(bench.plan, report.run.id, KINDS)
    assert "find_previous" in plan.states
    assert graphs.read_run_path(run, records).states <= {*plan.states, *plan.ends}


def test_a_run_that_is_not_there_is_a_usage_error(bench: Bench) -> None:
    bench.run("v1.1.0")
    done = CliRunner().invoke(main, ["graph", str(bench.plan.source), "--run", "r-nowhere"])
    assert done.exit_code == 2
    assert "r-nowhere" in done.stderr
