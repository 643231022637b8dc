"""Variables of the project's .env in a plan."""

import pytest

from orchestrator.core.errors import PlanError
from orchestrator.plan.schema import Plan
from orchestrator.plan.variables import resolve_variables
from tests.unit.plan.kinds import HEAD, STATES, parse


@pytest.fixture
def plan() -> Plan:
    target = """\
target:
  project: shop
  services: [app]
  image: ${IMAGE}
  health: {url: "http://${HOST}:${PORT}/health", version: {url: "http://${HOST}:${PORT}/version"}}
"""
    lines = (HEAD + STATES).splitlines(keepends=True)
    return parse("".join(target if line.startswith("target:") else line for line in lines))


ENVIRONMENT = {"IMAGE": "example.org/shop", "HOST": "127.0.0.1", "PORT": "5100"}


def test_variables_are_replaced(plan: Plan) -> None:
    resolved = resolve_variables(plan, ENVIRONMENT)
    assert resolved.target.image == "example.org/shop"
    assert resolved.target.health.url == "http://127.0.0.1:5100/health"
    assert resolved.target.health.version_url == "http://127.0.0.1:5100/version"
    assert plan.target.image == "${IMAGE}"


def test_a_plan_without_variables_stays_equal() -> None:
    assert resolve_variables(parse(), {}) == parse()


def test_missing_variables_are_told_all_at_once_with_their_places(plan: Plan) -> None:
    with pytest.raises(PlanError) as caught:
        resolve_variables(plan, {"IMGAE": "x", "HOST": "", "PORT": "1"})
    assert caught.value.code == "plan.invalid"
    places = [problem.split("shop.yaml:")[1] for problem in caught.value.problems]
    assert places[0] == "6:10: target.image: the project's .env has no `IMAGE`; did you mean `IMGAE`?"
    assert places[1].startswith("7:17: target.health.url: `HOST` is empty")
    assert len(places) == 3


@pytest.mark.parametrize("value", ["example.org/shop:v1", "Not An Image"])
def test_replaced_value_must_have_the_right_form(plan: Plan, value: str) -> None:
    with pytest.raises(PlanError) as caught:
        resolve_variables(plan, ENVIRONMENT | {"IMAGE": value})
    assert "target.image: with its variables replaced: " in caught.value.problems[0]


@pytest.mark.parametrize("written", ["${PORT:-80}", "${PORT", "${}"])
def test_only_plain_variables_are_read(written: str) -> None:
    text = (HEAD + STATES).replace("services: [app]", f'services: [app], health: {{url: "http://h:{written}/"}}')
    with pytest.raises(PlanError, match="1 problem") as caught:
        resolve_variables(parse(text), ENVIRONMENT)
    assert "is no variable; write `${NAME}`" in caught.value.problems[0]
