"""The composition root: the only module that knows both states and adapters."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.env_file import read_environment
from orchestrator.adapters.compose.names import find_plan_names
from orchestrator.adapters.compose.project import ComposeProject
from orchestrator.adapters.compose.project_files import is_environment
from orchestrator.adapters.compose.recovery import ComposeRecovery
from orchestrator.adapters.compose.secret_sources import (
    learn_run,
    read_logins,
    read_project_names,
    read_project_secrets,
    read_token,
)
from orchestrator.adapters.compose.sources import admit_sources
from orchestrator.adapters.compose.trial import ComposeTrials
from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.docker.context import pin_docker_context, require_private_channel
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.images import EngineImages
from orchestrator.adapters.host.caller_environment import keep_trusted
from orchestrator.adapters.host.metrics_file import TextfileCollector
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.http.client import DEFAULT_LIMITS, Limits
from orchestrator.adapters.http.probe import HttpProbe
from orchestrator.adapters.notify.apprise import AppriseNotifier
from orchestrator.adapters.postgres.recovery import PostgresRecovery
from orchestrator.adapters.postgres.server import Postgres
from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.adapters.releases.file import FileFeed
from orchestrator.adapters.releases.github import GitHubFeed
from orchestrator.adapters.releases.oci_tags import RegistryFeed
from orchestrator.adapters.releases.redacted_feed import RedactedFeed
from orchestrator.checker.explanation import require_safe
from orchestrator.checker.findings import check_plan
from orchestrator.core.deadline import Interruption
from orchestrator.core.errors import InvariantError, PlatformError, UsageError
from orchestrator.core.fact_names import find_fact_names
from orchestrator.core.facts import Facts, FrozenProject
from orchestrator.core.files import read_file
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.operator import Operator
from orchestrator.core.ports.recovery import JoinedRecovery, Recovery
from orchestrator.core.ports.releases import ReleaseFeed
from orchestrator.core.ports.trial import Trials
from orchestrator.core.state_kind import Ports
from orchestrator.core.trust import require_trusted
from orchestrator.doctor.live_checks import LiveChecks
from orchestrator.init.interview import Interview
from orchestrator.init.proposal import Project, Proposal, propose
from orchestrator.init.reading import read_compose_files, read_env
from orchestrator.init.writing import write
from orchestrator.journal.file_permissions import admit_plan
from orchestrator.plan.json_schema import render_json_schema
from orchestrator.plan.load import load_plan, parse_plan
from orchestrator.plan.schema import Plan
from orchestrator.plan.variables import resolve_variables
from orchestrator.redaction.redactor import PROCESS_MASK
from orchestrator.releases.finder import PublishedReleaseFinder
from orchestrator.reports.support import SupportFile
from orchestrator.run.admission import admit_project
from orchestrator.run.confirmed_plan import RunReader, UnfinishedRun, find_unfinished, pack_support
from orchestrator.run.recovery import Takeover
from orchestrator.run.service import Service
from states.registry import KINDS

GITHUB_API = "https://api.github.com"


def read_plan(path: Path) -> Plan:
    """Load and check a plan, variables of the project's ``.env`` still unresolved. Raises `PlanError`, `TrustError`."""
    admit_plan(path)
    return load_plan(path, KINDS)


def build_service(path: Path, operator: Operator) -> Service:
    """Build what a command needs for the plan at ``path``. Reads files; contacts nobody. Raises `PlanError`."""
    plan = read_resolved_plan(path)
    return Service(plan, KINDS, build_ports(plan, operator))


def build_live_checks(path: Path, operator: Operator, folder: Path) -> LiveChecks:
    """What `doctor` tries for the plan at ``path``; ``folder`` is for what it makes. Raises `PlanError`."""
    plan = read_resolved_plan(path)
    return LiveChecks(plan, KINDS, build_ports(plan, operator), check_plan(plan, KINDS), folder, Interruption())


def read_resolved_plan(path: Path) -> Plan:
    """Load and check a plan, with what the project's ``.env`` says. Raises `PlanError`."""
    return _resolve(read_plan(path))


