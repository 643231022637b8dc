"""The pages of the reference are those that the program gives."""

from __future__ import annotations

import pytest

from orchestrator.plan.forms import PlanForm
from states.registry import KINDS
from tests.docs.pages import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_as_the_program_is(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_key_of_a_plan_has_its_line() -> None:
    page = PAGES["plan.md"]()
    names = [field.alias or name for name, field in PlanForm.model_fields.items()]
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_every_kind_is_told_with_its_outcomes_and_options() -> None:
    page = PAGES["states.md"]()
    for kind in KINDS.values():
        section = page.split(f"\n## {kind.kind}\n", 1)[1].split("\n## ", 1)[0]
        words = [*kind.outcomes, *kind.Options.model_fields]
        assert [word for word in words if f"| `{word}` |" not in section] == []
