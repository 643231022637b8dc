"""The project's ``.env``: finding a variable, replacing it and no other byte, writing durably.

The syntax is that of Compose: ``export``, quotes (also over several lines), trailing comments; of two
assignments of one name the last one counts.
"""

import re
from pathlib import Path

from orchestrator.core.atomic_write import write_atomically
from orchestrator.core.files import read_file

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


def _span(match: re.Match[str]) -> tuple[int, int]:
    group = next(name for name in ("single", "double", "bare") if match[name] is not None)
    start, end = match.span(group)
    if group == "bare":
        end = start + len(match["bare"].rstrip())
    return start, end