def find_pinned_version(plan: Plan) -> str | None:
    """The tag in the project's ``.env`` now: what runs, as far as files can tell; None where they do not."""
    with suppress(OSError, UnicodeDecodeError):
        pin = _read_environment(plan.target.project / ".env").get(plan.target.version_variable)
        return pin.partition("@")[0] if pin else None
    return None


def build_proposal(folder: Path, files: Sequence[str], plan: Path, interview: Interview) -> Proposal:
    """What `init` would write for the project in a folder; it is a plan that lints clean. Contacts nobody.

    Raises:
        UsageError: as `orchestrator.init.proposal.propose`. PlatformError: Compose cannot read the project.
    """
    require_trusted(folders=(folder, plan.parent))
    admit_sources(folder, tuple(files))
    rendering = _render(folder, files)
    env = read_env(folder)
    project = Project(folder, rendering, read_compose_files(folder, files), env, tuple(files))
    proposal = propose(project, plan, interview)
    require_safe(parse_plan(proposal.plan.after, plan, KINDS), KINDS)
    return proposal


def carry_out(proposal: Proposal, folder: Path, files: Sequence[str]) -> None:
    """Write what `build_proposal` has made, all or nothing. Raises as `orchestrator.init.writing.write`."""
    write(proposal, render_json_schema(KINDS), lambda: _render(folder, files))


def _render(folder: Path, files: Sequence[str]) -> str:
    PROCESS_MASK.protect(read_project_names(folder, ""))
    PROCESS_MASK.register(read_project_secrets(folder, ""))
    try:
        return Compose(keep_trusted(os.environ), mask=PROCESS_MASK).render(
            folder, {"COMPOSE_FILE": ":".join(files)} if files else {}
        )
    except PlatformError as error:
        if error.code != "compose.missing":
            raise
        raise UsageError(
            "usage.no_compose_file",
            f"There is no compose file in {folder}.",
            impact="Nothing was written.",
            hint="Name the folder of the project: `orchestrator init /opt/app`, or its files with --file.",
        ) from error


def build_takeover(path: Path, operator: Operator) -> Takeover:
    """What brings the project's unfinished run to its end: with the plan and the ``.env`` that it was begun with.

    Raises:
        PlanError: no unfinished run was found, and the plan at ``path`` cannot be used.
        JournalError: the run's own copy of its plan is not what the journal says.
    """
    admit_plan(path)
    found = find_unfinished_run(path)
    if found is None:
        plan = read_resolved_plan(path)
        return Takeover(plan, KINDS, build_ports(plan, operator))
    with ExitStack() as stack:
        stack.callback(found.journal.close)
        _admit(found.plan)
        takeover = Takeover(found.plan, KINDS, build_ports(found.plan, operator), journal=found.journal)
        stack.pop_all()
        return takeover


def find_unfinished_run(path: Path) -> UnfinishedRun | None:
    """The unfinished run that was begun with the plan at ``path``, with its journal open."""
    return find_unfinished(path, _RUN_READER)


def build_support(path: Path, run_id: str, output: Path) -> SupportFile:
    """Pack a run of the plan at ``path`` into a new file. Raises as `orchestrator.run.confirmed_plan.pack_support`."""
    return pack_support(path, run_id, output, _RUN_READER, PROCESS_MASK, build_recovery())


def _find_changed_copy(plan: Plan, folder: Path, project: FrozenProject) -> Path | None:
    copy, variable = folder / "env", plan.target.version_variable
    if not copy.is_file() or is_environment(read_file(copy, follow=False), project.files, project.directory, variable):
        return None
    return copy


def _read_and_learn(path: Path) -> Plan:
    plan = read_plan(path)
    _learn(plan)
    return plan


def _admit(plan: Plan) -> None:
    admit_project(plan)
    admit_sources(plan.target.project)


def _resolve(plan: Plan) -> Plan:
    _admit(plan)
    return resolve_variables(plan, _read_environment(plan.target.project / ".env"))


def _read_environment(path: Path) -> Mapping[str, str]:
    return read_environment(read_file(path).decode() if path.is_file() else "")


