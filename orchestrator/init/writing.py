"""Carry out a proposal: all of it, or nothing."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from orchestrator.adapters.compose.rendering import Json, find_differing, parse_rendering, read_object, read_services
from orchestrator.core.atomic_write import write_atomically
from orchestrator.core.errors import UsageError
from orchestrator.core.files import read_file
from orchestrator.init.interview import refusal
from orchestrator.init.plan_text import SCHEMA_FILE
from orchestrator.init.proposal import Change, Proposal

_FOLDER_MODE = 0o700
_FILE_MODE = 0o644


def require_new(plan: Path) -> None:
    """Refuse to write over a plan. Raises `UsageError`: ``usage.plan_exists``, ``usage.no_folder``."""
    if os.path.lexists(plan):
        raise refusal(
            "usage.plan_exists",
            f"{plan} is there already.",
            hint="Name another file with --output, or move this one away.",
        )
    if not plan.parent.is_dir():
        raise refusal(
            "usage.no_folder",
            f"There is no folder {plan.parent} for the plan.",
            hint="Make it, or name another file with --output.",
        )


def write(proposal: Proposal, schema: str, render: Callable[[], str]) -> None:
    """Edit the project's files, and create the backup folder, the schema and the plan.

    ``render`` asks Compose for the project: but for the image's tag, the edited project must render as before.

    Raises:
        UsageError: ``usage.edited_meanwhile``, ``usage.not_written``, ``usage.other_project``; nothing has changed.
        PlatformError: from ``render``; nothing has changed.
    """
    require_new(proposal.plan.path)
    _refuse_edited(proposal)
    with ExitStack() as undo:
        try:
            before = render()
            for change in proposal.changes:
                _replace(change, undo)
            _refuse_other(before, render(), proposal)
            _make_folder(proposal.folder, undo)
            _create(proposal.plan.path.with_name(SCHEMA_FILE), schema, undo, keep=True)
            _create(proposal.plan.path, proposal.plan.after, undo)
        except OSError as error:
            raise UsageError(
                "usage.not_written",
                f"{error.filename or 'A file'} cannot be written: {error.strerror}.",
                impact="All is as it was.",
                hint="Run as the user who owns the project's folder, or make room.",
            ) from error
        undo.pop_all()


def _refuse_edited(proposal: Proposal) -> None:
    for change in proposal.changes:
        present = read_file(change.path).decode("utf-8", "replace") if change.path.exists() else None
        if present != change.before:
            raise refusal(
                "usage.edited_meanwhile",
                f"{change.path} was edited since it was read.",
                hint="Run `orchestrator init` again.",
            )


def _replace(change: Change, undo: ExitStack) -> None:
    if change.before is None:
        undo.callback(change.path.unlink, missing_ok=True)
    else:
        undo.callback(write_atomically, change.path, change.before.encode())
    write_atomically(change.path, change.after.encode())


def _refuse_other(before: str, after: str, proposal: Proposal) -> None:
    places = find_differing(_shape(before, proposal), _shape(after, proposal)) if proposal.changes else ()
    if places:
        raise UsageError(
            "usage.other_project",
            f"With these changes Compose would read another project than before: it differs in {', '.join(places)}.",
            impact="All is as it was.",
            hint=f"Name a variable that nothing else uses with --variable, or let the compose file say `image:"
            f" {proposal.image}:${{{proposal.variable}}}` by hand, and run `orchestrator init` again.",
        )


def _shape(rendering: str, proposal: Proposal) -> Json:
    """Return the project without what is to change: the tag of the app's image, and the variable in environments."""
    # Keys that begin with x- are for anchors in the file: Compose prints them without any effect.
    project = {key: value for key, value in parse_rendering(rendering).items() if not key.startswith("x-")}
    for service in read_services(project).values():
        image = str(service.get("image"))
        if image.startswith((f"{proposal.image}:", f"{proposal.image}@")) or image == proposal.image:
            service["image"] = proposal.image
        for name in (proposal.variable, "COMPOSE_FILE"):
            read_object(service.get("environment")).pop(name, None)
    return project


def _make_folder(folder: Path, undo: ExitStack) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=_FOLDER_MODE)
        undo.callback(folder.rmdir)


def _create(path: Path, text: str, undo: ExitStack, *, keep: bool = False) -> None:
    if keep and os.path.lexists(path):
        return
    write_atomically(path, text.encode(), mode=_FILE_MODE, follow=False, new=True)
    undo.callback(path.unlink, missing_ok=True)
