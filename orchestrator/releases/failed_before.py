"""Releases that an earlier run had to leave."""

from orchestrator.core.errors import UNTOUCHED, RefusedError
from orchestrator.core.facts import TargetRelease
from orchestrator.core.ports.history import History
from orchestrator.core.ports.release_finder import ReleaseRequest


def refuse_failed(target: TargetRelease, history: History, request: ReleaseRequest) -> None:
    """Do not try the very image again that an earlier run had to leave; a newer build of it has another digest.

    Raises:
        RefusedError: ``refused.failed_before``.
    """
    failed = history.find_failure(target.digest)
    if failed is None or request.retry:
        return
    first_line = (failed.reason.splitlines() or ["it gave no reason."])[0]
    raise RefusedError(
        "refused.failed_before",
        f"Run {failed.run_id} could not stay on {target.release.version}: {first_line}",
        impact=UNTOUCHED,
        hint=f"Wait for a newer release, or try it once more with --retry (`orchestrator show {failed.run_id}`).",
    )


def tell_failed_trial(target: TargetRelease, history: History) -> str:
    """What a release that failed on a copy is told with when it is tried again; empty where it did not.

    It is not refused for that: a rehearsal costs no downtime, and what it failed for may be put right since.
    """
    failed = history.find_failed_trial(target.digest)
    if failed is None:
        return ""
    first_line = (failed.reason.splitlines() or ["it gave no reason."])[0]
    when = f" on {failed.at:%Y-%m-%d}" if failed.at else ""
    return f"; it failed in the rehearsal of run {failed.run_id}{when} and is tried on a copy again: {first_line}"
