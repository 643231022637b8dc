"""preflight: everything that an upgrade needs is tried while nothing has been touched."""

from orchestrator.contract import CrashRule, Options, Result, State, StateContext
from orchestrator.effects import Effects, Setting, Thing
from orchestrator.errors import RefusedError, StateError
from orchestrator.facts import Current, FrozenProject, Target
from orchestrator.model import DatabaseLoad, EngineFacts
from states.patience import BRIEF_S, repeat_while_away

_ANSWER_TIMEOUT_S = 5.0
_RESERVE_BYTES = 256 * 1024**2
_LONG_TRANSACTION_S = 300.0
_CONNECTIONS_NEEDED = 5


class Preflight(State[Options]):
    """Engine, project files, image, database and room on disk; all problems are reported at once."""

    kind = "preflight"
    summary = "Try every precondition before anything is touched."
    crash_rule = CrashRule.RUN_AGAIN
    timeout_s = 120.0

    @classmethod
    def effects(cls, options: Options, setting: Setting) -> Effects:
        """Whether to begin at all."""
        return Effects(ensures=Thing.READY, judges=True)

    def describe(self, ctx: StateContext[Options]) -> tuple[str, ...]:
        """What is looked at."""
        return ("try engine, image, database, backup folder, .env and room on disk",)

    def perform(self, ctx: StateContext[Options]) -> Result:
        """Look at each precondition; any that is not met ends in ``failed`` with all of them."""
        problems = repeat_while_away(ctx, lambda: _find_problems(ctx), at_most_s=BRIEF_S)
        if len(problems) == 1:
            raise problems[0]
        if problems:
            listed = " ".join(
                f"({number}) {problem.what} {problem.hint}".rstrip() for number, problem in enumerate(problems, 1)
            )
            raise RefusedError("refused.preflight", f"{len(problems)} preconditions are not met: {listed}")
        return Result("done", reason="Every precondition is met.")


def _find_problems(ctx: StateContext[Options]) -> list[StateError]:
    problems: list[StateError] = []
    for look in (_look_at_image, _look_at_services, _look_at_gate, _look_at_files, _look_at_room, _look_at_load):
        try:
            look(ctx)
        except StateError as problem:
            if problem.code == "engine.unreachable":
                raise  # nothing else can be known without it
            problems.append(problem)
        ctx.deadline.check()
    return problems


def _look_at_image(ctx: StateContext[Options]) -> None:
    engine = ctx.world.platform.inspect_engine()
    target = ctx.find(Target)
    if target is None or not target.platforms:
        return
    wanted = f"linux/{engine.architecture}"
    if not any(platform.startswith(wanted) for platform in target.platforms):
        raise RefusedError(
            "refused.architecture",
            f"Release {target.release.version} has no image for {wanted}, only for {', '.join(target.platforms)}.",
            hint="Wait for an image for this architecture or ask its author.",
        )


def _look_at_services(ctx: StateContext[Options]) -> None:
    current = ctx.find(Current)
    pin = ctx.world.platform.read_pin()
    if current is None:
        return
    tag = pin.partition("@")[0]
    if not any(tag in status.image_reference for status in current.services):
        raise RefusedError(
            "refused.pin_differs",
            f"The version variable says {tag}, but {current.version} runs.",
            hint="Bring both together with `docker compose up -d`, then upgrade.",
        )
    # Asked anew: it may have come up since `check` looked, or have gone down.
    # What Compose left when it was cut off in a recreation never ran, and is no illness of the app.
    running = [status for status in ctx.world.platform.inspect_services(ctx.target.services) if status.running]
    down = set(ctx.target.services) - {status.service for status in running}
    if down or any(status.health == "unhealthy" for status in running):
        raise RefusedError(
            "refused.unhealthy",
            f"The running version {current.version} is not healthy, so nobody could tell an upgrade that failed.",
            hint="Look at `docker compose logs` and bring the app to health first.",
        )


# Tried on the version that runs: behind the gate a health that cannot be asked would look like an app that is ill.
def _look_at_gate(ctx: StateContext[Options]) -> None:
    project = ctx.find(FrozenProject)
    if not ctx.gated or project is None:
        return
    ctx.world.platform.check_gate(project, ctx.target.services)
    if ctx.target.health.url is not None:
        _ask_past_gate(ctx, _find_past_gate(ctx, project, ctx.target.health.url))
    if ctx.target.health.version_url is not None:  # not asked: the version that runs may not have it yet
        _find_past_gate(ctx, project, ctx.target.health.version_url)


