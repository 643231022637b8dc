"""Nothing that a path can lead to makes us wait, and no module has a door to files of its own."""

from __future__ import annotations

import ast
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.adapters.backups.archive import BackupFolder
from orchestrator.adapters.compose.env_file import read_text
from orchestrator.adapters.compose.pin_file import PinFile
from orchestrator.adapters.compose.project_files import read_marks
from orchestrator.adapters.compose.secret_sources import read_project_secrets
from orchestrator.adapters.compose.sources import admit_sources
from orchestrator.adapters.host.metrics_file import TextfileCollector
from orchestrator.adapters.notify.apprise import AppriseNotifier
from orchestrator.adapters.releases.file import FileFeed
from orchestrator.cli import main
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.files import NEW_FILE, NotRegularError, TooLargeError, opened, read_beginning, read_file
from orchestrator.init.reading import read_env
from orchestrator.journal.file_permissions import read_trusted_owners
from orchestrator.journal.journal import Journal
from orchestrator.journal.lock import find_owner, project_lock
from orchestrator.journal.reserve import Reserve
from orchestrator.plan.load import load_plan
from states.registry import KINDS
from tests.tools.clock import FakeClock

ROOT = Path(__file__).parents[3]
PACKAGES = ("orchestrator", "states", "webapi")

#: Module → how often it opens a file itself, and why it may.
OPENERS = {
    "orchestrator/core/files.py": (1, "the door"),
    "orchestrator/adapters/backups/archive.py": (4, "folders, and new files relative to a folder that is held open"),
    "orchestrator/adapters/compose/command.py": (2, "the log of a command, in the run's own folder"),
    "orchestrator/adapters/docker/container_pipe.py": (
        3,
        "a pipe is what it is for; without blocking, and looked at before",
    ),
    "orchestrator/checker/rules.py": (1, "a file of the package"),
    "orchestrator/core/atomic_write.py": (1, "a folder, to make what was written durable"),
    "orchestrator/adapters/compose/jobs.py": (1, "the log of a job, in the run's own folder"),
    "orchestrator/journal/database_file.py": (1, "the journal, which SQLite opens by its path"),
    "orchestrator/journal/lock.py": (2, "the lock, which is locked and not read; without blocking"),
    "orchestrator/journal/reserve.py": (1, "a new file of our own folder"),
    "orchestrator/run/service.py": (1, "the kernel's boot id"),
    "orchestrator/reports/support.py": (1, "a new file"),
    "webapi/app.py": (1, "a file of the package"),
    "webapi/blueprint.py": (1, "a file of the package"),
}
_METHODS = {"read_text", "read_bytes", "write_text", "write_bytes", "touch"}


def test_only_modules_with_a_reason_open_files() -> None:
    found = {
        str(path.relative_to(ROOT)): count
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if (count := sum(map(_opens_a_file, ast.walk(ast.parse(path.read_text(encoding="utf-8"))))))
    }
    assert found == {path: count for path, (count, _) in OPENERS.items()}


