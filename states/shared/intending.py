"""Written down before it is made: names under which a later process finds what a run had begun and not yet told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.core.facts import Intent
from orchestrator.core.state_kind import StateContext


def intend(
    ctx: StateContext[Any], *, kept_image: str | None = None, backup: Path | None = None, snapshot: str | None = None
) -> Intent:
    """These names and those of earlier states; a name that is given takes the place of an earlier one."""
    before = ctx.find(Intent) or Intent()
    names = {"kept_image": kept_image, "backup": backup, "snapshot": snapshot}
    return before.model_copy(update={key: name for key, name in names.items() if name is not None})
