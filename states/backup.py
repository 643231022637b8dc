"""backup: a dump of the live database that was read back in full before anybody relies on it."""

from datetime import timedelta

from orchestrator.contract import CrashRule, Observation, Options, Result, State, StateContext
from orchestrator.errors import BackupError
from orchestrator.facts import Current, Receipt
from orchestrator.model import EffectScope


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
        database, store, clock = ctx.database(), ctx.world.backups, ctx.world.clock
        version = ctx.require(Current).version
        facts = database.inspect()
        began, taken_at = clock.monotonic(), clock.now()
        name = f"{taken_at:%Y-%m-%d_%H%M%S}_v{version.removeprefix('v')}.sql.gz"
        path, sha256, dump_bytes = store.write(
            name, lambda write: database.dump(write, deadline=ctx.deadline), report=ctx.report
        )
        proof = store.prove(path, report=ctx.report, deadline=ctx.deadline)
        if (proof.sha256, proof.dump_bytes) != (sha256, dump_bytes):
            raise BackupError(
                "backup.damaged",
                f"The backup {path} does not read back as it was written.",
                hint="Check the disk it is on; the file is kept for a look and is not counted as a backup.",
            )
        receipt = Receipt(
            path=path,
            sha256=sha256,
            size_bytes=proof.size_bytes,
            dump_bytes=dump_bytes,
            rows=dict(proof.rows),
            version=version,
            database=facts.name,
            server_version=facts.server_version,
            system_identifier=facts.system_identifier,
            taken_at=taken_at,
            duration_s=round(timedelta(seconds=clock.monotonic() - began).total_seconds(), 3),
        )
        return Result("done", (receipt,))

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """The proof in ``perform`` is the observation: it has read the durable file from its first byte to its last."""
        return Observation.DONE if ctx.find(Receipt) else Observation.ABSENT
