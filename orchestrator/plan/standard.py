"""The standard machine, for a plan that names no states; ``plans/upgrade.yaml`` is the same with comments."""

from __future__ import annotations

from orchestrator.plan.tree import Json

STANDARD_INITIAL = "check"


def build_standard_states() -> dict[str, Json]:
    """Build its states as a plan writes them."""
    return {
        "check": _state("check", newer="preflight", current="unchanged", failed="refused"),
        "preflight": _state("preflight", done="confirm", failed="refused"),
        "confirm": _state("confirm", accepted="prefetch", declined="refused", failed="refused"),
        "prefetch": _state("pull", done="backup", failed="refused") | {"timeout": "30m"},
        "backup": _state("backup", done="rehearse", failed="refused"),
        "rehearse": _state("rehearse", done="stop", failed="refused"),
        "stop": _state("stop", done="pull", failed="rollback"),
        "pull": _state("pull", done="migrate", failed="rollback") | {"with": {"network": False}},
        "migrate": _state("migrate", done="start", failed="restore") | {"timeout": "30m"},
        "start": _state("start", done="health", failed="restore") | {"with": {"gate": "closed"}},
        "health": _state("health", done="commit", failed="restore") | {"timeout": "5m"},
        "commit": _state("commit", done="cleanup", failed="stranded"),
        "cleanup": _state("cleanup", done="upgraded", failed="upgraded"),
        "restore": _state("restore", done="rollback", failed="stranded"),
        "rollback": _state("rollback", done="rolled_back", failed="stranded"),
        "unchanged": {"end": "up_to_date"},
        "refused": {"end": "refused"},
        "upgraded": {"end": "committed"},
        "rolled_back": {"end": "rolled_back"},
        "stranded": {"end": "needs_operator"},
    }


def _state(kind: str, **then: Json) -> dict[str, Json]:
    return {"kind": kind, "then": then}
