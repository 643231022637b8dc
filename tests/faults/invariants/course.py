"""Check the path of a run: a backup first, a way back at hand, no effect that the journal does not announce."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.core.facts import Committed, Current, FrozenProject, PulledImage, Rehearsal, TargetRelease
from orchestrator.core.ledger import Artifact, ArtifactState, Ledger
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.store_facts import BackupManifest, Snapshot
from orchestrator.journal.journal import Record
from tests.faults.failpoints.points import Point
from tests.faults.invariants.evidence import Evidence
from tests.tools.moments import Moment, Step

_STAGE = frozenset({"stages", "stage"})
_MAKING = frozenset({"backups.write", "database.copy", "database.restore", "database.swap", "images.keep"})

#: What a state of each kind may do to the world once it is prepared; a kind that is not here does nothing.
EFFECTS: Mapping[str, frozenset[str]] = {
    "pull": frozenset({"images.keep", "images.pull"}),
    "backup": frozenset({"backups.write", "backups.remove"}),
    "rehearse": frozenset({"stages.open", "stages.remove_all"}),
    "stop": frozenset(
        {
            "workloads.stop_services",
            "database.fence",
            "database.terminate_sessions",
            "database.copy",
            "database.drop",
            "backups.write",
            "backups.remove",
        }
    ),
    "migrate": frozenset(
        {
            "workloads.start_job",
            "workloads.stop_job",
            "workloads.save_job_log",
            "workloads.remove_job",
            "database.unfence",
            "database.fence",
            "database.terminate_sessions",
        }
    ),
    "start": frozenset({"workloads.write_pin", "workloads.start_services", "database.unfence"}),
    "commit": frozenset({"workloads.write_pin", "workloads.start_services"}),
    "cleanup": frozenset({"backups.remove", "database.drop", "images.forget", "workloads.forget_project"}),
    "restore": frozenset(
        {
            "workloads.end_jobs",
            "workloads.stop_services",
            "workloads.save_job_log",
            "workloads.remove_job",
            "database.fence",
            "database.terminate_sessions",
            "database.drop",
            "database.restore",
            "database.swap",
        }
    ),
    "rollback": frozenset(
        {"workloads.stop_services", "workloads.write_pin", "workloads.start_services", "database.unfence"}
    ),
}

#: What is done before any state is prepared: opening a run, and ending what a process left that was cut off.
OPENING = frozenset({"workloads.freeze"})
TAKING_UP = frozenset(
    {
        "workloads.end_jobs",
        "database.end_abandoned",
        "stages.remove_all",
        "backups.remove",
        "database.drop",
        "database.fence",
        "database.terminate_sessions",
        "workloads.save_job_log",
        "workloads.remove_job",
    }
)


def x5_backup_before_write(case: Evidence) -> Iterator[str]:
    """When the new version first writes, a proven backup is there, was restored once where the plan rehearses, and
    the snapshot holds all that users have saved.
    """
    found = _find_first_write(case)
    if found is None:
        return
    step, moment = found
    receipt, snapshot, rehearsal = case.find(BackupManifest), case.find(Snapshot), case.find(Rehearsal)
    known = case.known_after(BackupManifest)
    if receipt is None or known is None or known > step.records or receipt.sha256 not in moment.backups:
        yield f"at {step.point.name} there is no proven backup"
    rehearses = any(spec.kind == "rehearse" for spec in case.plan.states.values())
    if rehearses and (rehearsal is None or receipt is None or rehearsal.backup_sha256 != receipt.sha256):
        yield f"at {step.point.name} the backup was not restored once"
    if snapshot is None:
        yield f"at {step.point.name} there is no snapshot"
    elif snapshot.database is not None:
        held = moment.databases.get(snapshot.database)
        if held is None or held.missing:
            yield f"at {step.point.name} the snapshot lacks {sorted(held.missing) if held else 'everything'}"


def x6_way_back_is_local(case: Evidence) -> Iterator[str]:
    """From the snapshot to the pivot the old image, the backup, what was frozen and the old data are here, whole."""
    began = case.known_after(Snapshot)
    if began is None:
        return
    current, receipt, image = case.find(Current), case.find(BackupManifest), case.find(PulledImage)
    pivot = case.known_after(Committed) or len(case.records) + 1
    on_the_way = [(step, moment) for step, moment in case.moments if began <= step.records < pivot]
    stopped_with = on_the_way[0][1].acknowledged if on_the_way else 0
    for step, moment in on_the_way:
        where = step.point.name
        if current is not None and current.image_id not in moment.images:
            yield f"at {where} the old image is not here"
        if image is not None and image.kept_as not in moment.image_names and case.run.verdict is not None:
            yield f"at {where} the old image has lost the name that keeps it"
        if receipt is not None and receipt.sha256 not in moment.backups:
            yield f"at {where} the backup is not what was proven"
        if not _holds_old_data(case, moment, stopped_with):
            yield f"at {where} no database holds the old data"
    yield from _find_changed_files(case)


def x8_log_before_effect(case: Evidence) -> Iterator[str]:
    """Each effect was announced in the journal, and what the journal says is done was true when it said so."""
    for step in case.steps:
        point = step.point
        if point.touch == "effect" and point.side == "before" and not point.call.startswith("journal."):
            allowed = _allowed(case, step.records)
            if point.call not in allowed and not ("stages.open" in allowed and point.call.split(".")[0] in _STAGE):
                last = case.records[step.records - 1] if step.records else None
                yield f"{point.name} came behind {_tell(last)}"
            if point.call in _MAKING and not _names_intended(case, step.records) & set(point.arguments):
                yield f"{point.name} made {point.arguments}, which the ledger had not intended"
    for step, moment in case.moments:
        if step.point.call == "journal.left" and step.point.side == "before" and step.records < len(case.records):
            record = case.records[step.records]
            if record.record == "left" and record.state in step.point.arguments and record.payload["outcome"] == "done":
                yield from _find_untrue(case, record, moment)


def x11_same_inputs(case: Evidence) -> Iterator[str]:
    """Every effect acts on what was confirmed: target and old pin, the frozen files, the plan's own command."""
    current, project = case.find(Current), case.find(FrozenProject)
    targets = {
        str(record.payload["facts"]["target"]) for record in case.records if "target" in record.payload.get("facts", {})
    }
    if len(targets) > 1:
        yield "the target has changed during the run"
    if current is None or project is None:
        return
    target = case.find(TargetRelease)
    new = {str(target.pin)} if target else set()
    old = {project.pin_text, f"{project.pin_text.partition('@')[0]}@{current.digest}"}
    for step in case.steps:
        if step.point.side == "before":
            yield from _find_other_inputs(case, step.point, new, old, current.image_id)
    yield from _find_changed_files(case)


