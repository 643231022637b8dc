"""A finding has the shortest path, the moment, the line and the remedy; a run refuses with the same text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator import graphs
from orchestrator.checker.explanation import explain_finding, format_path
from orchestrator.checker.findings import check_plan
from orchestrator.checker.rules import RULES, Level
from orchestrator.cli import main
from orchestrator.core.errors import PlanError
from orchestrator.plan.load import load_plan, parse_plan
from orchestrator.plan.operations import derive_reload, derive_rollback
from orchestrator.plan.tree import Json
from states.registry import KINDS
from tests.tools.bench import Bench
from tests.unit.checker.mutants import MORE, command
from tests.unit.checker.plans import SOURCE, build_plan, find_errors, find_one, find_rules, lead, state, write_machine

PLANS = Path(__file__).parents[3] / "plans"
SHIPPED = sorted(PLANS.glob("*.yaml"))
LOST = (
    (PLANS / "plain.yaml").read_text(encoding="utf-8").replace("kind: stop, ", "kind: stop, with: {snapshot: false},")
)


def lint(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["lint", *(str(argument) for argument in arguments)])


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    path = tmp_path / "lost.yaml"
    path.write_text(LOST, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_shipped_plan_and_nothing_made_from_it_has_an_error(path: Path) -> None:
    plan = load_plan(path, KINDS)
    derived = [derive_rollback(plan, KINDS), derive_reload(plan, KINDS, Path("/x.sql.gz"), foreign=True)]
    assert [find_errors(one) for one in (plan, *derived)] == [set(), set(), set()]


def test_the_standard_plan_has_not_even_a_warning() -> None:
    assert find_rules(build_plan({})) == set()


def test_plain_plan_is_allowed_with_warnings() -> None:
    assert find_rules(load_plan(PLANS / "plain.yaml", KINDS)) == {"W1", "W2", "W3"}


def test_plan_without_a_snapshot_is_refused_for_lost_writes_with_a_short_path() -> None:
    plan = parse_plan(LOST, SOURCE, KINDS)
    assert find_errors(plan) == {"X2"}
    paths = [format_path(finding.path) for finding in check_plan(plan, KINDS) if finding.rule.id == "X2"]
    assert list(paths[0]) == [
        "backup --done--> stop",
        "(users save something)",
        "stop --done--> pull",
        "pull --done--> migrate",
        "migrate --failed--> restore",
    ]
    assert max(len(path) for path in paths) <= 8


def test_the_line_to_change_is_named(lost: Path) -> None:
    number = next(at for at, line in enumerate(LOST.splitlines(), 1) if line.startswith("  stop:"))
    found = lint(lost)
    assert found.exit_code == 2
    assert f"{lost}:{number}:3: error X2 no-lost-write: `restore` brings back data that lack" in found.stdout


def test_a_transition_is_named_where_it_is_written() -> None:
    text = (PLANS / "upgrade.yaml").read_text(encoding="utf-8")
    changed = text.replace("{done: start, failed: restore}", "{done: start, failed: rollback}")
    finding = find_one(parse_plan(changed, SOURCE, KINDS), "X3")
    line = changed.splitlines()[finding.position.line - 1]
    assert line[finding.position.column - 1 :].startswith("failed: rollback")
    assert finding.moment == "`rollback` has started the old version"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({**lead("stop.done=fetch"), "fetch": state("pull", done="pull", failed="rollback")}, "W1"),
        ({**lead("backup.done=stop"), "rehearse": None}, "W2"),
        ({"start": state("start", done="health", failed="restore")}, "W3"),
        (lead("check.failed=stranded"), "W5"),
        ({**lead("commit.done=tell"), "tell": command("app", on="host", done="cleanup", failed="cleanup")}, "W6"),
    ],
)
def test_allowed_but_unwise_plan_gets_a_warning(changes: dict[str, Json], rule: str) -> None:
    found = find_rules(build_plan(changes))
    assert rule in found
    assert rule not in find_rules(build_plan(changes), without=rule)
    assert RULES[rule].level is Level.WARNING


def test_deadlines_longer_than_the_maintenance_window_are_a_warning() -> None:
    assert find_rules(build_plan({}, more="maintenance_window: 30m\n")) == {"W4"}
    assert find_rules(build_plan({}, more="maintenance_window: 8h\n")) == set()


def test_warnings_do_not_change_the_exit_code() -> None:
    found = lint(PLANS / "plain.yaml")
    assert found.exit_code == 0
    assert "3 warnings in 8 states" in found.stdout


def test_the_document_holds_every_finding_with_its_path(lost: Path) -> None:
    for arguments in (("--json",), ("--format", "json")):
        found = lint(lost, *arguments)
        document = json.loads(found.stdout)
        assert found.exit_code == 2
        assert [one["rule"] for one in document["findings"]] == ["X2", "W1", "W2", "W3"]
        assert [step["outcome"] for step in document["findings"][0]["path"]][-1] == "failed"
        assert len(document["problems"]) == 1


def test_sarif_has_rules_places_and_paths(lost: Path) -> None:
    document = json.loads(lint(lost, "--format", "sarif").stdout)
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(RULES)
    first = run["results"][0]
    assert (first["ruleId"], first["level"]) == ("X2", "error")
    region = first["locations"][0]["physicalLocation"]["region"]
    assert LOST.splitlines()[region["startLine"] - 1].startswith("  stop:")
    assert len(first["codeFlows"][0]["threadFlows"][0]["locations"]) == 6


def test_sarif_includes_problems_of_the_loader(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(LOST.replace("failed: rollback", "failed: rolback"), encoding="utf-8")
    found = lint(path, "--format", "sarif")
    assert found.exit_code == 2
    results = json.loads(found.stdout)["runs"][0]["results"]
    assert "rolback" in results[0]["message"]["text"]
    assert results[0]["locations"][0]["physicalLocation"]["region"]["startLine"] > 1


def test_the_path_is_drawn_into_the_graph(lost: Path) -> None:
    plan = parse_plan(LOST, lost, KINDS)
    path = [(step.state, step.to) for step in check_plan(plan, KINDS)[0].path]
    assert lint(lost, "--format", "mermaid").stdout.rstrip() == graphs.render_mermaid(plan, path)
    assert graphs.render_mermaid(plan, path).count("linkStyle") == len({pair for pair in path if pair[0] != pair[1]})
    assert lint(lost, "--format", "dot").stdout.count("penwidth=3") == 4


def test_a_way_on_that_the_plan_has_no_transition_for_is_drawn_as_being_cut_off() -> None:
    plan = build_plan({})
    assert '-.->|"cut off"| s5' in graphs.render_mermaid(plan, [("stop", "rehearse")])


def test_a_run_is_refused_with_the_same_text_and_nothing_is_touched(tmp_path: Path) -> None:
    changes = MORE["a failed migration goes on"][1]
    bench = Bench(tmp_path, write_machine(changes))
    told = tuple(explain_finding(one, bench.plan.source) for one in check_plan(bench.plan, KINDS) if one.is_error)
    with pytest.raises(PlanError) as refused:
        bench.run()
    assert refused.value.exit_code == 2
    assert refused.value.problems == told
    assert bench.world.chain() == []
    assert not bench.plan.journal_directory.exists()


def test_every_rule_has_a_reason_and_a_remedy() -> None:
    for rule in RULES.values():
        assert rule.why.endswith(".")
        assert rule.remedy.endswith(".")
        assert rule.why.count(". ") == 0
