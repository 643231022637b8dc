"""Every command with the module that has it and its summary: what `--help` needs, without importing any of them."""

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """``module`` of `orchestrator.cli`; ``summary`` is the first sentence of the command's help."""

    module: str
    summary: str


#: In the order in which they are told.
SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Upgrade": {
        "run": Entry("upgrade", "Upgrade: back up, stop, migrate, start, prove; or go back."),
        "check": Entry("upgrade", "Say whether there is a newer release."),
        "rollback": Entry("upgrade", "Go back to the version that the last upgrade replaced."),
    },
    "After an interruption": {
        "resume": Entry("upgrade", "Go on with a run that was cut off."),
        "recover": Entry("upgrade", "End a run that was cut off, with nobody watching."),
        "close": Entry("history", "Close a run that was cut off and looked after by hand."),
    },
    "Look": {
        "status": Entry("history", "Show the newest run: how far it is, or how it ended."),
        "history": Entry("history", "List all runs, newest first."),
        "show": Entry("history", "Show one run: its states, its reason, what it has kept."),
        "support": Entry("history", "Pack all that is known of RUN into one file without secrets."),
        "serve": Entry("serve", "Show runs of the plan on a page, and which version there is."),
    },
    "Plan": {
        "init": Entry("init", "Write a plan for the app in FOLDER from its compose file."),
        "lint": Entry("plans", "Check a plan and every way that a run could take through it."),
        "doctor": Entry("doctor", "Try every precondition of an upgrade."),
        "graph": Entry("plans", "Draw the plan's states and transitions."),
        "schema": Entry("plans", "Print the JSON Schema by which an editor completes plans."),
    },
    "Shell": {
        "completion": Entry("completion", "Print the script by which a shell completes commands."),
    },
    "Data": {
        "backups": Entry("data", "List, verify and restore backups."),
        "quarantine": Entry("data", "Let go of databases that runs have set aside."),
    },
}

CATALOG: Mapping[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
