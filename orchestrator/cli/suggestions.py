"""What a shell completes besides names: plans, runs, versions and backups. Reads files of this host, asks nobody.

Whatever goes wrong, nothing is suggested: a line that is being typed is no place for an error.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from orchestrator.journal.journal import Journal, Run
    from orchestrator.plan.schema import Plan

_BEGINNING = 4096
_IS_PLAN = re.compile(rb"^plan:\s*\d", re.MULTILINE)
_MOST = 50

Found = Iterator[tuple[str, str]]
Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def quietly(find: Callable[[Path | None, str], Found]) -> Completer:
    """A function for ``shell_complete`` from one that yields (value, help); where it fails, shells offer files."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        try:
            found = [
                CompletionItem(value, help=text)
                for value, text in find(context.params.get("plan") or _find_typed_plan(), incomplete)
                if value.startswith(incomplete)
            ]
        except Exception:  # noqa: BLE001 (a boundary: see the head of the module)
            found = []
        is_path = isinstance(parameter.type, click.Path)
        return found or ([CompletionItem(incomplete, type="file")] if is_path else [])

    return complete


# Behind an option that waits for its value, click has not looked at the arguments yet.
def _find_typed_plan() -> Path | None:
    words = os.environ.get("COMP_WORDS", "").split()
    return next((Path(word) for word in words if word.endswith((".yaml", ".yml"))), None)


def find_plans(_plan: Path | None, incomplete: str) -> Found:
    """Files that begin as plans do, here and one folder below what is typed."""
    begun = glob.escape(incomplete)
    for pattern in (f"{begun}*.yaml", f"{begun}*.yml", f"{begun}*/*.yaml", f"{begun}*/*.yml"):
        for name in sorted(glob.glob(pattern))[:_MOST]:  # noqa: PTH207 (what is typed is kept as it is typed)
            if os.path.isfile(name) and _is_plan(Path(name)):  # noqa: PTH113 (as above)
                yield name, ""


def find_runs(plan: Path | None, _incomplete: str) -> Found:
    """Runs of the plan that is named, or is where one is looked for; newest first, with how they ended."""
    for run, _ in _read_runs(_read_plan(plan)):
        yield run.id, run.verdict.value.replace("_", " ") if run.verdict else "unfinished"


def find_versions(plan: Path | None, _incomplete: str) -> Found:
    """Versions that a file of releases has, and those that earlier runs went between."""
    from orchestrator.adapters.releases.file import FileFeed
    from orchestrator.core.errors import ReleaseError
    from orchestrator.core.facts import Current, TargetRelease

    found = _read_plan(plan)
    known: dict[str, str] = {}
    if found.releases.path is not None:
        with suppress(ReleaseError):
            known |= {release.version: "announced" for release in FileFeed(found.releases.path).list_releases()}
    for run, journal in _read_runs(found):
        facts = journal.facts(run.id)
        current, target = facts.find(Current), facts.find(TargetRelease)
        versions = [*([target.release.version] if target else []), *([current.version] if current else [])]
        for version in versions:
            known.setdefault(version, f"in run {run.id}")
    yield from known.items()


def find_backups(plan: Path | None, _incomplete: str) -> Found:
    """Files in the plan's backup folder, newest first."""
    folder = _read_plan(plan).backups.directory
    for path in sorted(folder.glob("*.sql.gz"), reverse=True)[:_MOST]:
        yield str(path), f"{path.stat().st_size / 1024**2:.1f} MiB"


def _is_plan(path: Path) -> bool:
    from orchestrator.core.files import read_beginning

    return _IS_PLAN.search(read_beginning(path, _BEGINNING)) is not None


# By the loader and without the adapters, which cost half a second that somebody waits for.
def _read_plan(plan: Path | None) -> Plan:
    from orchestrator.cli.plan_path import find_plan
    from orchestrator.journal.file_permissions import admit_plan
    from orchestrator.plan.load import load_plan
    from states.registry import KINDS

    path = find_plan(plan)
    admit_plan(path)
    return load_plan(path, KINDS)


def _read_runs(plan: Plan) -> Iterator[tuple[Run, Journal]]:
    from orchestrator.journal.journal import Journal

    journal = Journal.open_existing(plan.journal_directory)
    if journal is not None:
        with closing(journal):
            yield from ((run, journal) for run in journal.runs()[:_MOST])
