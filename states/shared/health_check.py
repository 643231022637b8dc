"""How containers and answers are judged: healthy, steady, and the version that they should be.

Used by `health` and `commit` for the new version, by `rollback` for the old one and by `rehearse` for both on a copy,
so that all are held to one standard.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DeadlineExceededError, HealthError, StateError
from orchestrator.core.facts import Serving, Started, TargetRelease
from orchestrator.core.model.workloads import Gate, ServiceStatus
from orchestrator.core.ports.clock import Clock
from orchestrator.core.ports.probe import Probe
from orchestrator.core.state_kind import HealthCheck, Observation, OptionsT, StateContext
from orchestrator.redaction.terminal_text import sanitize
from states.shared.new_image import find_new_image
from states.shared.retry import retry_while_unreachable

_POLL_S = 0.25
_KEEN_POLL_S = 0.1  # users wait, and most apps are up within seconds
_PART_OF_WAIT = 0.02  # what a pause may be of the time that was waited already
_CALM_POLL_S = 0.5  # a container that has restarted is known by its count, however seldom one looks
_ANSWER_TIMEOUT_S = 5.0
_RESTARTS_ALLOWED = 3
_SHORT_STEADY_S = 3.0
_COMES_BACK_S = 60.0
_STARTING = "starting"
_WELL = range(200, 300)
_VERSION_WIDTH = 64
_KILLED = (137, 143)  # by SIGKILL or SIGTERM


class Observed(Protocol):
    """Whose containers are looked at: the app's own, or those of a copy."""

    def inspect_services(self, services: Sequence[str]) -> tuple[ServiceStatus, ...]:
        """As `Containers.inspect_services`."""


@dataclass(frozen=True)
class Expectation:
    """What must be seen: these services, of this image, saying this version (None: not asked)."""

    services: tuple[str, ...]
    image_id: str
    version: str | None


@dataclass(frozen=True)
class Look:
    """One look at the app. ``problem`` is empty when all is well; ``fatal`` when waiting cannot change it.

    ``unhealthy``: the engine's own check has failed as often as it was told to try.

    ``answers``: all that is missing is the engine's own verdict; requests are answered as they should be.
    ``killed``: a container was ended by SIGKILL or SIGTERM, as the kernel does for want of memory.
    """

    problem: str = ""
    answers: bool = False
    fatal: bool = False
    wrong_version: bool = False
    unhealthy: bool = False
    killed: bool = False
    fingerprint: tuple[tuple[str, int], ...] = ()


def is_behind_gate(ctx: StateContext[OptionsT]) -> bool:
    """Whether the new version was started where no user reaches it."""
    started = ctx.find(Started)
    return started is not None and started.gate is Gate.CLOSED


def shorten(check: HealthCheck) -> HealthCheck:
    """The check for a version that has proven itself: it must serve, not be watched for long while users wait."""
    return replace(check, steady_for_s=min(check.steady_for_s, _SHORT_STEADY_S), gives_up_early=False)


def expect_target(ctx: StateContext[OptionsT]) -> Expectation:
    """What must be seen of the new version."""
    target = ctx.require(TargetRelease)
    version = target.release.version.removeprefix("v") if ctx.target.health.version_url else None
    return Expectation(ctx.target.services, find_new_image(ctx) or "", version)


def await_serving(
    ctx: StateContext[OptionsT], check: HealthCheck, expected: Expectation, probe: Probe | None = None
) -> Serving:
    """Wait as `await_steady` until the new version serves; when it first did. ``probe``: not the usual one."""
    world = ctx.ports
    since = await_steady(
        check,
        expected,
        workloads=world.workloads,
        probe=probe or world.probe,
        clock=world.clock,
        deadline=ctx.deadline,
        tell=ctx.tell,
        is_excused=lambda: _is_store_away(ctx),
    )
    at = world.clock.now() - timedelta(seconds=world.clock.monotonic() - since)
    return Serving(at=at, version=ctx.require(TargetRelease).release.version, image_id=expected.image_id)


def await_steady(
    check: HealthCheck,
    expected: Expectation,
    *,
    workloads: Observed,
    probe: Probe,
    clock: Clock,
    deadline: Deadline,
    tell: Callable[[str], None],
    is_excused: Callable[[], bool] = lambda: False,
) -> float:
    """Wait until the app has been well for ``check.steady_for_s`` without a restart; when it was first (monotonic).

    ``tell`` is told what each look has shown. ``is_excused`` is asked of an unhealthy app: one for which something that
    it needs was away is waited for until the deadline.

    Raises:
        HealthError: waiting does not help: it keeps restarting, or steadily says that it is another version.
        DeadlineExceededError: it was not well in time; its sentence says what was seen last.
    """
    since: float | None = None
    wrong_since: float | None = None
    unhealthy_since: float | None = None
    gives_up = check.gives_up_early
    last, began = Look(), clock.monotonic()
    while True:
        look = inspect_health(check, expected, workloads, probe)
        now = clock.monotonic()
        if look.fatal:
            raise explain_ill(look)
        wrong_since = (wrong_since if wrong_since is not None else now) if look.wrong_version else None
        if wrong_since is not None and now - wrong_since >= check.steady_for_s:
            raise HealthError(
                "health.wrong_version",
                look.problem,
                hint="Ask the author of the release: an image that reports another version may be another version.",
            )
        unhealthy_since = (unhealthy_since if unhealthy_since is not None else now) if look.unhealthy else None
        gives_up = gives_up and not (look.unhealthy and is_excused())
        if gives_up and unhealthy_since is not None and now - unhealthy_since >= check.steady_for_s:
            raise HealthError(
                "health.unhealthy",
                f"{look.problem} Its own health check has failed for {check.steady_for_s:g} s.",
                hint="Read its last log lines. If it only needs longer to start, write `give_up: deadline` under"
                " `target: health:`; else ask the author of the release.",
            )
        well = not look.problem or look.answers
        if not well or (since is not None and look.fingerprint != last.fingerprint):
            since = None
        if well:
            since = now if since is None else since
            if now - since >= check.steady_for_s and not look.problem:
                return since
        last = look
        tell(look.problem or f"Well for {now - (since or now):.0f} of {check.steady_for_s:g} s.")
        try:
            left_s = 0.0 if since is None else since + check.steady_for_s - now
            if left_s > 0:
                _watch(deadline, left_s)
            else:
                deadline.pause(_choose_pause(now - began))
        except DeadlineExceededError as timeout:
            seen = look.problem or f"well, but not for {check.steady_for_s:g} s in a row"
            raise DeadlineExceededError(
                "health.timeout", f"{timeout.summary} Seen last: {seen}", hint=timeout.hint
            ) from None


