"""The standard machine, for a plan that names no states; ``plans/upgrade.yaml`` is the same with comments."""

from orchestrator.plan.tree import Json

STANDARD_INITIAL = "check"


def build_standard_states() -> dict[str, Json]:
    """Build its states as a plan writes them."""
    return {
        "check": build_state("check", newer="preflight", current="unchanged", failed="refused"),
        "preflight": build_state("preflight", done="confirm", failed="refused"),
        "confirm": build_state("confirm", accepted="prefetch", declined="refused", failed="refused"),
        "prefetch": build_state("pull", done="backup", failed="refused") | {"timeout": "30m"},
        "backup": build_state("backup", done="rehearse", failed="refused"),
        "rehearse": build_state("rehearse", done="stop", failed="refused"),
        "stop": build_state("stop", done="pull", failed="rollback"),
        "pull": build_state("pull", done="migrate", failed="rollback") | {"with": {"network": False}},
        "migrate": build_state("migrate", done="start", failed="restore") | {"timeout": "30m"},
        "start": build_state("start", done="health", failed="restore") | {"with": {"gate": "closed"}},
        "health": build_state("health", done="commit", failed="restore") | {"timeout": "5m"},
        "commit": build_state("commit", done="cleanup", failed="stranded"),
        "cleanup": build_state("cleanup", done="upgraded", failed="upgraded"),
        "restore": build_state("restore", done="rollback", failed="stranded"),
        "rollback": build_state("rollback", done="rolled_back", failed="stranded"),
        "unchanged": {"end": "up_to_date"},
        "refused": {"end": "refused"},
        "upgraded": {"end": "committed"},
        "rolled_back": {"end": "rolled_back"},
        "stranded": {"end": "needs_operator"},
    }


def build_state(kind: str, **then: Json) -> dict[str, Json]:
    """Build a state of this kind, with where each outcome leads."""
    return {"kind": kind, "then": then}