def _find_first_write(case: Evidence) -> tuple[Step, Moment] | None:
    target = case.find(TargetRelease)
    for step, moment in case.moments:
        call, starts = step.point.call, step.point.side == "before"
        new = target is not None and str(target.pin) in step.point.arguments
        if starts and (call == "workloads.start_job" or (call == "workloads.start_services" and new)):
            return step, moment
    return None


def _holds_old_data(case: Evidence, moment: Moment, acknowledged: int) -> bool:
    snapshot = case.find(Snapshot)
    if snapshot is not None and snapshot.database is None:
        return snapshot.backup is not None and snapshot.backup.sha256 in moment.backups
    old = case.find(Current)
    release = case.world.releases[old.version] if old else None
    return any(
        release is not None
        and held.schema == release.schema
        and not held.torn
        and not any(number < acknowledged for number in held.missing)
        for name, held in moment.databases.items()
        if snapshot is not None and name in (snapshot.source, snapshot.database)
    )


def _find_changed_files(case: Evidence) -> Iterator[str]:
    project, folder = case.find(FrozenProject), case.plan.journal_directory / "runs" / case.run.id
    if project is None:
        return
    if (folder / "plan.yaml").read_text(encoding="utf-8") != case.plan.text:
        yield "the plan in the run's folder is not what was confirmed"
    if hashlib.sha256(project.template.read_bytes()).hexdigest() != project.template_sha256:
        yield "the rendering in the run's folder is not what was frozen"


def _allowed(case: Evidence, records: int) -> frozenset[str]:
    if records == 0:
        return frozenset()
    last = case.records[records - 1]
    if last.record == "intended":
        return OPENING
    if last.record in ("resumed", "removed"):
        return TAKING_UP
    if last.record != "prepared":
        return frozenset()
    return EFFECTS.get(case.plan.states[last.state].kind, frozenset())


def _names_intended(case: Evidence, records: int) -> set[str]:
    told = (row for record in case.records[:records] for row in record.payload.get("ledger", ()))
    refs = Ledger().joined(map(Artifact.model_validate, told)).find(states=(ArtifactState.INTENDED,))
    return {name for row in refs for name in (row.ref, Path(row.ref).name)}


def _tell(record: Record | None) -> str:
    return f"{record.record} {record.state}" if record else "no record at all"


def _find_untrue(case: Evidence, record: Record, moment: Moment) -> Iterator[str]:
    kind, target, current = case.plan.states[record.state].kind, case.find(TargetRelease), case.find(Current)
    live = moment.held_live()
    running = {one.version for one in moment.app if one.running}
    new = target.release.version if target else ""
    old = current.version if current else ""
    schemas = {version: release.schema for version, release in case.world.releases.items()}
    snapshot = record.payload["facts"].get(Snapshot.fact, {}).get("database")
    true = {
        "pull": target is not None and case.world.releases[new].image_id in moment.images,
        "backup": record.payload["facts"].get(BackupManifest.fact, {}).get("sha256") in moment.backups,
        "stop": not running and live is not None and live.fenced and (not snapshot or snapshot in moment.databases),
        "migrate": live is not None and not live.torn and live.schema == schemas.get(new) and not moment.jobs,
        "start": running == {new},
        "health": running == {new} and all(one.healthy for one in moment.app),
        "commit": {one.version for one in moment.app if one.reached and one.healthy} == {new},
        "restore": live is not None and not live.torn and live.schema == schemas.get(old),
        "rollback": {one.version for one in moment.app if one.reached and one.healthy} == {old},
    }
    if not true.get(kind, True):
        yield f"{record.state} was recorded as done and was not"


def _find_other_inputs(case: Evidence, point: Point, new: set[str], old: set[str], image_id: str) -> Iterator[str]:
    told = set(point.arguments)
    expected = {
        "workloads.start_job": new,
        "stage.start_job": new,
        "images.pull": new,
        "workloads.write_pin": new | old,
        "workloads.start_services": new | old,
        "stage.start_services": new | old,
        "images.keep": {image_id},
    }
    if point.call in expected and not told & expected[point.call]:
        yield f"{point.name} was told {point.arguments}"
    if point.call.endswith("start_job") and not set(case.plan.target.migrate) <= told:
        yield f"{point.name} runs another command: {point.arguments}"
    if case.run.verdict is Verdict.UP_TO_DATE and point.call == "workloads.start_services":
        yield f"{point.name} though there was nothing to do"