def _find_past_gate(ctx: StateContext[Options], project: FrozenProject, url: str) -> str:
    found = ctx.world.platform.find_private_url(project, url, ctx.target.services)
    if found is None:
        raise _no_gate(f"none of the services publishes the port of {url} over plain http")
    return found


def _ask_past_gate(ctx: StateContext[Options], url: str) -> None:
    answer = ctx.world.probe.get(url, timeout_s=_ANSWER_TIMEOUT_S)
    if answer.status not in range(200, 300):
        said = answer.error if answer.status is None else f"status {answer.status}"
        raise _no_gate(f"asked at its own address {url}, the version that runs answers with {said}")


def _no_gate(why: str) -> RefusedError:
    return RefusedError(
        "refused.gate",
        f"Nobody could tell behind a closed gate whether the new version is healthy: {why}.",
        hint="Correct the addresses under `target: health:`, or write `gate: open` under `with:` of the start state.",
    )


def _look_at_files(ctx: StateContext[Options]) -> None:
    ctx.world.platform.check_pin_writable()
    folder = ctx.world.backups.inspect_folder()
    if folder.problem:
        raise RefusedError(
            "refused.backup_folder",
            f"The backup folder {folder.path} cannot be used: {folder.problem}.",
            hint="Make it writable for this user, or name another under `backups: directory:`.",
        )


def _look_at_room(ctx: StateContext[Options]) -> None:
    if ctx.world.database is None:
        return
    database = ctx.world.database.inspect()
    engine: EngineFacts = ctx.world.platform.inspect_engine()
    # The copy at `stop`, and a restore beside it if that copy could not be used.
    _require_room("the database server", database.free_bytes, 2 * database.size_bytes + _RESERVE_BYTES)
    _require_room(
        "the backup folder",
        ctx.world.backups.inspect_folder().free_bytes,
        database.size_bytes + _RESERVE_BYTES,
    )
    _require_room("the engine's image store", engine.free_bytes, _RESERVE_BYTES)


def _look_at_load(ctx: StateContext[Options]) -> None:
    if ctx.world.database is None:
        return
    name = ctx.world.database.inspect().name
    load = ctx.world.database.inspect_load(name)
    _look_at_storage(load)
    if load.prepared:
        raise RefusedError(
            "refused.prepared",
            f"Prepared transactions wait in {name} for their commit: {', '.join(load.prepared)}.",
            hint="Let whoever prepared them end them: COMMIT PREPARED or ROLLBACK PREPARED.",
        )
    if load.slots:
        raise RefusedError(
            "refused.replication",
            f"Logical replication reads from {name} (slots {', '.join(load.slots)}) and would not follow a way back.",
            hint="Drop the slots for the upgrade and set the replication up anew after it.",
        )
    if load.oldest is not None and load.oldest_s > _LONG_TRANSACTION_S:
        raise RefusedError(
            "refused.long_transaction",
            f"{load.oldest.user} ({load.oldest.application or 'pid'} {load.oldest.pid}) has had a transaction open in"
            f" {name} for {load.oldest_s / 60:.0f} min.",
            hint="Let it end, or end it with pg_terminate_backend, and run the upgrade again.",
        )
    if load.free_connections < _CONNECTIONS_NEEDED:
        raise RefusedError(
            "refused.connections",
            f"The database server has {load.free_connections} connections left; {_CONNECTIONS_NEEDED} are needed.",
            hint="Raise max_connections, or end what holds them.",
        )


def _look_at_storage(load: DatabaseLoad) -> None:
    if load.sharers:
        raise RefusedError(
            "refused.volume_shared",
            f"Others may write into the volume of the database: {', '.join(load.sharers)}.",
            hint="Two servers on one volume destroy it: give each project a volume of its own, or mount it read-only.",
        )
    if load.anonymous:
        raise RefusedError(
            "refused.volume_anonymous",
            f"The database lies in a volume without a name ({load.anonymous[:12]}…), which Compose replaces by an empty"
            " one when its container is made anew.",
            hint="Move it into a named volume: stop the app, copy the data over, and list it under `volumes:`.",
        )


def _require_room(place: str, free_bytes: int | None, needed_bytes: int) -> None:
    if free_bytes is not None and free_bytes < needed_bytes:
        raise RefusedError(
            "refused.no_space",
            f"There is not enough room for {place}: {_mib(needed_bytes)} needed, {_mib(free_bytes)} free.",
            hint="Make room; nothing is deleted automatically to make it.",
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.0f} MiB"
