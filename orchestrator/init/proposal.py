"""Propose what `init` writes, without writing it; pure."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.adapters.compose.env_file import find_variable, read_environment, replace_variable
from orchestrator.adapters.compose.rendering import read_name
from orchestrator.core.errors import UsageError
from orchestrator.init.choosing import choose_account, choose_app, choose_database, find_poolers
from orchestrator.init.compose_text import Written, find_image, replace_scalar
from orchestrator.init.interview import Interview, Open, refusal
from orchestrator.init.plan_text import Draft, write_plan
from orchestrator.init.serving import settle_health, settle_migration
from orchestrator.init.survey import Service, survey
from orchestrator.init.version import Pinning, settle_pinning

_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class Project:
    """A project as it is. ``files``: the compose files as texts; ``env``: the text of ``.env``, None without one.

    ``named``: the compose files as they were named on the command line, for ``COMPOSE_FILE``.
    """

    folder: Path
    rendering: str
    files: Mapping[Path, str]
    env: str | None
    named: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """A change of one file: ``before`` is None where it is created."""

    path: Path
    before: str | None
    after: str

    def diff(self) -> str:
        """Return it as `diff -u` shows it."""
        old = (self.before or "").splitlines(keepends=True)
        new = self.after.splitlines(keepends=True)
        source = "/dev/null" if self.before is None else str(self.path)
        lines = difflib.unified_diff(old, new, source, str(self.path))
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


@dataclass(frozen=True)
class Proposal:
    """``changes`` to files of the project, the ``plan`` and the backup ``folder`` to create.

    ``image`` and ``variable`` are those of the plan, ``answers`` the settled questions: option → answer.
    """

    changes: tuple[Change, ...]
    plan: Change
    folder: Path
    image: str
    variable: str
    answers: Mapping[str, str]


def propose(project: Project, plan: Path, interview: Interview) -> Proposal:
    """Settle the open questions and build the proposal. Raises `UsageError` where that cannot be done."""
    services = survey(project.rendering)
    app = choose_app(services, interview)
    database = choose_database(services, app, interview)
    written = {name: found for name in services if (found := find_image(project.files, name)) is not None}
    environment = read_environment(project.env or "")
    members = [services[name] for name in app.services]
    pinning = settle_pinning(members, written, environment, interview, texts=project.files.values())
    health = settle_health(app, services, interview)
    migrate = settle_migration(app, services, interview)
    user, name = choose_account(services, app, database)
    backups = Path(interview.settle(Open("--backups", "Where do backups go?", guess=str(project.folder / "backups"))))
    repository = interview.settle(_ask_for_source(members))
    plan_name = _choose_name(project, interview)
    interview.require_answers()
    draft = Draft(
        name=plan_name,
        project=_relative(project.folder, plan.parent),
        services=app.services,
        image=app.repository,
        variable=pinning.variable,
        migrate=migrate,
        disconnect=find_poolers(services, database),
        health_url=health.url,
        gate_closed=health.closable,
        database=database,
        user=interview.given.get("--database-user") or user,
        database_name=interview.given.get("--database-name") or name,
        repository=None if repository == "registry" else repository,
        backups=_relative(project.folder / backups, plan.parent),
    )
    changes = _build_changes(project, app.repository, services, written, pinning)
    text = Change(plan, None, write_plan(draft))
    return Proposal(changes, text, project.folder / backups, app.repository, pinning.variable, dict(interview.answers))


# An image that is built here has a name that a registry need not know.
def _ask_for_source(members: Sequence[Service]) -> Open:
    built = [one.name for one in members if one.builds]
    why = (
        f"{' and '.join(built)} is built here (`build:` beside `image:`): is its image published too?" if built else ""
    )
    return Open("--repository", "Where are releases announced?", guess="registry", safe=not built, why=why)


def _choose_name(project: Project, interview: Interview) -> str:
    name = _NOT_OF_A_NAME.sub("-", read_name(project.rendering)).strip("-._")[:63]
    return interview.settle(Open("--name", "What is the plan called?", guess=name or "app"))


def _relative(path: Path, folder: Path) -> str:
    if path == folder:
        return "."
    return f"./{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path)


def _build_changes(
    project: Project, repository: str, services: Mapping[str, Service], written: Mapping[str, Written], pinning: Pinning
) -> tuple[Change, ...]:
    texts = dict(project.files)
    if pinning.image:
        # From the end of each file to its beginning: an edit moves what is behind it.
        spots = {written[name] for name, one in services.items() if one.repository == repository and name in written}
        if not spots:
            raise _no_place(repository, pinning)
        for spot in sorted(spots, key=lambda one: -one.start):
            texts[spot.path] = replace_scalar(texts[spot.path], spot, pinning.image)
    changed = [Change(path, project.files[path], text) for path, text in texts.items() if text != project.files[path]]
    env = _edit_env(project, pinning)
    if env != project.env:
        changed.append(Change(project.folder / ".env", project.env, env))
    return tuple(changed)


def _edit_env(project: Project, pinning: Pinning) -> str:
    text = project.env or ""
    if project.named:
        text = _set(text, "COMPOSE_FILE", ":".join(project.named))
    return _set(text, pinning.variable, pinning.text)


def _set(text: str, name: str, value: str) -> str:
    present = find_variable(text, name)
    if present == value:
        return text
    if present is not None:
        return replace_variable(text, name, value)
    newline = "\r\n" if "\r\n" in text else "\n"
    ended = text if not text or text.endswith("\n") else text + newline
    return f"{ended}{name}={value}{newline}"


def _no_place(repository: str, pinning: Pinning) -> UsageError:
    return refusal(
        "usage.compose_text",
        f"Where the compose files say `image: {repository}…` was not found.",
        hint=f"Write `image: {pinning.image}` there and `{pinning.variable}={pinning.text}` into .env by hand.",
    )
