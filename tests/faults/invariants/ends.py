"""Check the end of a run: reached, true, lasting, and with nothing of ours left but the named parts."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from orchestrator.core.facts import Current, FrozenProject, TargetRelease
from orchestrator.core.ledger import ArtifactKind
from orchestrator.core.model.verdict import EXIT_CODES, Verdict
from orchestrator.journal.history import JournalHistory
from orchestrator.journal.journal import Journal
from tests.faults.invariants.evidence import Evidence, Things
from tests.tools.moments import observe
from tests.tools.script import Script
from tests.tools.world import FakeWorld

EFFECTS_AT_MOST = 2000  # what is asked for again and again until a deadline counts each time
PROCESSES_AT_MOST = 8
_A_WHILE_S = 120.0
_FILES = frozenset({"plan.yaml", "env", "compose.template.json"})


def x9_converges(case: Evidence) -> Iterator[str]:
    """Within bounded steps there is an end, and a process after it changes nothing."""
    if case.run.verdict is None:
        yield "it has no end"
    done: dict[int, int] = {}
    for step in case.steps:
        if step.point.touch == "effect" and step.point.side == "before":
            done[step.process] = done.get(step.process, 0) + 1
            if step.process > case.ended_in and step.point.call != "journal.open":
                yield f"{step.point.name} came behind the end"
    yield from (f"process {number} did {count} things" for number, count in done.items() if count > EFFECTS_AT_MOST)
    if len(done) > PROCESSES_AT_MOST:
        yield f"it took {len(done)} processes"


def x12_ours_only(case: Evidence) -> Iterator[str]:
    """What was made, changed or taken away is named in the plan or bears the name of this run."""
    before, after, suffix = case.before, Things.of(case.world), case.run.id.replace("-", "_")
    ours = {case.world.live}
    for name in before.databases.keys() | after.databases.keys():
        if name not in ours and suffix not in name and before.databases.get(name) != after.databases.get(name):
            yield f"database {name} is not ours and was touched"
    tags = {f"{case.plan.target.image}:{target.pin.tag}" for target in [case.find(TargetRelease)] if target}
    for name in before.image_names ^ after.image_names:
        if case.run.id not in name and name not in tags:
            yield f"image name {name} is not ours and was touched"
    for service in before.containers.keys() | after.containers.keys():
        if service not in case.plan.target.services and before.containers.get(service) != after.containers.get(service):
            yield f"container {service} is not ours and was touched"
    for job in before.jobs.keys() | after.jobs.keys():
        if case.run.id not in job and before.jobs.get(job) != after.jobs.get(job):
            yield f"container {job} is not ours and was touched"
    yield from (f"file {path} was taken away" for path in before.files - after.files)
    yield from (f"stage of {run} was taken away" for run in before.stages - after.stages)


def x13_honest_end(case: Evidence) -> Iterator[str]:
    """Exit code, report, journal and world say the same, and what is called good was seen after the last effect."""
    verdict = case.run.verdict
    if verdict is None:
        return
    if case.exit_code != EXIT_CODES[verdict] or case.run.exit_code != case.exit_code:
        yield f"it ended with {case.exit_code}, journaled {case.run.exit_code}, for {verdict}"
    end = case.run.end_state or ""
    if end in case.plan.ends and case.plan.ends[end] is not verdict:
        yield f"{end} is not {verdict}"
    if case.report.run != case.run:
        yield "the report tells of another end than the journal"
    if case.document and (case.document["verdict"], case.document["exit_code"]) != (verdict.value, case.exit_code):
        yield f"it printed {case.document['verdict']}"
    yield from _find_false_end(case, verdict)
    if verdict is Verdict.COMMITTED and case.steps:
        yield from _find_unseen(case)


def x14_rollback_is_durable(case: Evidence) -> Iterator[str]:
    """Gone back, a reboot brings the old version up again, and the same release is not tried by itself."""
    if case.run.verdict is not Verdict.ROLLED_BACK:
        return
    alone = replace(case.world, script=Script(), stages={})  # what a test had planned for it is over
    world: FakeWorld = pickle.loads(pickle.dumps(alone))  # noqa: S301 - our own, a moment old
    world.reboot()
    world.clock.advance(_A_WHILE_S)
    current, target, project = case.find(Current), case.find(TargetRelease), case.find(FrozenProject)
    serving = world.serving()
    if current is not None and (serving is None or serving.version != current.version):
        yield f"after a reboot {serving.version if serving else 'nothing'} serves"
    if project is not None and world.pin.partition("@")[0] != project.pin_text.partition("@")[0]:
        yield f"the project is pinned to {world.pin}"
    failure = case.report.failure
    of_release = failure is None or failure.of_release
    if target is not None and of_release is not _is_refused(case, target):
        word = "would be tried again by itself" if of_release else "is blamed for what is not its own"
        yield f"{target.release.version} {word}: {failure}"


def x15_nothing_left(case: Evidence) -> Iterator[str]:
    """At an end nothing of this run works or lies about but what the report names for its operator."""
    world, suffix = case.world, case.run.id.replace("-", "_")
    told = " ".join(case.report.next_steps)
    yield from (
        f"container {job.name} works" for job in world.jobs.values() if _is_of(case, job.run_id) and job.running
    )
    if case.run.id in world.stages and "could not be removed" not in case.run.reason:
        yield "its stage is there"
    if world.databases[world.live].fenced and (case.safe or "ALLOW_CONNECTIONS" not in told):
        yield "the database is closed"
    named = {case.report.snapshot, *case.report.quarantine}
    for name in world.databases:
        if suffix in name and name not in named and name not in told:
            yield f"database {name} is there, and no report names it"
    if case.safe:
        yield from _find_litter(case)
    yield from _find_files(case)
    if not _is_free(case):
        yield "the lock is held"


def _find_false_end(case: Evidence, verdict: Verdict) -> Iterator[str]:
    current, target, project = case.find(Current), case.find(TargetRelease), case.find(FrozenProject)
    serving = {one.version for one in case.end.app if one.reached and one.healthy}
    if (
        verdict is Verdict.COMMITTED
        and target
        and (serving, case.end.pin) != ({target.release.version}, str(target.pin))
    ):
        yield f"committed, but {serving} serve at pin {case.end.pin}"
    if verdict in (Verdict.ROLLED_BACK, Verdict.REFUSED) and current and serving != {current.version}:
        yield f"{verdict}, but {serving} serve"
    if verdict is Verdict.REFUSED and _stopped(case):
        yield "refused, but the app was stopped"
    if project and verdict is Verdict.REFUSED and case.end.pin != project.pin_text:
        yield f"refused, but the pin is {case.end.pin}"
    if verdict in (Verdict.COMMITTED, Verdict.ROLLED_BACK) and not _is_restarted_by_itself(case):
        yield "the app would not come back after a reboot"


def _stopped(case: Evidence) -> bool:
    now = Things.of(case.world).containers
    return any(now.get(name) != case.before.containers.get(name) for name in case.plan.target.services)


def _is_restarted_by_itself(case: Evidence) -> bool:
    return all(one.restart_policy == case.world.restart_policy for one in case.end.app)


def _find_unseen(case: Evidence) -> Iterator[str]:
    calls = [step.point.call for step in case.steps if step.point.side == "after" and not step.point.failed]
    if "workloads.start_services" not in calls:
        yield "nothing was ever started"
        return
    last = len(calls) - 1 - calls[::-1].index("workloads.start_services")
    for look in ("workloads.inspect_services", "probe.get", "workloads.read_pin"):
        if look not in calls[last:]:
            yield f"{look} was not asked after the last start"


def _is_refused(case: Evidence, target: TargetRelease) -> bool:
    with closing(Journal.open(case.plan.journal_directory)) as journal:
        return JournalHistory(journal).find_failure(target.digest) is not None


def _is_of(case: Evidence, run_id: str) -> bool:
    return run_id == case.run.id


def _find_litter(case: Evidence) -> Iterator[str]:
    """What does no harm today, and would lie there for ever, since no list of ours has it."""
    reasons = " ".join(line.reason for line in case.report.states)
    for job in case.world.jobs.values():
        if _is_of(case, job.run_id) and job.name not in reasons:
            yield f"container {job.name} is there"
    known = {row.ref for row in case.ledger.find(ArtifactKind.IMAGE)}
    for name in observe(case.world).image_names:
        if case.run.id in name and name not in known:
            yield f"image name {name} is there, and no row has it"
    # One that is intended may be kept for a look where it could not be proven.
    files = {Path(row.ref) for row in case.ledger.find(ArtifactKind.BACKUP)}
    for path in Things.of(case.world).files - case.before.files - files:
        yield f"backup {path.name} is there, and no row has it"


def _find_files(case: Evidence) -> Iterator[str]:
    folder = case.plan.journal_directory / "runs" / case.run.id
    if folder.is_dir():
        yield from (
            f"file {path.name} is there"
            for path in folder.iterdir()
            if path.name not in _FILES and path.suffix != ".log"
        )


def _is_free(case: Evidence) -> bool:
    descriptor = os.open(case.plan.target.project / ".orchestrator" / "lock", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
