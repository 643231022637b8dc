"""restore: the data as it was when the app stopped comes back; the failed database is set aside, not dropped."""

from orchestrator.contract import CrashRule, Observation, Options, Result, State, StateContext
from orchestrator.errors import DatabaseError
from orchestrator.facts import Quarantine, Receipt, Snapshot
from orchestrator.model import EffectScope
from orchestrator.ports import Database


class Restore(State[Options]):
    """Swaps two names in one transaction. Without a usable snapshot the proven backup is restored beside first."""

    kind = "restore"
    summary = "Swap the database back to what it was when the app stopped."
    scope = EffectScope.DATABASE
    crash_rule = CrashRule.REPEAT
    timeout_s = 3600.0
    provides = (Quarantine,)
    compensation = True
    needs_database = True

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """Where the data comes from."""
        return ("swap the snapshot in, in one transaction; keep the failed database aside",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Stop what runs, then swap; repeating after a swap changes nothing."""
        database = ctx.database()
        # The new version may be up: it must not write into what is being set aside, nor hold its name.
        ctx.world.platform.stop_services(ctx.target.services, deadline=ctx.deadline)
        snapshot = ctx.find(Snapshot)
        live = snapshot.source if snapshot else ctx.require(Receipt).database
        aside = quarantine_name(live, ctx.run_id)
        source = snapshot.database if snapshot else side_name(live, ctx.run_id)
        existing = database.sizes()
        if aside in existing and live in existing:
            return Result("done", (Quarantine(database=aside, restored_from=source),), "It was swapped already.")
        if snapshot is None or snapshot.database not in existing:
            source = _restore_beside(ctx, database, live)
        database.terminate_sessions(live)
        database.swap(live, source, aside)
        return Result(
            "done",
            (Quarantine(database=aside, restored_from=source),),
            f"The failed database is kept as {aside}.",
        )

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """Both names are there and the source is used up: that is what one transaction leaves."""
        quarantine = ctx.find(Quarantine)
        if quarantine is None:
            return Observation.ABSENT
        existing = ctx.database().sizes()
        done = quarantine.database in existing and quarantine.restored_from not in existing
        return Observation.DONE if done else Observation.ABSENT


def quarantine_name(live: str, run_id: str) -> str:
    """Name of the failed database of a run. At most 63 bytes."""
    return f"{live[:30]}__failed_{run_id.replace('-', '_')}"


def side_name(live: str, run_id: str) -> str:
    """Name under which a run restores a backup before it is swapped in. At most 63 bytes."""
    return f"{live[:30]}__restore_{run_id.replace('-', '_')}"


def _restore_beside(ctx: StateContext[Options], database: Database, live: str) -> str:
    receipt, name = ctx.require(Receipt), side_name(live, ctx.run_id)
    proof = ctx.world.backups.prove(receipt.path, report=ctx.report, deadline=ctx.deadline)
    if proof.sha256 != receipt.sha256:
        raise DatabaseError(
            "restore.backup_changed",
            f"The backup {receipt.path} is not the file that was proven.",
            meaning="The failed database was left as it is.",
            hint="Find the proven file by its SHA-256 in `orchestrator show`, or choose another backup by hand.",
        )
    database.drop(name)  # a half-restored one of this very run
    database.restore(ctx.world.backups.read(receipt.path), name, like=live, deadline=ctx.deadline)
    found = database.rows(name, deadline=ctx.deadline)
    if found != receipt.rows:
        different = sorted(t for t in {*found, *receipt.rows} if found.get(t) != receipt.rows.get(t))
        raise DatabaseError(
            "restore.rows_differ",
            f"The restored database does not hold what the backup's receipt says: {', '.join(different[:5])}.",
            meaning=f"It was left beside the live one as {name}; the failed database was left as it is.",
            hint="Compare both by hand before choosing one.",
        )
    return name