def build_ports(plan: Plan, operator: Operator) -> Ports:
    """The real adapters for a plan, not yet connected to anything."""
    _learn(plan)
    environment = pin_docker_context(keep_trusted(os.environ))
    require_private_channel(environment)
    engine = DockerEngine.connect(environment=environment)
    compose = Compose(environment, mask=PROCESS_MASK)
    platform = ComposeProject(plan.target.project, plan.target.services, plan.target.version_variable, engine, compose)
    images = EngineImages(engine)
    recovery = build_recovery()
    finder = PublishedReleaseFinder(
        feed=build_feed(plan),
        workloads=platform,
        images=images,
        recovery=recovery,
        services=plan.target.services,
        image=plan.target.image,
    )
    stores, trials = _build_stores(plan, engine, compose, platform)
    return Ports(
        clock=SystemClock(),
        workloads=platform,
        images=images,
        stores=stores,
        backups=BackupFolder(plan.backups.directory),
        probe=HttpProbe(),
        operator=operator,
        finder=finder,
        recovery=recovery,
        trials=trials,
        mask=PROCESS_MASK,
        notifier=_notifier(plan),
        metrics=TextfileCollector(plan.metrics.file) if plan.metrics else None,
    )


def build_recovery() -> Recovery:
    """The commands of every product for an operator; the most particular one is asked first."""
    compose = ComposeRecovery()
    return JoinedRecovery((PostgresRecovery(compose), compose))


def _learn_run(folder: Path, facts: Facts) -> None:
    PROCESS_MASK.protect(find_fact_names(facts))
    learn_run(PROCESS_MASK, folder, facts.find(FrozenProject))


def _learn(plan: Plan) -> None:
    """Let nothing that this process tells hold a secret of the plan's app."""
    PROCESS_MASK.protect(find_plan_names(plan))
    PROCESS_MASK.protect(read_project_names(plan.target.project, plan.target.version_variable))
    PROCESS_MASK.register(read_project_secrets(plan.target.project, plan.target.version_variable))
    PROCESS_MASK.register(read_logins(os.environ))
    PROCESS_MASK.register(read_token(plan.releases.token_variable, os.environ))
    if (notifier := _notifier(plan)) is not None:
        with suppress(OSError):
            PROCESS_MASK.register(notifier.read_urls())


_RUN_READER = RunReader(
    kinds=KINDS,
    read_plan=_read_and_learn,
    find_changed=_find_changed_copy,
    resolve=lambda plan, folder: resolve_variables(plan, _read_environment(folder / "env")),
    learn_run=_learn_run,
)


def _notifier(plan: Plan) -> AppriseNotifier | None:
    return AppriseNotifier(plan.notify.urls_variable, plan.notify.urls_file, os.environ) if plan.notify else None


def build_feed(plan: Plan, limits: Limits = DEFAULT_LIMITS) -> ReleaseFeed:
    """Where the plan says that releases are announced."""
    return RedactedFeed(_build_feed(plan, limits), PROCESS_MASK)


def _build_feed(plan: Plan, limits: Limits) -> ReleaseFeed:
    releases = plan.releases
    token = os.environ.get(releases.token_variable) if releases.token_variable else None
    if releases.source == "file" and releases.path:
        return FileFeed(releases.path)
    if releases.source == "github" and releases.repository:
        return GitHubFeed(releases.repository, releases.url or GITHUB_API, token, limits=limits)
    if releases.source == "registry":
        return RegistryFeed(releases.repository or plan.target.image, _login(token), limits=limits)
    raise InvariantError("internal.releases", f"The plan's releases {releases.source!r} lack what they need.")


def _login(token: str | None) -> tuple[str, str] | None:
    """``user:password`` as a registry wants it; a bare token goes with any user name."""
    if token is None:
        return None
    user, separator, password = token.partition(":")
    return (user, password) if separator else ("token", token)


def _build_stores(
    plan: Plan, engine: DockerEngine, compose: Compose, platform: ComposeProject
) -> tuple[tuple[DataStore, ...], Trials | None]:
    if plan.database is None:
        return (), None
    service, user, name = plan.database.service, plan.database.user, plan.database.name
    executor = ContainerExec(lambda: engine.client, platform.name, service, lambda: platform.check_name([service]))
    return (PostgresStore(Postgres(executor, user, name)),), ComposeTrials(engine, compose, executor, user, name)
