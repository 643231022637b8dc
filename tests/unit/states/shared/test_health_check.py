"""How long a version must have been well, by its own answers and by the engine's verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DeadlineExceededError, HealthError
from orchestrator.core.model.workloads import ProbeAnswer, ServiceStatus
from orchestrator.core.state_kind import HealthCheck
from states.shared.health_check import Expectation, await_steady
from tests.tools.clock import FakeClock

URL, STEADY_S, PATIENCE_S = "http://127.0.0.1:1/health", 3.0, 60.0


@dataclass
class App:
    """An app that answers from one moment on, and whose container the engine judges at another; in seconds."""

    clock: FakeClock
    answers_at: float
    healthy_at: float
    version: str = "1.1.0"
    ill_at: float = float("inf")
    well_at: float = float("inf")

    def inspect_services(self, services: object) -> tuple[ServiceStatus, ...]:
        now = self.clock.monotonic()
        health = (
            "unhealthy" if self.ill_at <= now < self.well_at else "healthy" if now >= self.healthy_at else "starting"
        )
        status = ServiceStatus(
            service="app",
            container_id="c1",
            image_id="sha256:1",
            image_reference="app:1",
            state="running",
            health=health,
            restart_policy="no",
        )
        return (status,)

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        if self.clock.monotonic() < self.answers_at:
            return ProbeAnswer(status=None, error="connection refused")
        return ProbeAnswer(status=200, body=f'{{"current": "{self.version}"}}')


class WatchedClock(FakeClock):
    """Remembers how long was waited each time."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.pauses.append(seconds)
        return super().wait(event, seconds)


def wait_for(
    app: App,
    url: str | None = URL,
    tell: Callable[[str], None] = lambda _: None,
    *,
    gives_up_early: bool = False,
    is_excused: Callable[[], bool] = lambda: False,
) -> tuple[float, float]:
    """Since when it was well, and when that was known; from the beginning."""
    check = HealthCheck(url, STEADY_S, version_url=url, version_field="current", gives_up_early=gives_up_early)
    expected = Expectation(("app",), "sha256:1", "1.1.0" if url else None)
    began, deadline = app.clock.monotonic(), Deadline(app.clock, PATIENCE_S)
    since = await_steady(
        check, expected, workloads=app, probe=app, clock=app.clock, deadline=deadline, tell=tell, is_excused=is_excused
    )
    return since - began, app.clock.monotonic() - began


def build(answers_at: float, healthy_at: float, **more: float | str) -> App:
    clock = FakeClock()
    now = clock.monotonic()
    moments = {name: now + value for name, value in more.items() if isinstance(value, float)}
    words = {name: value for name, value in more.items() if isinstance(value, str)}
    return App(clock, now + answers_at, now + healthy_at, **moments, **words)  # type: ignore[arg-type]


def test_an_app_that_answers_is_watched_while_the_engine_has_no_verdict_yet() -> None:
    since, known = wait_for(build(answers_at=1, healthy_at=2.5))
    assert 1 <= since < 1.2
    assert 4 <= known < 4.5


def test_without_the_engines_verdict_it_is_not_well_however_long_it_answers() -> None:
    heard: list[str] = []
    since, known = wait_for(build(answers_at=1, healthy_at=20), tell=heard.append)
    assert since < 1.2
    assert 20 <= known < 20.5
    assert "Service app is starting." in heard
    with pytest.raises(DeadlineExceededError, match="Service app is starting"):
        wait_for(build(answers_at=1, healthy_at=PATIENCE_S + 1))


def test_an_app_that_nobody_asks_is_watched_from_the_engines_verdict_on() -> None:
    since, known = wait_for(build(answers_at=0, healthy_at=2), url=None)
    assert 2 <= since < 2.2
    assert 5 <= known < 5.5


def test_an_app_that_turns_out_to_be_ill_was_never_well() -> None:
    with pytest.raises(DeadlineExceededError, match="Service app is unhealthy"):
        wait_for(build(answers_at=1, healthy_at=20, ill_at=10.0))


def test_an_app_that_the_engine_calls_unhealthy_is_given_up_early_where_the_plan_says_so() -> None:
    app = build(answers_at=1, healthy_at=2, ill_at=3.0)
    began = app.clock.monotonic()
    with pytest.raises(HealthError, match="Service app is unhealthy") as caught:
        wait_for(app, gives_up_early=True)
    assert caught.value.code == "health.unhealthy"
    assert 3 + STEADY_S <= app.clock.monotonic() - began < 3 + STEADY_S + 0.5


def test_an_unhealthy_app_whose_database_was_away_is_waited_for_until_the_deadline() -> None:
    answers = iter([True, *[False] * 10_000])
    with pytest.raises(DeadlineExceededError, match="Service app is unhealthy"):
        wait_for(build(answers_at=1, healthy_at=2, ill_at=3.0), gives_up_early=True, is_excused=lambda: next(answers))


def test_an_app_that_recovers_from_being_unhealthy_in_time_is_not_given_up() -> None:
    app = build(answers_at=0, healthy_at=0, ill_at=1.0, well_at=1.0 + STEADY_S - 0.5)
    since, _ = wait_for(app, gives_up_early=True)
    assert since >= STEADY_S


def test_a_wrong_version_is_one_only_where_the_engine_has_said_that_it_is_up() -> None:
    app = build(answers_at=1, healthy_at=10, version="9.9.9")
    began = app.clock.monotonic()
    with pytest.raises(HealthError, match=r"9\.9\.9"):
        wait_for(app)
    assert 10 + STEADY_S <= app.clock.monotonic() - began < 10 + STEADY_S + 0.5


def test_an_app_that_is_well_is_looked_at_calmly_and_known_to_be_steady_on_time() -> None:
    heard: list[str] = []
    since, known = wait_for(build(answers_at=0, healthy_at=0), tell=heard.append)
    assert known - since == pytest.approx(STEADY_S)
    assert len(heard) <= 2 * STEADY_S


def test_the_longer_it_takes_the_less_often_it_is_looked_at_and_never_seldom() -> None:
    clock = WatchedClock()
    wait_for(App(clock, answers_at=40, healthy_at=0))
    waited = clock.pauses[: -int(2 * STEADY_S)]
    assert waited == sorted(waited)
    assert (waited[0], waited[-1]) == (0.1, 0.5)
    assert sum(waited) < 41
