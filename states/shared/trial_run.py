"""What is done on a stage: a watch over what it uses, versions tried on it, and the end of it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import (
    DatabaseError,
    DeadlineExceededError,
    HealthError,
    MigrationError,
    PlatformError,
    RefusedError,
)
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import JobStatus, ServiceStatus
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.trial import Trial
from orchestrator.core.ports.workloads import Containers
from orchestrator.core.state_kind import HealthCheck, StateContext
from orchestrator.core.store_facts import BackupManifest
from orchestrator.redaction.terminal_text import sanitize
from states.shared.health_check import Expectation, await_steady
from states.shared.migration_job import choose_code, explain_exit
from states.shared.step_progress import build_progress

UNTOUCHED = "The old version went on serving; neither the app nor its database was touched."

_CLEAR_S = 60.0
_CLEAR_EVERY_S = 0.5
_POLL_S = 0.25
_LOOK_EVERY_BYTES = 64 * 1024**2
_RESERVE_BYTES = 512 * 1024**2
_COPIES = 3
_RUNS_SWEPT = 10


@dataclass
class Watch:
    """Looks at a stage while something works on it; what it has seen at most is in its numbers."""

    stage: Trial
    receipts: Sequence[BackupManifest]
    quota_bytes: int
    disk_peak_bytes: int = 0
    longest_lock_s: float = 0.0

    @property
    def stores(self) -> tuple[tuple[DataStore, BackupManifest], ...]:
        """The stores of the stage, each with the backup that is tried there."""
        by_name = {store.name: store for store in self.stage.stores}
        return tuple((by_name[receipt.store], receipt) for receipt in self.receipts)

    def look(self) -> None:
        """Look at the room that is taken, and at who keeps others from writing.

        Raises:
            DatabaseError: ``rehearse.no_space``: it takes more room than was to be expected.
        """
        self.check_room()
        locks = (store.longest_lock_s(receipt.database) for store, receipt in self.stores)
        self.longest_lock_s = max(self.longest_lock_s, *locks)

    def check_room(self) -> None:
        """The first half of `look`."""
        taken = self.stage.disk_usage()
        self.disk_peak_bytes = max(self.disk_peak_bytes, taken)
        if taken > self.quota_bytes:
            raise DatabaseError(
                "rehearse.no_space",
                f"The rehearsal takes {_mib(taken)}, more than the {_mib(self.quota_bytes)} that it may.",
                impact=UNTOUCHED,
                hint="The real migration would need as much; find out what it writes before there is room for it.",
            )

    def over(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Hand on a dump and look at the room on the way."""
        passed = 0
        for chunk in chunks:
            passed += len(chunk)
            if passed >= _LOOK_EVERY_BYTES:
                passed = 0
                self.check_room()
            yield chunk

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        """As the stage does, after a look."""
        self.look()
        return self.stage.containers.inspect_services(services)


def find_quota(ctx: StateContext[Any]) -> int:
    """Bytes that a rehearsal may take: what is restored, a copy of it, and growth.

    Raises:
        RefusedError: ``refused.no_space``.
    """
    facts = [store.inspect() for store in ctx.stores]
    size_bytes = sum(one.size_bytes for one in facts)
    quota = _COPIES * size_bytes + _RESERVE_BYTES
    # A volume of the engine's is not always on the disk of the live server.
    free = (*(one.free_bytes for one in facts), ctx.ports.workloads.inspect_engine().free_bytes)
    seen = [one for one in free if one is not None]
    if seen and min(seen) < quota:
        raise RefusedError(
            "refused.no_space",
            f"Backup could not be proven restorable: no space. {_mib(quota)} are needed beside the database"
            f" of {_mib(size_bytes)}, {_mib(min(seen))} are free.",
            impact=UNTOUCHED,
            hint="Make room, or take the state `rehearse` out of the plan and go without the proof.",
        )
    return quota


@contextmanager
def stage_cleared(ctx: StateContext[Any]) -> Iterator[None]:
    """Nothing of the run's stage is there before, and nothing after, whatever happens between.

    Raises:
        PlatformError: ``stage.left_behind``.
    """
    _clear(ctx)
    ended = False
    try:
        yield
        ended = True
    finally:
        _clear(ctx)
        if not ended:
            # The engine may still have been at work for a client that was cut off.
            Deadline(ctx.ports.clock, _CLEAR_S).pause(_CLEAR_EVERY_S)
            _clear(ctx)


def sweep_earlier(ctx: StateContext[Any]) -> None:
    """Remove what earlier runs have made and could not clear away because the engine was gone: a copy of the data."""
    for run in ctx.history.ended_runs()[:_RUNS_SWEPT]:
        ctx.trials().remove_all(run.run_id)


