"""backup: a dump of the live database that was read back in full before anybody relies on it."""

from pathlib import Path

from orchestrator.core.facts import Current, Learned
from orchestrator.core.kind_model import Capability, Effects, PlanTraits
from orchestrator.core.ledger import Artifact, ArtifactKind
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from orchestrator.core.store_facts import BackupManifest
from states.shared.artifacts import intend, require_intended
from states.shared.backup_proof import choose_backup, dump_and_prove
from states.shared.retry import retry_while_unreachable


class Backup(StateKind[Options]):
    """Dumps while the app serves; the file appears under its name only when it is whole."""

    kind = "backup"
    summary = "Dump the database into the backup folder and read the file back in full."
    scope = EffectScope.FILES
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 3600.0
    provides = (BackupManifest,)
    needs_database = True

    @classmethod
    def effects(cls, options: Options, traits: PlanTraits) -> Effects:
        """A backup of what the app has saved so far."""
        return Effects(needs=(Capability.CURRENT,), ensures=Capability.BACKUP)

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """Where the file goes."""
        folder = ctx.ports.backups.inspect_folder()
        return (f"dump the database into {folder.path}, then read the file back",)

    def prepare(self, ctx: StateContext[Options]) -> tuple[Artifact, ...]:
        """Return the rows of the files, one a store."""
        version = ctx.require(Current).version
        paths = ((store, choose_backup(ctx, store, version=version)) for store in ctx.stores)
        return tuple(intend(ctx, ArtifactKind.BACKUP, str(path), store) for store, path in paths)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Dump, then prove the files; a file that exists is no backup."""
        learned: list[Learned] = []
        for store in ctx.stores:
            learned += _back_up(ctx, store)
        return Result("done", tuple(learned))

    def observe(self, ctx: StateContext[Options]) -> Observation:
        """The proof in ``perform`` is the observation: it has read each durable file from first byte to last."""
        proven = all(ctx.find(BackupManifest, store.name) for store in ctx.stores)
        return Observation.DONE if proven else Observation.ABSENT


def _back_up(ctx: StateContext[Options], store: DataStore) -> tuple[BackupManifest, Artifact]:
    version, row = ctx.require(Current).version, require_intended(ctx, ArtifactKind.BACKUP, store)
    name = Path(row.ref).name
    receipt = retry_while_unreachable(ctx, lambda: dump_and_prove(ctx, store, name=name, version=version))
    return receipt, row.whole()
