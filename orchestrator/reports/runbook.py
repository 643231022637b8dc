"""Decides from the facts of a run which version has to serve on which data, where an operator brings it up by hand.

The commands are those of the adapters (`orchestrator/core/ports/recovery.py`). Each line may be pasted again: a step
that was done stays as it is. `docs/runbooks.md` lists the shapes of runbooks.
"""

from collections.abc import Sequence

from orchestrator.core.facts import (
    Committed,
    Current,
    Facts,
    FrozenProject,
    PulledImage,
    StoppedServices,
    TargetRelease,
)
from orchestrator.core.owners import ADVICE, Owner
from orchestrator.core.ports.recovery import Exchange, Goal, Recovery, Reload, Situation, StoreSituation, WantedImage
from orchestrator.core.store_facts import (
    BackupManifest,
    Fence,
    LostSnapshot,
    OtherData,
    Quarantine,
    RollbackDecision,
    Snapshot,
)
from orchestrator.journal.failures import Failure, find_failures
from orchestrator.journal.journal import Record

# Kinds of states after which the live data may be others than the snapshot is of.
_WRITERS = frozenset({"migrate", "start", "swap_in", "reinstate"})
_CHANGES_APP = frozenset({*_WRITERS, "restore", "rollback", "commit"})


def build_runbook(run_id: str, facts: Facts, records: Sequence[Record], recovery: Recovery) -> tuple[str, ...]:
    """Build the lines in their order: back to the old version, after the commit forward to the new one.

    The data that are set aside keep all that was written.
    """
    situation = find_situation(run_id, facts, records)
    told = _build_remarks(situation.goal, facts, records)
    return (*told, *(command.line for command in recovery.commands(situation)))


def find_situation(run_id: str, facts: Facts, records: Sequence[Record]) -> Situation:
    """Find the situation of a run: which version has to serve, with which images, on which data."""
    app, current, committed = facts.find(FrozenProject), facts.find(Current), facts.find(Committed)
    if app is None or current is None:
        return Situation(run_id, Goal.LOOK)
    fences = {fence.store: fence for fence in facts.find_all(Fence)}
    if committed is not None:
        images = _find_new_images(facts, committed)
        locked = tuple(StoreSituation(store, fence) for store, fence in fences.items())
        return Situation(run_id, Goal.FORWARD, app, committed.pin, images, locked)
    if not _may_have_changed(facts, records):
        return Situation(run_id, Goal.LOOK, app)
    names = dict.fromkeys((*fences, *(one.store for one in facts.find_all(Snapshot))))
    stores = (StoreSituation(name, fences.get(name), _find_data(facts, records, name)) for name in names)
    return Situation(run_id, Goal.BACK, app, app.pin_text, _find_old_images(facts, app, current), tuple(stores))


def _build_remarks(goal: Goal, facts: Facts, records: Sequence[Record]) -> tuple[str, ...]:
    committed = facts.find(Committed)
    if goal is Goal.LOOK:
        return ()
    if committed is None:
        return _build_advice(records)
    # Users may have written into the new version: a way back from here would lose that.
    stays = f"# version {committed.version} is committed and stays: nothing was taken back"
    return (stays, *_build_advice(records))


# The state that could not go on is the last one; the lines work only once the cause of its failure is removed.
def _build_advice(records: Sequence[Record]) -> tuple[str, ...]:
    failures = find_failures(records)
    if not failures or failures[-1].owner in (None, Owner.RELEASE):
        return ()
    return (f"# first {_advise(failures[-1])}",)


def _advise(failure: Failure) -> str:
    advice, _, _ = ADVICE[failure.owner or Owner.RELEASE].partition(", then run")
    return f"{advice}: {failure.state} stopped at {failure.code}".replace("(", "- ").replace(")", "")


def _find_data(facts: Facts, records: Sequence[Record], store: str) -> Exchange | Reload | None:
    """Find the data as they were when the app stopped; None where nothing can have been written to them since."""
    if not _has_entered(records, _WRITERS, "database"):
        return None
    snapshot, way = facts.find(Snapshot, store), facts.find(RollbackDecision, store)
    if facts.find(OtherData, store) is not None:
        # The data that were live go back to their name, if they have lost it: the original, not a copy.
        if snapshot is None or snapshot.database is None:
            return None
        return Exchange(snapshot.source, snapshot.database, snapshot.mark, original=True)
    if facts.find(Quarantine, store) is not None or (way is not None and way.decision != "swap"):
        return None
    if snapshot is not None and snapshot.database is not None and facts.find(LostSnapshot, store) is None:
        return Exchange(snapshot.source, snapshot.database, snapshot.mark)
    return _find_reload(facts, snapshot, store)


def _find_reload(facts: Facts, snapshot: Snapshot | None, store: str) -> Reload | None:
    fence, lost = facts.find(Fence, store), facts.find(LostSnapshot, store)
    backup = facts.find(BackupManifest, store)
    live = snapshot.source if snapshot else fence.database if fence else ""
    if not live or fence is None:
        return None  # the app was not stopped
    own = snapshot.backup if snapshot and snapshot.backup else backup
    token = snapshot.mark if snapshot else fence.mark
    whole = lost.receipt if lost else own
    if whole is not None:
        taken = f"{whole.path} is of {whole.taken_at:%Y-%m-%d %H:%M} UTC"
        return Reload(live, whole, f"{taken}- what was written since is in what is set aside", token)
    if own is not None:
        told = f"no backup on this host reads back whole: put {own.path} back from a copy of yours before you go on"
        return Reload(live, own, told, token)
    return None


def _find_old_images(facts: Facts, project: FrozenProject, current: Current) -> tuple[WantedImage, ...]:
    """Find the image that ran, with the name by which the app asks for it; none where the services ran several."""
    target = facts.find(TargetRelease)
    if target is None:
        return ()
    repository = target.repository
    ran = {one.image_id: one.digests for one in current.services} or {current.image_id: ()}
    if len(ran) > 1:
        return ()  # names of several images are not one variable's to give
    (image_id,) = ran
    return (WantedImage(repository, project.pin_text, image_id, current.digest),)


def _find_new_images(facts: Facts, committed: Committed) -> tuple[WantedImage, ...]:
    target, pulled = facts.find(TargetRelease), facts.find(PulledImage)
    if target is None or pulled is None:
        return ()
    return (WantedImage(target.repository, committed.pin, pulled.image_id, target.digest),)


def _may_have_changed(facts: Facts, records: Sequence[Record]) -> bool:
    if facts.find(StoppedServices) is not None:
        return True
    return _has_entered(records, _CHANGES_APP, "app", "database")


def _has_entered(records: Sequence[Record], kinds: frozenset[str], *changes: str) -> bool:
    """Whether a state of these kinds was entered, or a command of the operator's own that may change this much."""
    entered = [one.payload for one in records if one.record == "entered"]
    return any(payload["kind"] in kinds or payload.get("changes") in changes for payload in entered)