def _opens_a_file(node: ast.AST) -> bool:
    """Whether it is ``open(…)``, ``os.open(…)``, ``path.open("rb")``, ``path.read_text()`` or the like."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Name):
        return called.id == "open"
    if not isinstance(called, ast.Attribute):
        return False
    if called.attr in _METHODS:
        return True
    owner = called.value.id if isinstance(called.value, ast.Name) else ""
    if called.attr != "open" or owner in ("tarfile", "Journal", "stages"):
        return False
    return owner == "os" or any(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in node.args)


@pytest.mark.parametrize(
    "text", ["open('a')", "os.open(p, 1)", "p.open('rb')", "a.b.read_bytes()", "Path(x).read_text()"]
)
def test_each_way_of_opening_is_noticed(text: str) -> None:
    assert sum(map(_opens_a_file, ast.walk(ast.parse(text)))) == 1


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def _make_socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket has 107 characters at most
        try:
            listener.bind(path.name)
        finally:
            os.chdir(here)


ODD: dict[str, Callable[[Path], None]] = {
    "a named pipe": _make_pipe,
    "a socket": _make_socket,
    "a folder": Path.mkdir,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a terminal": lambda path: path.symlink_to("/dev/tty"),
    "a link to a file of the kernel": lambda path: path.symlink_to("/proc/self/environ"),
    "a link to one that blocks": lambda path: path.symlink_to("/proc/kmsg"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a named pipe": _link_to_pipe,
}


def _tell_metrics(path: Path) -> None:
    collector = TextfileCollector(path)
    assert collector.read() == ""
    collector.write("x\n")
    assert collector.read() == "x\n"


def _prove(path: Path) -> object:
    return BackupFolder(path.parent).prove(path, report=lambda _: None, deadline=Deadline(FakeClock(), 60))


def _lock(path: Path) -> None:
    path.parent.chmod(0o700)
    with project_lock(path.parent, run_id="r-1"):
        pass


#: What reads a path that somebody names; each is called with that path in a folder of its own.
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "plan": ("plan.yaml", lambda path: load_plan(path, KINDS)),
    "env": (".env", read_text),
    "pin": (".env", lambda path: PinFile(path, "APP_VERSION").read()),
    "project": ("compose.yaml", lambda path: read_marks(path.parent, "APP_VERSION")),
    "secrets": ("compose.yaml", lambda path: list(read_project_secrets(path.parent, "APP_VERSION"))),
    "sources": ("compose.yaml", lambda path: admit_sources(path.parent)),
    "releases": ("releases.json", lambda path: FileFeed(path).list_releases()),
    "metrics": ("a.prom", _tell_metrics),
    "notify": ("urls", lambda path: AppriseNotifier(None, path, {}).read_urls()),
    "backup": ("a.sql.gz", lambda path: list(BackupFolder(path.parent).read(path, sha256="0" * 64))),
    "proof": ("a.sql.gz", _prove),
    "init": (".env", lambda path: read_env(path.parent)),
    "lock": ("lock", lambda path: find_owner(path.parent)),
    "locking": ("lock", _lock),
    "reserve": ("reserve", lambda path: Reserve(path.parent).fill()),
    "journal": ("journal.sqlite3", lambda path: Journal.open(path.parent)),
    "trust": ("trusted-owners", lambda path: read_trusted_owners(path.parent / "plan.yaml")),
}


@pytest.fixture
def bounded() -> Iterator[None]:
    """Ten seconds, of which it needs none, for what must not wait; then the test fails instead of hanging."""

    def fail(*_: object) -> None:
        raise AssertionError("it waits for what it has opened")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.usefixtures("bounded")
def test_no_reader_waits_for_a_pipe_or_device(tmp_path: Path, reader: str, odd: str) -> None:
    name, read = READERS[reader]
    ODD[odd](tmp_path / name)
    with suppress(OrchestratorError, OSError):  # which of them, and what it says, is a matter of the reader's own tests
        assert not read(tmp_path / name)


@pytest.mark.parametrize("odd", [one for one in ODD if one not in ("a link to nothing", "a link to itself")])
@pytest.mark.usefixtures("bounded")
def test_path_that_is_no_file_is_named(tmp_path: Path, odd: str) -> None:
    ODD[odd](tmp_path / "x")
    with pytest.raises(NotRegularError, match=r"not a regular file|of the kernel"):
        read_file(tmp_path / "x")


def test_a_file_that_is_exchanged_between_look_and_opening_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "x", os.open
    path.write_text("x")

    def exchange(*arguments: object) -> int:
        path.unlink()
        os.mkfifo(path)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", exchange)
    with pytest.raises(NotRegularError):
        read_file(path)


def test_whatever_is_put_in_its_place_meanwhile_only_a_regular_file_is_read(tmp_path: Path) -> None:
    path, victim = tmp_path / "x", tmp_path / "victim"
    victim.write_text("secret")
    is_over = threading.Event()

    def exchange() -> None:
        makers = (lambda place: place.write_text("right"), os.mkfifo, lambda place: place.symlink_to(victim))
        while not is_over.is_set():
            for make in makers:
                fresh = tmp_path / "fresh"
                make(fresh)
                fresh.replace(path)
                is_over.wait(0.0001)  # each of them is there for a while, however quick the disk is

    path.write_text("right")
    exchanger = threading.Thread(target=exchange)
    exchanger.start()
    read: Counter[bytes] = Counter()
    try:
        ends_at = time.monotonic() + 20
        while read.total() < 3000 or (len(read) < 2 and time.monotonic() < ends_at):
            try:
                read[read_file(path, follow=False)] += 1
            except OSError:
                read[b"refused"] += 1
    finally:
        is_over.set()
        exchanger.join()
    assert set(read) == {b"right", b"refused"}


def test_a_link_is_followed_only_where_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link") == b"x"
    with pytest.raises(NotRegularError, match="a symbolic link"):
        read_file(tmp_path / "link", follow=False)
    with pytest.raises(OSError, match="Too many levels"):
        os.close(os.open(tmp_path / "link", NEW_FILE))


def test_a_file_without_end_is_read_up_to_its_limit(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert read_beginning(tmp_path / "sparse", 10) == bytes(10)
    assert len(read_beginning(tmp_path / "sparse", 300_000)) == 300_000
    with pytest.raises(TooLargeError, match="more than 1048576 bytes"):
        read_file(tmp_path / "sparse")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    before = len([*Path("/proc/self/fd").iterdir()])
    with opened(tmp_path / "x") as descriptor:
        assert not os.get_inheritable(descriptor)
    for _ in range(3):
        with pytest.raises(NotRegularError):
            read_file(tmp_path)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


@pytest.mark.parametrize("command", ["run", "recover", "check", "lint", "status"])
@pytest.mark.usefixtures("bounded")
def test_a_plan_that_is_a_pipe_ends_each_command(tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "upgrade.yaml")
    done = CliRunner().invoke(main, [command, str(tmp_path / "upgrade.yaml")])
    assert done.exit_code == 2
    assert "it is a named pipe, not a regular file" in done.stderr


def test_a_backup_that_was_exchanged_after_its_proof_gives_nothing(tmp_path: Path) -> None:
    folder = BackupFolder(tmp_path)
    path, sha256, _ = folder.write("a.sql.gz", lambda write: write(b"SELECT 1;\n" * 9), report=lambda _: None)
    assert b"".join(folder.read(path, sha256=sha256)) == b"SELECT 1;\n" * 9
    evil, _, _ = folder.write("b.sql.gz", lambda write: write(b"\\! touch /tmp/pwned\n"), report=lambda _: None)
    evil.replace(path)
    given: list[bytes] = []
    with pytest.raises(OrchestratorError, match="damaged"):
        given.extend(folder.read(path, sha256=sha256))
    assert not given


def test_a_backup_that_is_exchanged_while_it_is_loaded_is_the_one_that_was_proven(tmp_path: Path) -> None:
    folder = BackupFolder(tmp_path)
    path, sha256, _ = folder.write("a.sql.gz", lambda write: write(os.urandom(2_000_000)), report=lambda _: None)
    whole = b"".join(folder.read(path))
    chunks = iter(folder.read(path, sha256=sha256))
    first = next(chunks)
    evil, _, _ = folder.write("b.sql.gz", lambda write: write(b"evil"), report=lambda _: None)
    evil.replace(path)
    assert first + b"".join(chunks) == whole


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_file_can_have_is_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / name)
