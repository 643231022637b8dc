"""The plans that come with the program, read with the kinds that come with it."""

from pathlib import Path

import pytest

from deploy.demo.demo import leave_rehearsal_out
from orchestrator.core.errors import PlanError
from orchestrator.plan.json_schema import build_json_schema, render_json_schema
from orchestrator.plan.load import load_plan, parse_plan
from orchestrator.plan.structure import longest_path_s
from orchestrator.plan.variables import resolve_variables
from states.registry import KINDS
from tests.unit.plan.kinds import HEAD, SOURCE

PLANS = Path(__file__).parents[3] / "plans"


@pytest.mark.parametrize("name", ["upgrade", "plain", "demo"])
def test_a_shipped_plan_has_no_mistake_and_names_its_schema(name: str) -> None:
    plan = load_plan(PLANS / f"{name}.yaml", KINDS)
    assert plan.text.startswith("# yaml-language-server: $schema=./plan.schema.json\n")


def test_a_plan_without_states_has_those_of_the_standard_plan() -> None:
    standard, written = parse_plan(HEAD, SOURCE, KINDS), load_plan(PLANS / "upgrade.yaml", KINDS)
    assert standard.states == written.states
    assert list(standard.states) == list(written.states)
    assert (standard.initial, standard.ends) == (written.initial, written.ends)


def test_the_standard_machine_is_refused_without_a_database() -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(HEAD.replace("database: {service: db}\n", ""), SOURCE, KINDS)
    (problem,) = caught.value.problems
    assert "a plan without `states` gets the standard machine, which needs a database" in problem


def test_the_plain_plan_has_the_six_states_and_the_way_back() -> None:
    plan = load_plan(PLANS / "plain.yaml", KINDS)
    assert list(plan.states) == ["backup", "stop", "pull", "migrate", "start", "health", "restore", "rollback"]
    assert plan.initial == "backup"


@pytest.mark.parametrize(
    "commit",
    [
        "{done: upgraded, failed: restore}}",
        "{done: commit, failed: restore}}\n  commit: {kind: commit, then: {done: upgraded, failed: upgraded}}",
    ],
)
def test_a_gate_that_no_commit_opens_is_refused(commit: str) -> None:
    plain = (PLANS / "plain.yaml").read_text(encoding="utf-8")
    closed = plain.replace("kind: start,", "kind: start, with: {gate: closed},")
    with pytest.raises(PlanError) as caught:
        parse_plan(closed.replace("{done: upgraded, failed: restore}}", commit), SOURCE, KINDS)
    (problem,) = caught.value.problems
    assert "states.start: its gate is still closed at `upgraded`" in problem
    opened = closed.replace(
        "{done: upgraded, failed: restore}}",
        "{done: commit, failed: restore}}\n  commit: {kind: commit, then: {done: upgraded, failed: stranded}}",
    )
    assert parse_plan(opened, SOURCE, KINDS).states["start"].options.model_dump() == {"gate": "closed"}


def test_the_demo_has_the_standard_machine_with_shorter_deadlines() -> None:
    demo, standard = load_plan(PLANS / "demo.yaml", KINDS), load_plan(PLANS / "upgrade.yaml", KINDS)
    assert {name: state.then for name, state in demo.states.items()} == {
        name: state.then for name, state in standard.states.items()
    }
    assert longest_path_s(demo, "stop") < longest_path_s(standard, "stop")
    resolved = resolve_variables(demo, {"IMAGE": "127.0.0.1:5000/ledger", "APP_PORT": "5100"})
    assert resolved.target.health.version_url == "http://127.0.0.1:5100/api/health"


def test_the_demo_without_its_rehearsal_is_a_plan_too(tmp_path: Path) -> None:
    demo = load_plan(PLANS / "demo.yaml", KINDS)
    without = parse_plan(leave_rehearsal_out(demo.text), tmp_path / "plan.yaml", KINDS)
    assert set(demo.states) - set(without.states) == {"rehearse"}
    assert without.states["backup"].then["done"] == "stop"


def test_the_schema_beside_the_plans_is_the_generated_one() -> None:
    assert (PLANS / "plan.schema.json").read_text(encoding="utf-8") == render_json_schema(KINDS)


def test_the_schema_knows_the_outcomes_and_options_of_each_kind() -> None:
    schema = render_json_schema(KINDS)
    assert all(f'"const": "{kind}"' in schema for kind in KINDS)
    assert all(outcome in schema for kind in KINDS.values() for outcome in kind.outcomes.values())
    assert '"with"' in schema
    assert '"default": "10s"' in schema
    assert schema.count('"$ref"') <= schema.count("#/$defs/")
    assert build_json_schema(KINDS)["required"] == ["plan", "name", "target", "releases", "backups"]
