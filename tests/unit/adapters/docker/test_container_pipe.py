import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.adapters.docker import container_pipe
from orchestrator.adapters.docker.container_pipe import ContainerPipe, open_pipe
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DeadlineExceededError
from tests.unit.adapters.backups.test_archive import StillTimer

NOBODY = 2**31 - 1  # more processes than Linux can have


class Inside:
    """A container that is this very process, its ``/tmp`` a folder of the test."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(container_pipe, "_DIRECTORY", str(directory).removeprefix("/"))
        self.directory = directory
        self.ran: list[str] = []
        self.also: Callable[[Path], object] = lambda _: None

    def run(self, argv: Sequence[str]) -> bool:
        self.ran.append(argv[0])
        if argv[0] == "mkdir":
            Path(argv[-1]).mkdir(mode=0o700)
            self.also(Path(argv[-1]))
        return True

    def left(self) -> list[str]:
        return sorted(each.name for each in self.directory.iterdir())


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inside:
    return Inside(tmp_path, monkeypatch)


def deadline(seconds: float = 60) -> Deadline:
    return Deadline(StillTimer(), seconds)


def write(pipe: ContainerPipe, data: bytes) -> None:
    with Path(pipe.path).open("wb") as end:
        pipe.end()
        end.write(data)


def test_what_a_program_writes_is_received_and_nothing_is_left(inside: Inside) -> None:
    data, found = os.urandom(3_000_000), bytearray()
    with open_pipe(os.getpid(), inside.run) as pipe:
        assert pipe is not None
        assert Path(pipe.path).stat().st_mode & 0o777 == 0o600
        program = threading.Thread(target=write, args=(pipe, data))
        program.start()
        pipe.receive(found.extend, deadline())
        program.join()
    assert found == data
    assert (inside.left(), inside.ran) == ([], ["mkdir"])


def test_a_program_that_ends_before_it_writes_has_written_nothing(inside: Inside) -> None:
    found = bytearray()
    with open_pipe(os.getpid(), inside.run) as pipe:
        assert pipe is not None
        pipe.end()
        pipe.receive(found.extend, deadline())
    assert (bytes(found), inside.left()) == (b"", [])


def test_waiting_for_a_silent_program_ends_at_the_deadline(inside: Inside) -> None:
    with open_pipe(os.getpid(), inside.run) as pipe:
        assert pipe is not None
        with pytest.raises(DeadlineExceededError):
            pipe.receive(lambda _: None, deadline(0))
    assert inside.left() == []


def test_a_program_that_comes_too_late_finds_no_place_to_write_to(inside: Inside) -> None:
    with open_pipe(os.getpid(), inside.run) as pipe:
        assert pipe is not None
    with pytest.raises(FileNotFoundError):
        write(pipe, b"late")


def test_a_container_that_cannot_be_reached_has_no_pipe_and_is_left_alone(inside: Inside) -> None:
    with open_pipe(NOBODY, inside.run) as pipe:
        assert pipe is None
    assert (inside.left(), inside.ran) == ([], [])


def test_another_process_of_the_same_number_is_not_taken_for_the_container(inside: Inside) -> None:
    inside.also = Path.rmdir  # the real container has the folder, this one does not
    with open_pipe(os.getpid(), inside.run) as pipe:
        assert pipe is None
    assert inside.ran == ["mkdir", "rm"]


def test_a_container_without_a_place_for_it_has_no_pipe(inside: Inside) -> None:
    with open_pipe(os.getpid(), lambda _: False) as pipe:
        assert pipe is None
    assert inside.left() == []


@pytest.mark.parametrize("plant", [Path.touch, lambda at: at.symlink_to("/etc/passwd"), Path.mkdir])
def test_what_somebody_else_has_put_in_its_place_is_not_opened(inside: Inside, plant: Callable[[Path], object]) -> None:
    inside.also = lambda folder: plant(folder / "pipe")
    with open_pipe(os.getpid(), inside.run) as pipe:
        assert pipe is None
    assert inside.ran == ["mkdir", "rm"]


def test_a_pipe_that_a_killed_process_has_left_goes_and_lets_its_program_go(inside: Inside) -> None:
    left = inside.directory / "upgrade-orchestrator-pipe-left"
    left.mkdir()
    os.mkfifo(left / "pipe")

    def begin() -> None:
        with suppress(FileNotFoundError):  # it may come too late
            os.close(os.open(left / "pipe", os.O_WRONLY))

    program = threading.Thread(target=begin, daemon=True)
    program.start()
    for name in ("upgrade-orchestrator-pipe-odd", "another"):
        (inside.directory / name).mkdir()
        (inside.directory / name / "pipe").touch()
    with open_pipe(os.getpid(), inside.run):
        assert not left.exists()
    assert inside.left() == ["another", "upgrade-orchestrator-pipe-odd"]
    program.join(timeout=10)
    assert not program.is_alive()
