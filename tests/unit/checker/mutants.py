"""The standard machine with one mistake each, and the rule that has to notice it."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.plan.tree import Json
from tests.unit.checker.plans import Changes, lead, state

NO_BACKUP: Changes = {**lead("prefetch.done=stop"), "backup": None, "rehearse": None}
NO_COPY: Json = {"snapshot": False}


def command(changes: str, *, done: str, failed: str, on: str = "app") -> Json:
    """A step of the operator's own."""
    return state("command", options={"run": ["./step"], "on": on, "changes": changes}, done=done, failed=failed)


#: rule → a plan that this rule refuses, and that no other one would.
ONLY: Mapping[str, Changes] = {
    "F1": {**lead("confirm.accepted=backup"), "prefetch": None},
    "F2": lead("confirm.declined=prefetch"),
    "G3": {**lead("cleanup.done=again"), "again": state("commit", done="upgraded", failed="stranded")},
    "G4": NO_BACKUP,
    "G6": {
        **lead("rollback.done=look"),
        "look": state("pull", options={"network": False}, done="rolled_back", failed="rolled_back"),
    },
    "G8": lead("health.done=cleanup", "cleanup.done=commit", "cleanup.failed=commit", "commit.done=upgraded"),
    "G9": {**lead("migrate.done=again"), "again": state("pull", done="start", failed="restore")},
    "X1": lead("restore.done=rolled_back"),
    "X2": {"stop": state("stop", options=NO_COPY, done="pull", failed="rollback")},
    "X3": lead("migrate.failed=rollback"),
    "X4": {**lead("pull.done=warm"), "warm": command("app", done="migrate", failed="rollback")},
    "X6": lead("preflight.failed=restore"),
    "X7": lead("migrate.failed=stranded"),
    "X9": lead("migrate.interrupted=stranded"),
    "X10": {
        **lead("rehearse.failed=check"),
        "check": state(
            "check", attempts=10, newer="preflight", current="unchanged", failed="refused", exhausted="refused"
        ),
    },
    "X13": {**lead("rollback.done=refused"), "rolled_back": None},
}

#: name → (rule, a plan that it refuses); others may notice it too.
MORE: Mapping[str, tuple[str, Changes]] = {
    "newer and current swapped": ("X13", lead("check.newer=unchanged", "check.current=preflight")),
    "who declines is told that nothing is newer": ("X13", lead("confirm.declined=unchanged")),
    "a failed preflight goes on": ("F2", lead("preflight.failed=confirm")),
    "a question that was not put goes on": ("F2", lead("confirm.failed=prefetch")),
    "a failed download goes on": ("F1", lead("prefetch.failed=backup")),
    "a failed backup goes on": ("F1", lead("backup.failed=rehearse")),
    "a failed backup goes on without a rehearsal": (
        "G4",
        {**lead("backup.failed=stop", "backup.done=stop"), "rehearse": None},
    ),
    "a failed backup brings one back": ("X6", lead("backup.failed=restore")),
    "a failed rehearsal goes on": ("F2", lead("rehearse.failed=stop")),
    "a rehearsal out of time goes on": ("F2", lead("rehearse.timeout=stop")),
    "a failed rehearsal brings the backup back": ("X2", lead("rehearse.failed=restore")),
    "the backup comes after the rehearsal": (
        "F1",
        lead("prefetch.done=rehearse", "rehearse.done=backup", "backup.done=stop"),
    ),
    "the backup comes after the migration": (
        "G4",
        {
            **lead("prefetch.done=stop", "migrate.done=backup", "backup.done=start", "backup.failed=restore"),
            "rehearse": None,
        },
    ),
    "stop is left out": ("X4", {**lead("rehearse.done=pull"), "stop": None}),
    "stop comes after the migration": (
        "X4",
        lead("rehearse.done=pull", "migrate.done=stop", "stop.done=start", "stop.failed=restore"),
    ),
    "a failed stop goes on": ("X4", lead("stop.failed=pull")),
    "a failed stop just ends": ("X1", lead("stop.failed=refused")),
    "a failed stop is given up": ("X7", lead("stop.failed=stranded")),
    "a failed stop brings a backup back": ("X2", lead("stop.failed=restore")),
    "a stop out of time ends": ("X1", lead("stop.timeout=rolled_back")),
    "a cut-off stop just ends": ("X1", lead("stop.interrupted=refused")),
    "a failed pull ends as refused": ("X1", lead("pull.failed=refused")),
    "a failed pull is given up": ("X7", lead("pull.failed=stranded")),
    "a failed migration goes on": ("X3", lead("migrate.failed=start")),
    "a migration out of time goes on": ("X3", lead("migrate.timeout=start")),
    "a cut-off migration goes on": ("X3", lead("migrate.interrupted=start")),
    "the migration is left out": ("X3", {**lead("pull.done=start"), "migrate": None}),
    "the start is left out": ("F1", {**lead("migrate.done=health"), "start": None}),
    "a failed start goes back without the data": ("X3", lead("start.failed=rollback")),
    "a failed start is given up": ("X7", lead("start.failed=stranded")),
    "a cut-off start is given up": ("X9", lead("start.interrupted=stranded")),
    "a failed health goes back without the data": ("X3", lead("health.failed=rollback")),
    "a failed health is committed": ("X13", lead("health.failed=commit")),
    "a failed health is given up": ("X7", lead("health.failed=stranded")),
    "a health out of time is committed": ("X13", lead("health.timeout=commit")),
    "health is left out": ("X13", {**lead("start.done=commit"), "health": None}),
    "a failed commit is cleaned up": (
        "G8",
        {**lead("commit.failed=cleanup"), "start": state("start", done="health", failed="restore")},
    ),
    "a failed commit goes back": ("G3", lead("commit.failed=restore")),
    "cleanup goes back": ("G3", lead("cleanup.failed=rollback")),
    "cleanup says it went back": ("X13", lead("cleanup.failed=rolled_back")),
    "cleaned up before anything": (
        "G8",
        lead("preflight.done=cleanup", "cleanup.done=confirm", "cleanup.failed=confirm", "commit.done=upgraded"),
    ),
    "restore goes forward again": (
        "G6",
        {"restore": state("restore", attempts=2, done="migrate", failed="rollback", exhausted="stranded")},
    ),
    "a failed restore goes on": ("X3", lead("restore.failed=rollback")),
    "a restore is given up": ("X7", lead("restore.done=stranded")),
    "a cut-off restore is skipped": ("X3", lead("restore.interrupted=rollback")),
    "restore and rollback are swapped": (
        "X3",
        lead(
            "migrate.failed=rollback",
            "start.failed=rollback",
            "health.failed=rollback",
            "rollback.done=restore",
            "restore.done=rolled_back",
        ),
    ),
    "a failed rollback calls itself rolled back": ("X1", lead("rollback.failed=rolled_back")),
    "a step that writes after the commit": (
        "G3",
        {**lead("commit.done=fill"), "fill": command("database", done="cleanup", failed="stranded")},
    ),
    "a step that writes between the copy and the migration": (
        "F1",
        {**lead("pull.done=fill"), "fill": command("database", done="migrate", failed="restore")},
    ),
    "a step that writes while the app runs": (
        "X4",
        {**lead("backup.done=fill"), "fill": command("database", done="rehearse", failed="refused")},
    ),
    "a step that changes the app ends as refused": (
        "X13",
        {**lead("backup.done=tell"), "tell": command("app", done="rehearse", failed="refused")},
    ),
}
