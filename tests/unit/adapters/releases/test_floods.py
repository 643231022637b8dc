"""A flood of a source takes little memory, comes to an end, and is reported."""

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from orchestrator.adapters.http.budget import Limits
from orchestrator.adapters.releases.github import GitHubFeed
from orchestrator.adapters.releases.oci_tags import RegistryFeed
from orchestrator.core.errors import ReleaseError
from orchestrator.core.ports.releases import ReleaseFeed
from tests.unit.adapters.releases.flood import FLOODS, Flood, flooding, list_notes

pytestmark = pytest.mark.slow

MEMORY_MIB = 150
QUICK = Limits(connect_s=1, read_s=1, total_s=2, retries=1)

# What `check` and the web do with a source, in a process of its own, whose memory is its own too.
PROGRAM = """
    import sys
    import orchestrator.cli, orchestrator.wiring, webapi.app
    from orchestrator.adapters.releases.github import GitHubFeed
    from orchestrator.adapters.releases.redacted_feed import RedactedFeed
    from orchestrator.adapters.releases.oci_tags import RegistryFeed
    from orchestrator.adapters.host.system_clock import SystemClock
    from orchestrator.core.errors import ReleaseError
    from orchestrator.redaction.terminal_text import sanitize
    from orchestrator.redaction.redactor import PROCESS_MASK
    from orchestrator.releases.choosing import ReleaseRequest, choose_release
    from webapi.cache import Finding
    from webapi.version import build_view

    kind, address = sys.argv[1:]
    PROCESS_MASK.register(f"hunter2-{number}" for number in range(20))
    bare = GitHubFeed("org/app", f"http://{address}") if kind == "github" else RegistryFeed(f"{address}/org/app")
    feed = RedactedFeed(bare, PROCESS_MASK)
    for _ in range(2):  # the second time it remembers the first
        try:
            found = feed.list_releases()
            release = choose_release("v0.1.0", found, ReleaseRequest())
            if release:
                sanitize(release.notes)
            view = build_view("0.1.0", Finding(found, SystemClock().now()))
            print(len(found), len(view.body), len(view.notes_body))
        except ReleaseError as error:
            print(error.code, *error.sentences())
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def ask(kind: str, port: int) -> tuple[list[str], int]:
    """What a process says that asks, and how many MiB it had at most."""
    argv = [sys.executable, "-c", textwrap.dedent(PROGRAM), kind, f"127.0.0.1:{port}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd=Path(__file__).parents[4])
    assert done.returncode == 0, done.stderr
    *said, peak = done.stdout.splitlines()
    return said, int(peak) // 1024  # the figure of `getrusage` would have our own memory in it


@pytest.mark.parametrize("flood", ["keys", "notes", "one note", "endless redirect"])
def test_the_memory_of_a_question_is_bounded(flood: str) -> None:
    with flooding(FLOODS[flood]) as server:
        said, peak_mib = ask("github", server.server_port)
    assert len(said) == 2
    assert peak_mib < MEMORY_MIB


def test_the_memory_of_a_question_to_a_registry_is_bounded() -> None:
    with flooding(FLOODS["a page of tags"]) as server:
        said, peak_mib = ask("registry", server.server_port)
    assert len(said) == 2
    assert peak_mib < MEMORY_MIB


def find_error(feed: ReleaseFeed) -> ReleaseError | None:
    """What a source is told to be, None where it can be used."""
    try:
        feed.list_releases()
    except ReleaseError as error:
        return error
    return None


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_comes_to_an_end_and_is_told(flood: str) -> None:
    threads = threading.active_count()
    with flooding(FLOODS[flood]) as server:
        feeds: tuple[ReleaseFeed, ...] = (
            GitHubFeed("org/app", f"http://127.0.0.1:{server.server_port}", limits=QUICK),
            RegistryFeed(f"127.0.0.1:{server.server_port}/org/app", limits=QUICK),
        )
        for feed in feeds:
            error = find_error(feed)
            assert error is None or error.code in {"releases.hostile", "releases.unreachable", "releases.denied"}
            assert error is None or "127.0.0.1" in error.summary
    ends_at = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert threading.active_count() <= threads


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(requests=3), "more than 3 requests"),
        (Limits(total_bytes=100), "more than 100 bytes"),
        (Limits(entries=7), "more than 7 entries"),
    ],
)
def test_the_limits_are_those_of_all_pages_together(limits: Limits, words: str) -> None:
    def answer(flood: Flood) -> None:
        flood.send(b'[{"tag_name": "v1.0.0"}, {"tag_name": "v1.1.0"}]')

    with flooding(answer) as server, pytest.raises(ReleaseError, match=words) as caught:
        GitHubFeed("org/app", f"http://127.0.0.1:{server.server_port}", limits=limits).list_releases()
    assert caught.value.code == "releases.hostile"


def test_the_time_is_that_of_all_pages_together() -> None:
    def answer(flood: Flood) -> None:
        time.sleep(0.25)
        flood.send(b"[]")

    began = time.monotonic()
    with flooding(answer) as server, pytest.raises(ReleaseError) as caught:
        GitHubFeed("org/app", f"http://127.0.0.1:{server.server_port}", limits=Limits(total_s=0.6)).list_releases()
    assert caught.value.code == "releases.unreachable"
    assert time.monotonic() - began < 5


def test_a_header_that_drips_leaves_no_thread_behind() -> None:
    released = threading.Event()

    def answer(flood: Flood) -> None:
        flood.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not released.wait(0.05):
            flood.wfile.write(b"X")

    threads = threading.active_count()
    with flooding(answer) as server:
        with pytest.raises(ReleaseError):
            GitHubFeed("o/a", f"http://127.0.0.1:{server.server_port}", limits=Limits(total_s=0.3)).list_releases()
        ends_at = time.monotonic() + 5
        # The server, and its thread for us, are at work still.
        while threading.active_count() > threads + 2 and time.monotonic() < ends_at:
            time.sleep(0.02)
        left = [thread for thread in threading.enumerate() if "run_aside" in thread.name]
        released.set()
    assert not left


def test_of_many_long_notes_those_of_older_releases_are_left_out() -> None:
    page = list_notes("x" * 9000)
    with flooding(lambda flood: flood.send(page)) as server:
        found = GitHubFeed("o/a", f"http://127.0.0.1:{server.server_port}").list_releases()
    assert found[0].notes
    assert not found[-1].notes
    assert sum(len(release.notes) for release in found) <= Limits().notes
