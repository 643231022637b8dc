"""Long text that means no good costs time in proportion to its length, and a signal is heard while it is read."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.compose.env_file import read_environment
from orchestrator.adapters.http.rate_limit import read_retry_at
from orchestrator.adapters.releases.file import read_release
from orchestrator.adapters.releases.redacted_feed import NOTES_AT_MOST, RedactedFeed
from orchestrator.core.model.releases import Release
from orchestrator.redaction.redactor import Redactor
from orchestrator.redaction.secret_detection import find_inner, find_secrets, is_secret
from orchestrator.redaction.terminal_text import cut_text, keep_end, sanitize
from orchestrator.releases.version_order import is_comparable
from tests.tools.patterns import measure
from webapi.notes import render_notes

pytestmark = pytest.mark.slow

LONGEST = 125_000  # of a release note on GitHub
SOON_S = 1.0
PIECES = (
    "password", "passwdsecret:", "token=", "a=", "://a:", "://", "-----BEGIN PRIVATE KEY-----", "Bearer ", "eyJ",
    "a.b@",
    "\x1b]", "\x1b[", "\x9b1", " ", "\t", "\r", "\n", "\\", "'", '"', "=", ":", "a", "A", "1", "-", "_", "é", "\u202e",
    "x=\"", "secret_file_", "key: ", "\\n", "%3D",
)  # fmt: skip
MARKUP = (
    "[",
    "![",
    "[a](",
    "*",
    "**a",
    "_a ",
    "`",
    "<",
    "> ",
    "- ",
    "\n- a",
    "|-|-|\n",
    "&",
    "~~",
    "a\n\n",
    "```\n",
    "[a]: b\n",
)

MASK = Redactor(
    [*(f"hunter{number}-{number}" for number in range(50)), "rosebud", "a" * 12, "12345"], ["hunter7", "a-a"]
)


def read_all(text: str) -> None:
    """Everything that a note, a log or a setting goes through on its way to a person."""
    MASK.text(text)
    sanitize(text)
    list(find_inner(text))
    list(find_secrets("PASSWORD", text))
    is_secret("SETTING", text)
    read_environment(text)
    read_retry_at({"Retry-After": text, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": text}, None)  # type: ignore[arg-type]
    is_comparable(text)
    read_release({"version": "v1.0.0", "notes": text, "url": text, "published_at": text})


@pytest.mark.parametrize("piece", PIECES)
def test_a_long_text_is_read_soon(piece: str) -> None:
    text = piece * (LONGEST // len(piece))
    assert measure(lambda: read_all(text), tries=3, enough_s=SOON_S / 2) < SOON_S


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.text(max_size=3))
def test_any_mixture_of_pieces_takes_time_in_proportion(pieces: list[str], ending: str) -> None:
    unit = "".join(pieces)

    def take(size: int) -> float:
        text = unit * (size // len(unit)) + ending
        return measure(lambda: read_all(text), tries=2, enough_s=size * 1e-6)

    short, long = take(8_000), take(32_000)
    assert long < max(0.2, 10 * short)


@pytest.mark.parametrize("piece", MARKUP)
def test_notes_become_html_in_time_by_their_length(piece: str) -> None:
    short, long = (
        measure(partial(render_notes, piece * (size // len(piece))), tries=2, enough_s=0.2) for size in (4_000, 16_000)
    )
    assert long < max(0.5, 10 * short)


@pytest.mark.parametrize("cut", [cut_text, keep_end])
@given(st.lists(st.sampled_from(["hunter2", " ", "\n", "x" * 30]), max_size=30).map("".join), st.integers(1, 40))
def test_cut_text_holds_no_half_of_a_word(cut: Callable[[str, int], str], text: str, longest: int) -> None:
    left = cut(text, longest)
    assert len(left) <= longest + 10
    if len(text) > longest:
        whole = set(text.split())
        assert {word for word in left.split() if word not in ("…", "[cut]")} <= whole or not set(" \n") & set(text)


def test_notes_are_masked_before_they_are_cut() -> None:
    class Feed:
        def list_releases(self) -> tuple[Release, ...]:
            notes = "x" * (NOTES_AT_MOST - 4) + " hunter2-hunter2 and more\n" * 3
            return (Release(version="v1.0.0", notes=notes),)

    (release,) = RedactedFeed(Feed(), Redactor(["hunter2-hunter2"])).list_releases()
    assert "hunt" not in release.notes
    assert len(release.notes) <= NOTES_AT_MOST + 10


PROGRAM = """
    from orchestrator.adapters.releases.redacted_feed import RedactedFeed
    from orchestrator.cli.signals import signals
    from orchestrator.core.deadline import Interruption
    from orchestrator.redaction.terminal_text import sanitize
    from orchestrator.redaction.redactor import PROCESS_MASK
    from orchestrator.core.model.releases import Release

    class Feed:
        def list_releases(self):
            return tuple(Release(version="v1.0.0", notes=piece * (125_000 // len(piece))) for piece in PIECES)

    PIECES = ("passwdsecret", "://a:", "a", " ", "\\x1b]", "password:", "x=")
    PROCESS_MASK.register(f"hunter{number}-{number}" for number in range(50))
    with signals(Interruption(), False, lambda text: None):
        print("ready", flush=True)
        while True:
            for release in RedactedFeed(Feed(), PROCESS_MASK).list_releases():
                sanitize(release.notes)
"""


def test_sigterm_is_heard_while_hostile_notes_are_read() -> None:
    argv = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.3)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
            # A second and a half after the signal; the rest is what a busy machine takes.
            assert time.monotonic() - began < 5
        finally:
            process.kill()
    assert process.returncode not in (0, None)
