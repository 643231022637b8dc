"""Whose a failed rehearsal is: the release's, or that of the surroundings in which it was tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.core.errors import BackupError, DatabaseError, HealthError, PlatformError, RefusedError, StateError
from orchestrator.core.state_kind import StateContext
from states.shared.backup_proof import load_backup
from states.shared.health_check import Expectation
from states.shared.step_progress import build_progress
from states.shared.trial_run import UNTOUCHED, Watch, try_version

_SLOWER = 2.0  # what a second restore may take of the time that the first one took

_WHAT_TO_DO = (
    "Give it what it lacks (`rehearse: {with: {writable: [FOLDER]}}` for a folder of this host that it must write),"
    " or take the state `rehearse` out of the plan and go without the proof."
)


@dataclass(frozen=True)
class Control:
    """The version that serves, as the control of an experiment; ``restore_s`` is what restoring its data takes."""

    version: str
    expected: Expectation
    pin: str
    restore_s: float


def blame(
    ctx: StateContext[Any], watch: Watch, failure: StateError, control: Control, healthy_within_s: float
) -> StateError:
    """What is to be said of a failure on a stage once the version that serves was tried there on a fresh copy."""
    limits = watch.stage.limits()
    if ctx.deadline.remaining_s() < _SLOWER * control.restore_s + healthy_within_s:
        return explain_untried(failure, limits)
    ctx.report(build_progress(ctx, f"Seeing whether {control.version} is well on the copy"))
    watch.stage.containers.stop_services(control.expected.services, deadline=ctx.deadline, at_once=True)
    try:
        _try_control(ctx, watch, control, healthy_within_s)
    except HealthError as problem:
        return explain_surroundings(failure, control.version, problem.summary, limits)
    except PlatformError as problem:
        if problem.code != "compose.failed":
            return explain_untried(failure, limits)
        return explain_surroundings(failure, control.version, problem.summary, limits)
    except (DatabaseError, BackupError):
        return explain_untried(failure, limits)
    return explain_release(failure, control.version)


def _try_control(ctx: StateContext[Any], watch: Watch, control: Control, healthy_within_s: float) -> None:
    for store, receipt in watch.stores:
        dump = watch.over(ctx.ports.backups.read(receipt.path, sha256=receipt.sha256))
        load_backup(ctx, receipt, store, receipt.database, dump)
    within = ctx.deadline.sooner(healthy_within_s, what=f"The start of {control.version} on a copy")
    try_version(ctx, watch, control.expected, control.pin, within, log="rehearse-old")


def explain_release(failure: StateError, old: str) -> StateError:
    """The failure where the old version was well in the same surroundings: it is the release's."""
    hint = f"{failure.hint} {old} is well in the same surroundings.".strip()
    return type(failure)(failure.code, failure.summary, impact=failure.impact, hint=hint, log_tail=failure.log_tail)


def explain_surroundings(failure: StateError, old: str, problem: str, limits: Sequence[str]) -> StateError:
    """The failure where the old version, which serves its users, is not well in the rehearsal either."""
    return RefusedError(
        "rehearse.surroundings",
        f"The rehearsal cannot judge this app: {_join(failure.summary)} {old}, which serves its users now, is not well"
        f" on the copy either: {_join(problem)}",
        impact=f"This says nothing against the release. {UNTOUCHED}",
        hint=f"{_tell(limits)} {_WHAT_TO_DO}",
        log_tail=failure.log_tail,
    )


def explain_untried(failure: StateError, limits: Sequence[str]) -> StateError:
    """The failure where the old version could not be tried for comparison.

    ``limits`` as `Trial.limits`: the last of them is so for every app, and alone it is no reason to doubt.
    """
    if not limits[:-1]:
        return failure
    return RefusedError(
        "rehearse.surroundings",
        failure.summary,
        impact=f"This may come from the rehearsal and not from the release. {UNTOUCHED}",
        hint=f"{_tell(limits)} {_WHAT_TO_DO}",
        log_tail=failure.log_tail,
    )


def _tell(limits: Sequence[str]) -> str:
    return f"In the rehearsal {'; '.join(limits)}."


def _join(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
