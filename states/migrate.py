"""migrate: the first write of the new version."""

from contextlib import suppress
from pathlib import Path

from orchestrator.core.errors import DeadlineExceededError, StateError
from orchestrator.core.facts import FrozenProject, MigrationReport, TargetRelease
from orchestrator.core.foresight import PlannedCommand
from orchestrator.core.kind_model import Capability, Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.model.workloads import JobStatus
from orchestrator.core.ports.workloads import Workloads
from orchestrator.core.state_kind import CrashRule, Observation, Options, Result, StateContext, StateKind
from states.shared.migration_job import choose_code, explain_exit, job_name, migration_log, save_and_remove
from states.shared.retry import retry_while_unreachable
from states.shared.step_progress import build_progress
from states.shared.write_lock import end_leftovers, locks_opened, name_sessions, require_untouched


class MigrateOptions(Options):
    """Which migration is run."""

    command: tuple[str, ...] | None = None
    """Service and arguments; left out, those of `target: migrate:`."""


class Migrate(StateKind[MigrateOptions]):
    """Runs the new image's migration in a one-off container which outlives us, so that its verdict is never lost."""

    kind = "migrate"
    summary = "Run the new version's migration in a one-off container."
    scope = EffectScope.DATABASE
    crash_rule = CrashRule.RESTORE
    timeout_s = 1800.0
    provides = (MigrationReport,)
    Options = MigrateOptions

    @classmethod
    def find_commands(cls, name: str, options: MigrateOptions, migrate: tuple[str, ...]) -> tuple[PlannedCommand, ...]:
        """The migration, where the app does not migrate as it starts."""
        place = f"states: {name}: with: command" if options.command else "target: migrate"
        command = options.command or migrate
        if not command:
            return ()
        return (PlannedCommand(place=place, service=command[0], argv=command[1:], migrates=True),)

    @classmethod
    def effects(cls, options: MigrateOptions, traits: PlanTraits) -> Effects:
        """The first write, where there is anything to run."""
        if not (options.command or traits.migrates):
            return Effects()
        return Effects(needs=(Capability.TARGET, Capability.IMAGE), steps=(Step.MIGRATE_DATABASE,))

    def describe(self, ctx: StateContext[MigrateOptions]) -> tuple[str, ...]:
        """The command."""
        command = _command(ctx)
        if not command:
            return ("nothing to run: the app migrates as it starts",)
        return (f"run `{' '.join(command[1:])}` in a one-off container of {command[0]}",)

    def perform(self, ctx: StateContext[MigrateOptions]) -> Result:
        """Start the job, wait for the engine's own verdict, keep its log."""
        command = _command(ctx)
        if not command:
            return Result("done", reason="The app migrates as it starts.")
        name, log = job_name(ctx.run_id), migration_log(ctx)
        require_untouched(ctx)
        began = ctx.ports.clock.monotonic()
        with locks_opened(ctx):
            status, tail, left = _run(ctx, name, command, log)
        seconds = round(ctx.ports.clock.monotonic() - began, 3)
        report = MigrationReport(container=name, exit_code=status.exit_code or 0, duration_s=seconds, log=log)
        if status.exit_code != 0:
            return Result(
                "failed",
                (report,),
                f"The migration ended with exit code {status.exit_code}; its log is {log}."
                + f"{explain_exit(status.exit_code)} {left}".rstrip()
                + f"\n{tail}",
                choose_code(status.exit_code),
            )
        # It is over, but the server ends a statement of its own only when it wants to answer.
        working = end_leftovers(ctx)
        if working:
            return Result(
                "failed",
                (report,),
                f"The migration ended with exit code 0, but {name_sessions(working)} was still at work in the database"
                " and had to be ended, so what it was about to do is not done.",
                "migrate.left_at_work",
            )
        return Result("done", (report,), left)

    def reconcile(self, ctx: StateContext[MigrateOptions]) -> Result | None:
        """What the engine says of the container that outlived us; anything but exit code 0 is taken back."""
        name, log = job_name(ctx.run_id), migration_log(ctx)
        if not _command(ctx):
            return Result("done", reason="The app migrates as it starts.")
        status = ctx.ports.workloads.inspect_job(name)
        if status is None:
            return None
        ctx.ports.workloads.save_job_log(name, log)
        ctx.ports.workloads.remove_job(name)
        if status.exit_code != 0 or end_leftovers(ctx):
            return None
        report = MigrationReport(container=name, exit_code=0, duration_s=0.0, log=log)
        return Result("done", (report,), "It had come to its end with exit code 0 while nobody watched.")

    def observe(self, ctx: StateContext[MigrateOptions]) -> Observation:
        """Over with exit code 0 as the engine reported it, and nothing of it is left at work."""
        report = ctx.find(MigrationReport)
        if not _command(ctx):
            return Observation.DONE
        status = ctx.ports.workloads.inspect_job(job_name(ctx.run_id))
        if status is not None and status.running:
            return Observation.PARTIAL
        return Observation.DONE if report and report.exit_code == 0 else Observation.PARTIAL


def _command(ctx: StateContext[MigrateOptions]) -> tuple[str, ...]:
    return ctx.options.command or ctx.target.migrate


def _run(
    ctx: StateContext[MigrateOptions], name: str, command: tuple[str, ...], log: Path
) -> tuple[JobStatus, str, str]:
    """The verdict, the last lines of the log, and the containers that could not be removed."""
    workloads = ctx.ports.workloads
    pin = str(ctx.require(TargetRelease).pin)
    ctx.report(build_progress(ctx, f"`{' '.join(command[1:])}`", "migrate_s"))
    try:
        workloads.start_job(ctx.require(FrozenProject), name, command, pin, run_id=ctx.run_id, deadline=ctx.deadline)
        # It outlives the engine's answer as it outlives us.
        status = retry_while_unreachable(ctx, lambda: _await_end(ctx, name))
    except StateError as error:
        if error.code != "job.exists":
            _end(workloads, name, log)
        raise
    return status, *save_and_remove(workloads, name, log)


def _await_end(ctx: StateContext[MigrateOptions], name: str) -> JobStatus:
    try:
        return ctx.ports.workloads.wait_job(name, tell=ctx.tell, deadline=ctx.deadline)
    except DeadlineExceededError as timeout:
        raise DeadlineExceededError("migrate.timeout", timeout.summary, hint=timeout.hint) from timeout


# Two writers otherwise: what may still be migrating must be gone before anything is restored.
def _end(workloads: Workloads, name: str, log: Path) -> None:
    with suppress(StateError):  # the state has failed already; `restore` ends whatever works before it begins
        workloads.stop_job(name)
        save_and_remove(workloads, name, log)
