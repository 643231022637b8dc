"""backup: a dump of the live database that was read back in full before anybody relies on it."""

from orchestrator.contract import CrashRule, Observation, Options, Result, State, StateContext
from orchestrator.facts import Current, Receipt
from orchestrator.model import EffectScope
from states.proving import dump_and_prove


class Backup(State[Options]):
    """Dumps while the app serves; the file appears under its name only when it is whole."""

    kind = "backup"
    summary = "Dump the database into the backup folder and read the file back in full."
    scope = EffectScope.FILES
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 3600.0
    provides = (Receipt,)
    needs_database = True

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """Where the file goes."""
        folder = ctx.world.backups.inspect_folder()
        return (f"dump the database into {folder.path}, then read the file back",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Dump, then prove the file; a file that exists is no backup."""
        return Result("done", (dump_and_prove(ctx, version=ctx.require(Current).version),))

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """The proof in ``perform`` is the observation: it has read the durable file from its first byte to its last."""
        return Observation.DONE if ctx.find(Receipt) else Observation.ABSENT
