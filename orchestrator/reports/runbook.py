"""What an operator pastes into a shell to bring a version back by hand, from what a run has proven.

Each line may be pasted again: what is done already stays as it is. `docs/runbooks.md` lists the shapes that there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.core.facts import (
    BackupManifest,
    Committed,
    Current,
    Facts,
    Fence,
    FrozenProject,
    LostSnapshot,
    PulledImage,
    Quarantine,
    Replacement,
    RollbackDecision,
    Snapshot,
    StoppedServices,
    TargetRelease,
)
from orchestrator.core.owners import ADVICE, Owner
from orchestrator.journal.failures import Failure, find_failures
from orchestrator.journal.journal import Record
from orchestrator.reports.runbook_lines import KeptImage, Shell

# Kinds of states after which the database may be another one than the snapshot is of.
_WRITERS = frozenset({"migrate", "start", "reinstate"})
_CHANGES_APP = frozenset({*_WRITERS, "restore", "rollback", "commit"})
_NAME_AT_MOST = 30


def build_runbook(run_id: str, facts: Facts, records: Sequence[Record]) -> tuple[str, ...]:
    """Commands in their order, each a line for a shell: back to the old version, after the commit on with the new one.

    What is set aside keeps all that was written.
    """
    project, current, committed = facts.find(FrozenProject), facts.find(Current), facts.find(Committed)
    if project is None or current is None:
        return ("docker ps  # nothing was changed yet; this shows what runs",)
    shell = Shell(project, facts.find(Fence), run_id)
    if committed is not None:
        return _build_way_forward(shell, committed, facts, records)
    if not _may_have_changed(facts, records):
        return (shell.compose("ps"),)
    return (
        *_build_advice(records),
        shell.compose("stop", *project.services),
        shell.end_jobs(),
        *_build_data_steps(shell, run_id, facts, records),
        *shell.reopen(),
        *shell.pin(project.pin_text),
        *(line for image in _find_old_images(facts, project, current) for line in shell.hold(image)),
        shell.up(),
        shell.compose("ps"),
    )


# Users may have written into the new version: what leads back from here would lose that.
def _build_way_forward(shell: Shell, committed: Committed, facts: Facts, records: Sequence[Record]) -> tuple[str, ...]:
    return (
        f"# version {committed.version} is committed and stays: nothing was taken back",
        *_build_advice(records),
        *shell.reopen(),
        *shell.pin(committed.pin),
        *(line for image in _find_new_images(facts, committed) for line in shell.hold(image)),
        shell.up(),
        shell.compose("ps"),
        shell.compose("logs", "--tail", "20", *shell.project.services),
    )


# The state that could not go on is the last one, and what stood in its way has to go before the lines can work.
def _build_advice(records: Sequence[Record]) -> tuple[str, ...]:
    failures = find_failures(records)
    if not failures or failures[-1].owner in (None, Owner.RELEASE):
        return ()
    return (f"# first {_advise(failures[-1])}",)


def _advise(failure: Failure) -> str:
    advice, _, _ = ADVICE[failure.owner or Owner.RELEASE].partition(", then run")
    return f"{advice}: {failure.state} stopped at {failure.code}".replace("(", "- ").replace(")", "")


def _build_data_steps(shell: Shell, run_id: str, facts: Facts, records: Sequence[Record]) -> tuple[str, ...]:
    """The data as it was when the app stopped, where something may have been written to it since."""
    if not _has_entered(records, _WRITERS, "database"):
        return ()
    snapshot, way, named = facts.find(Snapshot), facts.find(RollbackDecision), run_id.replace("-", "_")
    if facts.find(Replacement) is not None:
        # What was live goes back to its name, if it has lost it: it is itself, not a copy.
        if snapshot is None or snapshot.database is None:
            return ()
        aside = f"{snapshot.source[:_NAME_AT_MOST]}__aside_{named}"
        return shell.swap(snapshot.source, snapshot.database, aside, back_to=snapshot.mark.database)
    if facts.find(Quarantine) is not None or (way is not None and way.decision != "swap"):
        return ()
    return _build_swap(shell, named, facts)


def _build_swap(shell: Shell, named: str, facts: Facts) -> tuple[str, ...]:
    snapshot, fence, receipt = facts.find(Snapshot), facts.find(Fence), facts.find(BackupManifest)
    live = snapshot.source if snapshot else fence.database if fence else receipt.database if receipt else ""
    mark = snapshot.mark if snapshot else fence.mark if fence else None
    aside, side = f"{live[:_NAME_AT_MOST]}__aside_{named}", f"{live[:_NAME_AT_MOST]}__restore_{named}"
    lost = facts.find(LostSnapshot)
    unless = mark.database if mark else None
    if lost is None and snapshot is not None and snapshot.database is not None:
        return shell.swap(live, snapshot.database, aside, away_from=unless)
    if not live or fence is None:
        return ()  # nobody has stopped the app
    loading = _build_load_steps(shell, facts, lost, side)
    return (*loading, *shell.swap(live, side, aside, away_from=unless)) if loading else ()


def _build_load_steps(shell: Shell, facts: Facts, lost: LostSnapshot | None, side: str) -> tuple[str, ...]:
    snapshot = facts.find(Snapshot)
    own = snapshot.backup if snapshot and snapshot.backup else facts.find(BackupManifest)
    whole = lost.receipt if lost else own
    if whole is None and own is not None:
        told = f"# no backup on this host reads back whole: put {own.path} back from a copy of yours before you go on"
        return (told, *shell.load(own, side))
    if whole is None:
        return ()
    told = f"# {whole.path} is of {whole.taken_at:%Y-%m-%d %H:%M} UTC- what was written since is in what is set aside"
    return (told, *shell.load(whole, side))


def _find_old_images(facts: Facts, project: FrozenProject, current: Current) -> tuple[KeptImage, ...]:
    """What ran, under the name by which the project asks for it; images that are another one each."""
    target = facts.find(TargetRelease)
    if target is None:
        return ()
    repository = target.repository
    ran = {one.image_id: one.digests for one in current.services} or {current.image_id: ()}
    if len(ran) > 1:
        return ()  # names of several images are not one variable's to give
    (image_id,) = ran
    return (KeptImage(repository, project.pin_text, image_id, current.digest),)


def _find_new_images(facts: Facts, committed: Committed) -> tuple[KeptImage, ...]:
    target, pulled = facts.find(TargetRelease), facts.find(PulledImage)
    if target is None or pulled is None:
        return ()
    return (KeptImage(target.repository, committed.pin, pulled.image_id, target.digest),)


def _may_have_changed(facts: Facts, records: Sequence[Record]) -> bool:
    if facts.find(StoppedServices) is not None:
        return True
    return _has_entered(records, _CHANGES_APP, "app", "database")


def _has_entered(records: Sequence[Record], kinds: frozenset[str], *changes: str) -> bool:
    """Whether a state of these kinds was entered, or a step of the operator's own that may change this much."""
    entered = [one.payload for one in records if one.record == "entered"]
    return any(payload["kind"] in kinds or payload.get("changes") in changes for payload in entered)
