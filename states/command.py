"""command: the operator's own step."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from orchestrator.core.errors import CommandError
from orchestrator.core.facts import FrozenProject, TargetRelease
from orchestrator.core.foresight import PlannedCommand
from orchestrator.core.kind_model import Effects, PlanTraits, Step
from orchestrator.core.model.effects import EffectScope
from orchestrator.core.state_kind import CrashRule, Options, Result, StateContext, StateKind
from orchestrator.plan.words import check_place, check_program
from states.shared.write_lock import locks_opened


class CommandOptions(Options):
    """Which program is run, where, and what it may change."""

    run: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(check_program)]
    """The program and its arguments as a list, never a shell line."""

    on: Annotated[str, AfterValidator(check_place)] = "host"
    """`host` runs it in the project's folder; any other word is a service, in whose image it runs as a one-off \
container: the new image for what comes after `pull`, as the project is pinned at that moment."""

    changes: Literal["nothing", "app", "database"]
    """The most that it may change; the checker judges the plan by it."""


class Command(StateKind[CommandOptions]):
    """Runs one program; exit code 0 is ``done``, everything else is ``failed``."""

    kind = "command"
    summary = "Run a step of the operator's own."
    scope = EffectScope.DATABASE  # the most that `changes` can say
    crash_rule = CrashRule.RESTORE
    timeout_s = 600.0
    Options = CommandOptions

    @classmethod
    def find_commands(cls, name: str, options: CommandOptions, migrate: tuple[str, ...]) -> tuple[PlannedCommand, ...]:
        """The program."""
        service = None if options.on == "host" else options.on
        return (PlannedCommand(place=f"states: {name}: with: run", service=service, argv=options.run),)

    @classmethod
    def effects(cls, options: CommandOptions, traits: PlanTraits) -> Effects:
        """What the plan says that it changes; a program on the host goes on when we are killed."""
        changes = {"nothing": (), "app": (Step.CHANGE_APP,), "database": (Step.WRITE_DATABASE,)}
        steps: tuple[Step, ...] = changes[options.changes]
        return Effects(steps=steps, survives_kill=options.on == "host" and bool(steps))

    def describe(self, ctx: StateContext[CommandOptions]) -> tuple[str, ...]:
        """The program."""
        return (f"run `{' '.join(ctx.options.run)}` on {ctx.options.on} (changes: {ctx.options.changes})",)

    def perform(self, ctx: StateContext[CommandOptions]) -> Result:
        """Run it and keep what it said."""
        log = ctx.directory / f"{ctx.state}.log"
        with locks_opened(ctx):
            exit_code = _on_host(ctx) if ctx.options.on == "host" else _in_container(ctx)
        if exit_code != 0:
            raise CommandError(
                "command.failed",
                f"`{ctx.options.run[0]}` ended with exit code {exit_code}.",
                hint=f"What it said is in {log}.",
            )
        return Result("done")


def _on_host(ctx: StateContext[CommandOptions]) -> int:
    target = ctx.find(TargetRelease)
    environment = {
        "ORCHESTRATOR_RUN": ctx.run_id,
        "ORCHESTRATOR_TARGET": target.release.version if target else "",
    }
    log = ctx.directory / f"{ctx.state}.log"
    return ctx.ports.workloads.run_host_command(
        ctx.options.run, environment=environment, log=log, deadline=ctx.deadline
    )


def _in_container(ctx: StateContext[CommandOptions]) -> int:
    workloads, name = ctx.ports.workloads, f"upgrade-orchestrator-{ctx.state}-{ctx.run_id}"
    command = (ctx.options.on, *ctx.options.run)
    workloads.start_job(
        ctx.require(FrozenProject),
        name,
        command,
        workloads.read_pin(),
        run_id=ctx.run_id,
        deadline=ctx.deadline,
    )
    try:
        status = workloads.wait_job(name, tell=ctx.tell, deadline=ctx.deadline)
    finally:
        workloads.stop_job(name)
        workloads.save_job_log(name, ctx.directory / f"{ctx.state}.log")
        workloads.remove_job(name)
    return status.exit_code if status.exit_code is not None else 1
