"""stop: nobody writes any more, and a copy of the database as it is then lies beside it."""

from orchestrator.contract import CrashRule, Observation, Options, Result, State, StateContext
from orchestrator.errors import DatabaseError, DeadlineExceededError
from orchestrator.facts import Snapshot, StoppedServices
from orchestrator.model import EffectScope
from orchestrator.ports import Database

_SESSION_GRACE_S = 10.0
_POLL_S = 0.1


class StopOptions(Options):
    """``snapshot: false`` is for an app without a database."""

    snapshot: bool = True


class Stop(State[StopOptions]):
    """Restart policies off, services down in order, then the copy that a way back swaps in.

    A write that was acknowledged between the backup and this moment is in the copy, and nowhere else once
    the new version has failed.
    """

    kind = "stop"
    summary = "Stop the app's services and copy the database as it is then."
    scope = EffectScope.APP
    crash_rule = CrashRule.OBSERVE
    timeout_s = 600.0
    provides = (StoppedServices, Snapshot)
    Options = StopOptions

    def describe(self, ctx: StateContext[StopOptions]) -> tuple[str, ...]:
        """What goes down and what stays up."""
        steps = [f"stop {', '.join(ctx.target.services)} with restart policies off; everything else stays up"]
        if _wants_snapshot(ctx):
            steps.append("copy the quiesced database beside itself")
        return tuple(steps)

    def prepare(self, ctx: StateContext[StopOptions]) -> tuple[StoppedServices]:
        """Which containers run now, with the restart policies to give back."""
        services = ctx.world.platform.inspect_services(ctx.target.services)
        return (StoppedServices(at=ctx.world.clock.now(), services=services),)

    def perform(self, ctx: StateContext[StopOptions]) -> Result:
        """Stop, then copy."""
        began = StoppedServices(at=ctx.world.clock.now(), services=ctx.require(StoppedServices).services)
        ctx.world.platform.stop_services(ctx.target.services, deadline=ctx.deadline)
        if not _wants_snapshot(ctx):
            return Result("done", (began,))
        return Result("done", (began, _take_snapshot(ctx)))

    def observe(self, ctx: StateContext[StopOptions]) -> Observation:
        """Nothing of the app runs, and the copy is on the server."""
        running = [s for s in ctx.world.platform.inspect_services(ctx.target.services) if s.running]
        snapshot = ctx.find(Snapshot)
        if running:
            return Observation.PARTIAL
        if snapshot and snapshot.database not in ctx.database().sizes():
            return Observation.PARTIAL
        return Observation.DONE


def snapshot_name(live: str, run_id: str) -> str:
    """Name of a run's snapshot; carries the run so that it is found without memory. At most 63 bytes."""
    return f"{live[:30]}__snapshot_{run_id.replace('-', '_')}"


def _wants_snapshot(ctx: StateContext[StopOptions]) -> bool:
    return ctx.options.snapshot and ctx.world.database is not None


def _take_snapshot(ctx: StateContext[StopOptions]) -> Snapshot:
    database = ctx.database()
    facts = database.inspect()
    _await_no_sessions(ctx, database, facts.name)
    snapshot = Snapshot(
        database=snapshot_name(facts.name, ctx.run_id),
        source=facts.name,
        size_bytes=facts.size_bytes,
        taken_at=ctx.world.clock.now(),
    )
    database.copy(facts.name, snapshot.database, deadline=ctx.deadline)
    return snapshot


def _await_no_sessions(ctx: StateContext[StopOptions], database: Database, name: str) -> None:
    # A stopped app's sessions end when its connections do; whoever is still there is somebody else,
    # and copying under his writes would lose them.
    grace = ctx.deadline.sooner(_SESSION_GRACE_S, what="Waiting for the app's sessions to end")
    try:
        grace.poll(lambda: None if database.sessions(name) else True, every_s=_POLL_S)
    except DeadlineExceededError as timeout:
        ctx.deadline.check()
        who = ", ".join(f"{s.user} ({s.application or 'pid'} {s.pid})" for s in database.sessions(name))
        raise DatabaseError(
            "database.in_use",
            f"With the app stopped, {who or 'somebody'} is still connected to {name}.",
            hint="Stop what uses the database beside the app, or list its service under `target: services:`.",
        ) from timeout
