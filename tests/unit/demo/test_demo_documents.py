"""The documents show what the program draws."""

from pathlib import Path

import pytest

from orchestrator import graphs
from orchestrator.core.model.verdict import EXIT_CODES
from orchestrator.plan.load import load_plan
from orchestrator.plan.schema import Plan
from states.registry import KINDS

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def standard() -> Plan:
    return load_plan(CHECKOUT / "plans" / "upgrade.yaml", KINDS)


def test_the_architecture_shows_the_standard_plan(standard: Plan) -> None:
    shown = between("ARCHITECTURE.md", "<!-- graph:begin -->", "<!-- graph:end -->")
    assert shown == f"```mermaid\n{graphs.render_mermaid(standard).strip()}\n```"


def test_the_readme_shows_the_standard_plan(standard: Plan) -> None:
    shown = between("README.md", "<!-- text-graph:begin -->", "<!-- text-graph:end -->")
    assert shown == f"```text\n{graphs.render_text(standard).strip()}\n```"


def test_the_readme_lists_every_verdict_with_its_exit_code() -> None:
    rows = {
        int(cells[1]): cells[2]
        for cells in (line.split("|") for line in (CHECKOUT / "README.md").read_text().splitlines())
        if len(cells) == 5 and cells[1].strip().isdigit()
    }
    for verdict, exit_code in EXIT_CODES.items():
        if verdict != "internal_error":
            assert verdict.replace("_", " ") in rows[exit_code]
    assert {2, 70, 75, 100} <= rows.keys()


def between(document: str, begin: str, end: str) -> str:
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    return text.partition(begin)[2].partition(end)[0].strip()


def test_the_plan_in_the_readme_is_without_a_mistake(tmp_path: Path) -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    plan = readme.partition("```yaml\n")[2].partition("```\n")[0]
    (tmp_path / "my-app.yaml").write_text(plan, encoding="utf-8")
    assert load_plan(tmp_path / "my-app.yaml", KINDS).initial == "check"