def explain_ill(look: Look) -> HealthError:
    """The error for an app that waiting cannot make well."""
    if look.killed:
        hint = "It was killed: by the kernel for want of memory (`OOMKilled` in its container's state), or by somebody."
        return HealthError("health.killed", look.problem, hint=f"{hint} Give it more.")
    return HealthError(
        "health.failed", look.problem, hint="Read its last log lines, then ask the author of the release."
    )


def _is_store_away(ctx: StateContext[OptionsT]) -> bool:
    try:
        for store in ctx.stores:
            store.identify()
    except StateError:
        return True
    return False


# Of this no part is waited in vain, so the benchmarks know it by its name.
def _watch(deadline: Deadline, left_s: float) -> None:
    deadline.pause(min(left_s, _CALM_POLL_S))


def _choose_pause(waited_s: float) -> float:
    return min(max(_KEEN_POLL_S, _PART_OF_WAIT * waited_s), _CALM_POLL_S)


def observe_serving(ctx: StateContext[OptionsT], look: Callable[[], Look]) -> Observation:
    """One more look at a version that was steadily well, where no other one is left to go to.

    A server that restarts in this very moment takes the app along for a moment, and it may come back.
    """

    def see() -> Observation | None:
        seen = retry_while_unreachable(ctx, look)
        return Observation.PARTIAL if seen.fatal else None if seen.problem else Observation.DONE

    try:
        return ctx.deadline.sooner(_COMES_BACK_S).poll(see, every_s=_POLL_S)
    except DeadlineExceededError:
        return Observation.PARTIAL


def inspect_health(check: HealthCheck, expected: Expectation, workloads: Observed, probe: Probe) -> Look:
    """Containers first, then the answer, then the version; the first that is not as it should be."""
    statuses = workloads.inspect_services(expected.services)
    fingerprint = tuple((s.container_id, s.restart_count) for s in statuses)
    problem, starting = _container_problem(statuses, expected), _name_starting(statuses)
    if problem:
        looping = any(s.restart_count >= _RESTARTS_ALLOWED for s in statuses)
        gone = any(s.state in ("exited", "dead") and s.restart_policy == "no" for s in statuses)
        unhealthy = any(s.health == "unhealthy" for s in statuses)
        killed = any(not s.running and s.exit_code in _KILLED for s in statuses)
        return Look(problem, fatal=looping or gone, unhealthy=unhealthy, killed=killed, fingerprint=fingerprint)
    if starting and check.url is None:
        return Look(starting, fingerprint=fingerprint)
    problem = _answer_problem(check, probe)
    if problem:
        return Look(starting or problem, fingerprint=fingerprint)
    said = _said_version(check, probe) if expected.version is not None and check.version_url else expected.version
    if said != expected.version:
        problem = f"The app answers, but says that it is {said or 'of no version'} instead of {expected.version}."
        return Look(starting or problem, wrong_version=not starting, fingerprint=fingerprint)
    return Look(starting, answers=True, fingerprint=fingerprint)


def _container_problem(statuses: Sequence[ServiceStatus], expected: Expectation) -> str:
    missing = set(expected.services) - {s.service for s in statuses}
    if missing:
        return f"Service {', '.join(sorted(missing))} has no container."
    for status in statuses:
        if status.image_id != expected.image_id:
            return f"Service {status.service} runs {status.image_reference}, which is another image than it should."
        if not status.running:
            history = f"exit code {status.exit_code}, {status.restart_count} restarts"
            return f"Service {status.service} is {status.state} ({history})."
        if status.health not in ("healthy", "none", _STARTING):
            return f"Service {status.service} is {status.health}."
    return ""


# The engine's check looks at intervals, so its first verdict comes long after the app's first answer.
def _name_starting(statuses: Sequence[ServiceStatus]) -> str:
    named = (f"Service {status.service} is {_STARTING}." for status in statuses if status.health == _STARTING)
    return next(named, "")


def _answer_problem(check: HealthCheck, probe: Probe) -> str:
    if check.url is None:
        return ""
    answer = probe.get(check.url, timeout_s=_ANSWER_TIMEOUT_S)
    if answer.status is None:
        return f"{check.url} does not answer: {answer.error}."
    # A redirect or a login page is not health.
    return "" if answer.status in _WELL else f"{check.url} answers {answer.status}."


def _said_version(check: HealthCheck, probe: Probe) -> str | None:
    answer = probe.get(check.version_url or "", timeout_s=_ANSWER_TIMEOUT_S)
    try:
        value = json.loads(answer.body)
        for key in check.version_field.split("."):
            value = value[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return sanitize(str(value), max_lines=1, max_width=_VERSION_WIDTH).removeprefix("v")
