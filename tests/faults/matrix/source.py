"""Faulty answers of the source of releases, read as those of GitHub are."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.adapters.http.budget import Budget
from orchestrator.adapters.http.client import Answer
from orchestrator.adapters.http.errors import unreachable, untrusted_response
from orchestrator.adapters.releases.github import _read_page
from tests.faults.matrix.scene import Scene, Trouble

_URL = "https://api.github.example/repos/org/app/releases?per_page=100"
POISON = "\x1b]0;owned\x07"
_OFTEN = 1000


def _answer(status: int, body: bytes, **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    _read_page(Answer(_URL, status, named, body), Budget())


def _time_out() -> None:
    raise unreachable(_URL, "did not answer in full within 30 s")


def _send_too_much() -> None:
    raise untrusted_response(_URL, "sent more than 4194304 bytes")


def _trouble(name: str, answer: Callable[[], None]) -> Trouble:
    wrong: list[Scene] = []

    def meet() -> None:
        if wrong:
            answer()

    def begin(scene: Scene) -> None:
        wrong.append(scene)
        scene.world.happen("feed.list_releases", meet, times=_OFTEN)

    return Trouble(name, begin, lambda scene: wrong.clear())


SILENT = (
    _trouble("silent", _time_out),
    _trouble("limited", lambda: _answer(403, b"{}", X_RateLimit_Remaining="0", X_RateLimit_Reset="1767582000")),
    _trouble("out of order", lambda: _answer(500, b"")),
)
HOSTILE = (
    _trouble("too large", _send_too_much),
    _trouble("too deep", lambda: _answer(200, b"[" * 100 + b"]" * 100)),
    _trouble("of another type", lambda: _answer(200, b'{"message": "' + POISON.encode() + b'"}')),
)


def write_hostile_notes(scene: Scene) -> None:
    """Let the author of the release send commands to terminals, and far too much."""
    scene.world.releases[scene.version].notes = (POISON + "x" * 10_000 + "\n") * 1000
