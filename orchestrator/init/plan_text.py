"""Write the text of a plan that `init` proposes: short, commented, and with the standard machine; pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.plan.standard import STANDARD_INITIAL, build_standard_states
from orchestrator.plan.tree import Json

SCHEMA_FILE = "plan.schema.json"

_PLAIN = re.compile(r"[A-Za-z./][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True)
class Draft:
    """The settled answers. ``project`` and ``backups`` are relative to the plan's folder."""

    name: str
    project: str
    services: tuple[str, ...]
    image: str
    variable: str
    migrate: tuple[str, ...]
    disconnect: tuple[str, ...]
    health_url: str | None
    gate_closed: bool
    database: str
    user: str | None
    database_name: str | None
    repository: str | None
    backups: str


def write_plan(draft: Draft) -> str:
    """Return the whole file."""
    return "\n".join([*_head(draft), *_target(draft), *_rest(draft), *([] if draft.gate_closed else _machine()), ""])


def _head(draft: Draft) -> list[str]:
    return [
        f"# yaml-language-server: $schema=./{SCHEMA_FILE}",
        "#",
        "# Written by `orchestrator init`. `orchestrator lint` checks it, `orchestrator doctor` tries what it needs,",
        "# and `orchestrator run --dry-run` shows what an upgrade would do. None of them changes anything.",
        "",
        "plan: 1",
        f"name: {_quote(draft.name)}",
        "",
    ]


def _target(draft: Draft) -> list[str]:
    lines = [
        "target:",
        f"  project: {_quote(draft.project)}   # folder with the compose file and .env",
        f"  services: {_list(draft.services)}   # what runs the release; everything else stays up",
        f"  image: {_quote(draft.image)}",
        f"  version_variable: {draft.variable}   # in .env",
    ]
    if draft.migrate:
        lines.append(f"  migrate: {_list(draft.migrate)}   # service and command, in the new image")
    else:
        lines.append("  # migrate: [SERVICE, COMMAND]   # left out: the app migrates as it starts")
    if draft.disconnect:
        lines.append(f"  disconnect: {_list(draft.disconnect)}   # stay up; their connections may be ended")
    if draft.health_url:
        lines += ["  health:", f"    url: {json.dumps(draft.health_url)}   # as a user reaches it"]
    else:
        lines.append("  # health: {url: …}   # left out: the containers' own health checks are judged")
    return [*lines, ""]


def _rest(draft: Draft) -> list[str]:
    lines = ["database:", f"  service: {_quote(draft.database)}"]
    lines += [f"  user: {_quote(draft.user)}"] if draft.user else []
    lines += [f"  name: {_quote(draft.database_name)}"] if draft.database_name else []
    source = (
        ["  source: github", f"  repository: {_quote(draft.repository)}"]
        if draft.repository
        else ["  source: registry   # the tags of the image; `--repository owner/name` for releases on GitHub"]
    )
    return [
        *lines,
        "",
        "releases:",
        *source,
        "",
        "backups:",
        f"  directory: {_quote(draft.backups)}",
        "  keep: 3",
    ]


def _machine() -> list[str]:
    """Return the standard machine with an open gate, one state a line."""
    states = build_standard_states()
    start = states["start"]
    if isinstance(start, dict):
        start["with"] = {"gate": "open"}
    width = max(len(name) for name in states) + 1
    return [
        "",
        "# The gate stays open: no user could be kept out, or nobody could ask behind it whether the app is well.",
        f"initial: {STANDARD_INITIAL}",
        "states:",
        *(f"  {f'{name}:':<{width}} {_flow(state)}" for name, state in states.items()),
    ]


def _flow(value: Json) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    return value if isinstance(value, str) else json.dumps(value)


def _list(words: Sequence[str]) -> str:
    return "[" + ", ".join(map(_quote, words)) + "]"


def _quote(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
