"""Reading and replacing variables of an env file."""

import os
from pathlib import Path

import pytest

from orchestrator.adapters.compose.env_file import find_variable, read_environment, replace_variable
from orchestrator.core.atomic_write import write_atomically


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=v1\n", "A=v2\n"),
        ("A=v1", "A=v2"),
        ("# A=v0\r\nA=v1\r\nB=1\r\n", "# A=v0\r\nA=v2\r\nB=1\r\n"),
        ("  export A = v1  # why\n", "  export A = v2  # why\n"),
        ("A='v1' # x\n", "A='v2' # x\n"),
        ('A="v1"\n', 'A="v2"\n'),
        ("A=v0\nA=v1\n", "A=v0\nA=v2\n"),
        ("A=\nB=1\n", "A=v2\nB=1\n"),
        ("\ufeffA=v1\n", "\ufeffA=v2\n"),
        ("N='\nA=v0\n'\nA=v1\n", "N='\nA=v0\n'\nA=v2\n"),
        ("AA=v1\nA=v1\nA_B=v1\n", "AA=v1\nA=v2\nA_B=v1\n"),
    ],
)
def test_replacing_a_variable_keeps_every_other_byte(before: str, after: str) -> None:
    assert replace_variable(before, "A", "v2") == after
    assert find_variable(after, "A") == "v2"


def test_the_last_assignment_counts() -> None:
    assert find_variable("A=1\nA=2 # new\n", "A") == "2"


def test_a_comment_assigns_nothing() -> None:
    assert find_variable("#A=1\n", "A") is None
    with pytest.raises(KeyError):
        replace_variable("#A=1\n", "A", "v2")


def test_a_value_that_needs_quotes_is_refused() -> None:
    with pytest.raises(ValueError, match="quotes"):
        replace_variable("A=1\n", "A", "v2\nB=evil")


def test_an_environment_is_read_without_quotes_and_comments() -> None:
    text = "A=1 # one\nB='two # words'\nexport C=\"three\"\nD=a#b\n"
    assert read_environment(text) == {"A": "1", "B": "two # words", "C": "three", "D": "a#b"}


def test_writing_keeps_mode_and_link_and_leaves_nothing_behind(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"A=1")
    real.chmod(0o640)
    link = tmp_path / ".env"
    link.symlink_to(real)
    write_atomically(link, b"A=2")
    assert link.is_symlink()
    assert real.read_bytes() == b"A=2"
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "real"]


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / ".env"
    path.write_bytes(b"A=1")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"A=2")
    assert path.read_bytes() == b"A=1"
    assert list(tmp_path.iterdir()) == [path]
