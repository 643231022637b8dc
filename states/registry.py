"""Every kind that a plan can name. Adding one is a module and a line here."""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.state_kind import StateKind
from states.backup import Backup
from states.check import Check
from states.cleanup import Cleanup
from states.command import Command
from states.commit import Commit
from states.confirm import Confirm
from states.discard import Discard
from states.health import Health
from states.load import Load
from states.migrate import Migrate
from states.preflight import Preflight
from states.pull import Pull
from states.recall import Recall
from states.rehearse import Rehearse
from states.reinstate import Reinstate
from states.restore import Restore
from states.rollback import Rollback
from states.start import Start
from states.stop import Stop

KINDS: Mapping[str, type[StateKind[Any]]] = {
    state.kind: state
    for state in (
        Check,
        Preflight,
        Confirm,
        Pull,
        Backup,
        Rehearse,
        Stop,
        Migrate,
        Start,
        Health,
        Commit,
        Cleanup,
        Restore,
        Rollback,
        Command,
        Recall,
        Load,
        Reinstate,
        Discard,
    )
}
