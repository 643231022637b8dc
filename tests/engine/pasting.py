"""An operator who has read nothing but the screen: he copies the numbered lines into a shell."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.engine.installation import Ended, orchestrator
from tests.engine.trouble import verdict_of

NUMBERED = re.compile(r"^\s+(?:next\s+)?\d+\. (.+)$", re.MULTILINE)
SET_ASIDE = re.compile(r'RENAME TO "(\w+__aside_\w+)"')
PASTE_S = 180


def paste_lines(steps: Sequence[str]) -> str:
    """Give the lines to a shell, all at once; what was pasted."""
    script = "\n".join(steps)
    pasted = subprocess.run(
        ["bash", "-e"], input=script, cwd="/", capture_output=True, text=True, timeout=PASTE_S, check=False
    )
    assert pasted.returncode == 0, f"{script}\n{pasted.stdout}{pasted.stderr}"
    return script


def paste(plan: Path, ended: Ended, environment: Mapping[str, str] | None = None) -> Ended:
    """Do what `show` says, which is what was printed; the same report, naming what is aside since."""
    assert verdict_of(ended) == ("needs_operator", 30), ended.said
    shown = orchestrator("show", str(ended.document["run"]), "--plan", str(plan), environment=environment)
    steps = NUMBERED.findall(shown.stdout)
    assert steps == ended.document["next"]
    script = paste_lines(steps)
    named = ended.document["quarantine"]
    assert isinstance(named, list)
    aside = sorted({*named, *SET_ASIDE.findall(script)})
    return Ended(ended.exit_code, json.dumps({**ended.document, "quarantine": aside}), "")
