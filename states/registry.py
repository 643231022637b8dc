"""Every kind that a plan can name. Adding one is a module and a line here."""

from orchestrator.core.state_kind import KindTable
from states.backup import Backup
from states.check import Check
from states.cleanup import Cleanup
from states.command import Command
from states.commit import Commit
from states.confirm import Confirm
from states.drop_restored import DropRestored
from states.find_previous import FindPrevious
from states.health import Health
from states.migrate import Migrate
from states.preflight import Preflight
from states.pull import Pull
from states.rehearse import Rehearse
from states.restore import Restore
from states.restore_beside import RestoreBeside
from states.rollback import Rollback
from states.start import Start
from states.stop import Stop
from states.swap_in import SwapIn

KINDS = KindTable(
    (
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
        FindPrevious,
        RestoreBeside,
        SwapIn,
        DropRestored,
    )
)