def run_migration(ctx: StateContext[Any], watch: Watch, command: Sequence[str], pin: str) -> float:
    """Run the new version's migration on the stage; seconds that it took.

    Raises:
        MigrationError: ``rehearse.migration_failed`` with its last words; the log is in the run's folder.
    """
    containers, clock = watch.stage.containers, ctx.ports.clock
    name, log = f"upgrade-orchestrator-rehearse-migrate-{ctx.run_id}", ctx.directory / "rehearse-migrate.log"
    began = clock.monotonic()
    ctx.report(build_progress(ctx, f"`{' '.join(command[1:])}` on the copy"))
    project = ctx.require(FrozenProject)
    containers.start_job(project, name, command, pin, run_id=ctx.run_id, deadline=ctx.deadline)
    try:
        status = ctx.deadline.poll(lambda: _find_verdict(ctx, watch, name), every_s=_POLL_S)
    finally:
        words = sanitize(containers.save_job_log(name, log))
    if status.exit_code != 0:
        raise MigrationError(
            choose_code(status.exit_code, failed="rehearse.migration_failed"),
            f"The migration ended with exit code {status.exit_code} on a copy of the data; its log is {log}."
            + explain_exit(status.exit_code),
            impact=UNTOUCHED,
            hint="Send the log to the author of the release.",
            log_tail=words,
        )
    return round(clock.monotonic() - began, 3)


def try_version(
    ctx: StateContext[Any], watch: Watch, expected: Expectation, pin: str, within: Deadline, *, log: str = "rehearse"
) -> float:
    """Start a version on the stage and wait until it is steadily well; seconds that it took. It is left running.

    ``log`` begins the names of its logs.

    Raises:
        HealthError: it is not well, with its last words; the logs are in the run's folder.
    """
    stage, clock = watch.stage, ctx.ports.clock
    began = clock.monotonic()
    ctx.report(build_progress(ctx, f"{pin.partition('@')[0]} starts on the copy"))
    project = ctx.require(FrozenProject)
    stage.containers.start_services(project, expected.services, pin, deadline=ctx.deadline)
    try:
        await_steady(
            _asked_privately(stage, ctx.target.health),
            expected,
            workloads=watch,
            probe=stage,
            clock=clock,
            deadline=within,
            tell=ctx.tell,
        )
    except (HealthError, DeadlineExceededError) as error:
        ctx.deadline.check()
        words = _save_words(ctx, stage.containers, expected.services, log)
        late = isinstance(error, DeadlineExceededError)
        hint = "Raise `with: {healthy_within: …}` of this state if it only needs longer." if late else error.hint
        raise HealthError(error.code, error.summary, impact=UNTOUCHED, hint=hint, log_tail=words) from error
    return round(clock.monotonic() - began, 3)


def _clear(ctx: StateContext[Any]) -> None:
    own = Deadline(ctx.ports.clock, _CLEAR_S)  # also when the state's time is over
    try:
        own.poll(lambda: _find_clear(ctx), every_s=_CLEAR_EVERY_S)
    except DeadlineExceededError as timeout:
        left = ", ".join(_find_left(ctx))
        raise PlatformError(
            "stage.left_behind",
            f"What the rehearsal has made could not be removed: {left}.",
            impact=UNTOUCHED,
            hint="Remove these containers, networks and volumes by hand; nothing else uses them.",
        ) from timeout


def _find_left(ctx: StateContext[Any]) -> tuple[str, ...]:
    try:
        return ctx.trials().list_remnants(ctx.run_id)
    except PlatformError as error:
        raise PlatformError(
            error.code,
            error.summary,
            impact=f"What the rehearsal has made may still be there; the next one removes it. {UNTOUCHED}",
            hint=error.hint,
        ) from error


def _find_clear(ctx: StateContext[Any]) -> bool | None:
    stages = ctx.trials()
    try:
        stages.remove_all(ctx.run_id)
    except PlatformError:
        return None  # what is being removed or made at this moment; the last look names what stays
    return None if stages.list_remnants(ctx.run_id) else True


def _find_verdict(ctx: StateContext[Any], watch: Watch, name: str) -> JobStatus | None:
    watch.look()
    status = watch.stage.containers.inspect_job(name)
    if status is None:
        raise PlatformError("job.missing", f"The container {name} is gone; how it ended is not known.")
    if status.said:
        ctx.tell(status.said)
    return None if status.running else status


# Where it cannot be asked, its containers alone are judged.
def _asked_privately(stage: Trial, check: HealthCheck) -> HealthCheck:
    url, version_url = (url if url and stage.reaches(url) else None for url in (check.url, check.version_url))
    return replace(check, url=url, version_url=version_url)


def _save_words(ctx: StateContext[Any], containers: Containers, services: Sequence[str], log: str) -> str:
    found = containers.inspect_services(services)
    words = (containers.save_job_log(one.container_id, ctx.directory / f"{log}-{one.service}.log") for one in found)
    return "\n".join(sanitize(said) for said in words)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.0f} MiB"
