"""The project's ``.env``: finding a variable, replacing it and no other byte, writing durably.

The syntax is that of Compose: ``export``, quotes (also over several lines), trailing comments; of two
assignments of one name the last one counts.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from orchestrator.files import read_file

_ASSIGNMENT = re.compile(
    r"""
    ^\ufeff?[ \t]* (?:export[ \t]+)? (?P<name>[A-Za-z_][A-Za-z0-9_.\-]*) [ \t]* [=:] [ \t]*
    (?: '(?P<single>(?:\\'|[^'])*)' | "(?P<double>(?:\\.|[^"\\])*)" | (?P<bare>(?:[^\r\n\ \t]|[ \t]++(?!\#))*) )
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-z0-9_.:@/+-]*")


def find_variable(text: str, name: str) -> str | None:
    """Value of the last assignment of ``name``, without its quotes; None if there is none."""
    return read_environment(text).get(name)


def replace_variable(text: str, name: str, value: str) -> str:
    """Return ``text`` with the last assignment of ``name`` set to ``value``, in the quotes that it has.

    Raises:
        KeyError: the name is not assigned.
        ValueError: the value would need quoting; pins do not.
    """
    if not _PLAIN.fullmatch(value):
        raise ValueError(f"{value!r} cannot be written without quotes")
    found = [match for match in _ASSIGNMENT.finditer(text) if match["name"] == name]
    if not found:
        raise KeyError(name)
    start, end = _span(found[-1])
    return text[:start] + value + text[end:]


def read_environment(text: str) -> dict[str, str]:
    """All assignments with quotes and comments taken off; references to other variables stay as they are."""
    return {match["name"]: match.string[slice(*_span(match))] for match in _ASSIGNMENT.finditer(text)}


def read_text(path: Path) -> str:
    """The file so that `write_text` gives back each byte; bytes that are no UTF-8 survive as surrogates.

    Raises:
        OSError: it cannot be read.
    """
    return read_file(path).decode("utf-8", "surrogateescape")


def write_text(path: Path, text: str) -> None:
    """Replace the file's content with what `read_text` and `replace_variable` have given.

    Raises:
        OSError: as `write_atomically`.
    """
    write_atomically(path, text.encode("utf-8", "surrogateescape"))


def write_atomically(path: Path, content: bytes, *, mode: int | None = None, follow: bool = True) -> None:
    """Replace the file, or the one its symbolic links lead to, as a whole; without ``follow`` a link itself.

    Mode and owner stay unless ``mode`` is given; a new file is 0600. Durable on return.

    Raises:
        OSError: it cannot be written; nothing is changed and nothing is left behind.
    """
    target = path.resolve() if follow else path
    before = target.stat() if follow and target.exists() else None
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if before is not None:
                _give_owner(stream.fileno(), before)
            os.fchmod(stream.fileno(), _choose_mode(mode, before))
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_folder(target.parent)


def explain_unwritable(path: Path) -> str | None:
    """Why `write_atomically` could not replace the file, as the end of a sentence; None if it could."""
    target = path.resolve()
    if not os.access(target.parent, os.W_OK | os.X_OK):
        return f"no file can be created in {target.parent}"
    status = target.stat()
    if os.geteuid() != 0 and status.st_uid != os.geteuid():
        return "it belongs to another user, to whom it could not be given back"
    if os.geteuid() != 0 and status.st_gid not in {os.getegid(), *os.getgroups()}:
        return "it belongs to a group that we are not in"
    return None


def _span(match: re.Match[str]) -> tuple[int, int]:
    group = next(name for name in ("single", "double", "bare") if match[name] is not None)
    start, end = match.span(group)
    if group == "bare":
        end = start + len(match["bare"].rstrip())
    return start, end


def _give_owner(descriptor: int, before: os.stat_result) -> None:
    ours = os.fstat(descriptor)
    if (ours.st_uid, ours.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)


def _choose_mode(mode: int | None, before: os.stat_result | None) -> int:
    if mode is not None:
        return mode
    return before.st_mode & 0o7777 if before is not None else 0o600


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
