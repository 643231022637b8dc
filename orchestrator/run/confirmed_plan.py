"""The plan of a run as it was confirmed: found by the journal that names the plan, and read from the run's own copy."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import JournalError, PlanError
from orchestrator.core.facts import Facts, FrozenProject
from orchestrator.core.files import read_file
from orchestrator.core.ports.recovery import Recovery
from orchestrator.core.state_kind import Kinds
from orchestrator.core.trust import TRUST
from orchestrator.journal.file_permissions import STATE_FOLDER
from orchestrator.journal.journal import Journal, Record, Run
from orchestrator.plan.load import parse_plan
from orchestrator.plan.operations import derive_again
from orchestrator.plan.schema import Plan
from orchestrator.redaction.redactor import Redactor
from orchestrator.reports.support import SupportFile, write_support
from orchestrator.run.past_runs import no_such_run, read_run


@dataclass(frozen=True)
class RunReader:
    """How plans and the copies of runs are read; the callables know the platform.

    ``read_plan`` reads a plan file. ``find_changed`` names a file in a run's folder that is not as the run has frozen
    it, ``resolve`` fills the variables of a plan from that folder, and ``learn_run`` learns the secrets of the run.
    """

    kinds: Kinds
    read_plan: Callable[[Path], Plan]
    find_changed: Callable[[Plan, Path, FrozenProject], Path | None]
    resolve: Callable[[Plan, Path], Plan]
    learn_run: Callable[[Path, Facts], None]


@dataclass(frozen=True)
class UnfinishedRun:
    """A run without an end: its plan as it was confirmed, and the journal, open and verified, to go on writing."""

    plan: Plan
    journal: Journal


def find_unfinished(path: Path, reader: RunReader) -> UnfinishedRun | None:
    """Return the unfinished run that was begun with the plan at ``path``, whatever is in that file now.

    Raises:
        JournalError: the run's own copy of its plan or its environment is not the one that it began with.
    """
    own = None
    with suppress(PlanError):  # edited or broken since, it may lead elsewhere or nowhere
        own = reader.read_plan(path).journal_directory
    for folder in dict.fromkeys([*_look_beside(path), *([own] if own else [])]):
        journal = Journal.open_existing(folder)
        if journal is None:
            continue
        with ExitStack() as stack:
            stack.enter_context(closing(journal))
            run = journal.find_unfinished()
            if run is None or not (folder == own or run.plan_source == str(path.absolute())):
                continue
            if (folder / "runs" / run.id / "plan.yaml").is_file():
                plan = _read_confirmed(folder / "runs" / run.id, run, journal, reader)
                stack.pop_all()
                return UnfinishedRun(plan, journal)
    return None


def read_plan_of_run(plan: Plan, run_id: str, kinds: Kinds) -> tuple[Plan, Run, tuple[Record, ...]]:
    """Return the machine that a run of the plan's project went through, the run and its records.

    Raises:
        UsageError: ``usage.no_journal``, ``usage.no_such_run``. JournalError: the run's copy of its plan has changed.
    """
    run, records = read_run(plan, run_id)
    copy = plan.journal_directory / "runs" / run.id / "plan.yaml"
    content = read_file(copy, follow=False) if copy.is_file() else plan.text.encode()
    return _derive(_parse(content, copy, run, kinds), run, records, kinds), run, records


def pack_support(
    path: Path, run_id: str, output: Path, reader: RunReader, mask: Redactor, recovery: Recovery
) -> SupportFile:
    """Pack a run of the plan at ``path`` into a new file; neither engine nor app nor a plan that can be read is needed.

    Raises:
        PlanError: the plan cannot be read, and the run is in no journal that lies beside it.
        UsageError: there is no such run, or as `orchestrator.reports.support.write_support`.
    """
    unreadable: PlanError | None = None
    try:
        folders = [reader.read_plan(path).journal_directory]
    except PlanError as error:
        unreadable, folders = error, _look_beside(path)
    for folder in folders:
        journal = Journal.open_existing(folder)
        if journal is None:
            continue
        with closing(journal):
            run = journal.find_run(run_id)
            if run is not None:
                reader.learn_run(folder / "runs" / run.id, journal.facts(run.id))
                return write_support(journal, run, mask, recovery, output)
    raise unreadable or no_such_run(run_id, folders[0] if folders else path.absolute().parent / STATE_FOLDER)


def _look_beside(path: Path) -> list[Path]:
    found = [parent / STATE_FOLDER for parent in path.absolute().parents[:2]]
    return [folder for folder in found if TRUST.find_distrust(folder, folder=True) is None]


def _read_confirmed(folder: Path, run: Run, journal: Journal, reader: RunReader) -> Plan:
    facts = journal.facts(run.id)
    plan = _parse(read_file(folder / "plan.yaml", follow=False), folder / "plan.yaml", run, reader.kinds)
    project = facts.find(FrozenProject)
    changed = reader.find_changed(plan, folder, project) if project is not None else None
    if changed is not None:
        raise _copy_changed(changed, run)
    reader.learn_run(folder, facts)
    return _derive(reader.resolve(plan, folder), run, journal.records(run.id), reader.kinds)


def _parse(content: bytes, copy: Path, run: Run, kinds: Kinds) -> Plan:
    if hashlib.sha256(content).hexdigest() != run.plan_sha256:
        raise _copy_changed(copy, run)
    return parse_plan(content.decode(), Path(run.plan_source), kinds)


def _derive(plan: Plan, run: Run, records: tuple[Record, ...], kinds: Kinds) -> Plan:
    return derive_again(plan, kinds, run.request, {record.state for record in records})


def _copy_changed(path: Path, run: Run) -> JournalError:
    return JournalError(
        "journal.copy_changed",
        f"{path} is not what run {run.id} was begun with.",
        impact="Nothing was touched.",
        hint=f"Put it back from a copy, or bring the app up by hand and then `orchestrator close {run.id}`.",
    )
