"""A plan may use the former name of a kind; everything but `lint` treats it as the current one."""

from __future__ import annotations

import json

import pytest

from orchestrator.core.errors import PlanError
from orchestrator.plan.json_schema import render_json_schema
from states.registry import KINDS
from tests.unit.checker.plans import build_plan, find_one, state

FORMER = {"recall": "find_previous", "load": "restore_beside", "reinstate": "swap_in", "discard": "drop_restored"}


def test_former_names_find_their_kinds_and_are_not_listed() -> None:
    assert {former: KINDS[former].kind for former in FORMER} == FORMER
    assert not {*FORMER} & {*KINDS}
    assert "nothing_such" not in KINDS


def test_plan_with_a_former_name_gets_the_current_kind_and_a_warning() -> None:
    tidy = state("discard", done="refused", failed="refused")
    plan = build_plan({"confirm": state("confirm", accepted="prefetch", declined="tidy", failed="tidy"), "tidy": tidy})
    assert plan.states["tidy"].kind == "drop_restored"
    found = find_one(plan, "W8")
    assert found.key_path == ("states", "tidy")
    assert "`discard`, which is called `drop_restored` now" in found.problem


def test_options_are_checked_under_a_former_name() -> None:
    load = state("load", options={"fil": "x.sql.gz"}, done="confirm", failed="refused")
    with pytest.raises(PlanError) as caught:
        build_plan({"preflight": load})
    assert [problem.partition(": ")[2] for problem in caught.value.problems] == [
        "states.preflight.with: `file` is missing",
        "states.preflight.with.fil: unknown key; did you mean `file`? (G14)",
    ]


def test_schema_accepts_former_names_as_deprecated() -> None:
    schema = json.loads(render_json_schema(KINDS))
    shapes = {shape["title"]: shape for shape in schema["properties"]["states"]["additionalProperties"]["oneOf"]}
    for former, kind in FORMER.items():
        assert {"const": former, "deprecated": True} in shapes[kind]["properties"]["kind"]["oneOf"]
