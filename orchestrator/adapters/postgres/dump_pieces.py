"""A plain pg_dump stream taken apart as it passes: statements, each with its entry, and the rows of tables.

What a dump of `pg_dump` never has is refused: psql's own commands, comments within a statement. Each of them could
be read by ``psql`` as something else than by us, and would be run in the container of the database.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.adapters.postgres.dump_scan import DumpScanner, find_unquoted
from orchestrator.core.errors import DatabaseError

_ROW_TYPES = frozenset({"TABLE DATA", "SEQUENCE SET", "BLOBS"})
_LATER_TYPES = frozenset(
    {"CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT", "INDEX", "INDEX ATTACH", "STATISTICS", "TRIGGER", "RULE"}
    | {"POLICY", "ROW SECURITY", "MATERIALIZED VIEW DATA"}
)
_MOST_LINES = 2_000  # of a statement with semicolons in it, which is read anew at each of them
_ROUTINE = re.compile(rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b", re.IGNORECASE)
_NESTING = re.compile(rb"[()]|\b(?:begin|case|end)\b", re.IGNORECASE)
_FOREIGN_MARKS = (b"\\", b"/*", b"--")
_KEYS = (b"\\restrict ", b"\\unrestrict ")


@dataclass(frozen=True)
class Entry:
    """The comment above a part of a dump: what it is, and whose. ``owner`` is None where it names nobody."""

    type: str = ""
    schema: str | None = None
    owner: str | None = None

    @property
    def phase(self) -> str:
        """Before the rows, the rows, or what is built on them."""
        if self.type in _ROW_TYPES:
            return "rows"
        return "after" if self.type in _LATER_TYPES else "before"


@dataclass(frozen=True)
class Piece:
    """A whole statement, or some bytes of the rows that follow a COPY."""

    text: bytes
    entry: Entry
    rows: bool = False


class DumpSplitter(DumpScanner):
    """Fed with the chunks of a dump; `take` hands out what is whole so far."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[Piece] = []
        self._entry = Entry()
        self._lines: list[bytes] = []

    @property
    def complete(self) -> bool:
        """As of every dump; and no statement is left without its end."""
        return super().complete and not self._lines

    def take(self) -> list[Piece]:
        """The pieces since the last time."""
        taken, self._pieces = self._pieces, []
        return taken

    def _read_data(self, chunk: bytes, position: int) -> int:
        end = super()._read_data(chunk, position)
        self._pieces.append(Piece(chunk[position:end], self._entry, rows=True))
        return end

    def _take_line(self, line: bytes) -> None:
        fresh = not self._lines and self._quote is None
        if fresh and (not line.strip() or line.startswith((b"--", *_KEYS))):
            self._entry = read_entry(line) or self._entry
            super()._take_line(line)
            return
        self._lines.append(line)
        super()._take_line(line)
        if self._table is not None and not self._lines[0].startswith(b"COPY "):
            raise _unlawful()
        if self._quote is None and line.rstrip().endswith(b";"):
            self._end_statement()

    def _end_statement(self) -> None:
        statement = b"".join(self._lines)
        unquoted = find_unquoted(statement, backslashes=self._backslashes)
        if any(mark in unquoted for mark in _FOREIGN_MARKS):
            raise _unlawful()
        if _is_open(unquoted):
            if len(self._lines) > _MOST_LINES:
                raise _unlawful()
            return
        self._lines = []
        self._pieces.append(Piece(statement, self._entry))


def split_dump(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """Take a dump apart, and raise before its end if it was cut.

    Raises:
        DatabaseError: ``database.restore_failed``: raised before anything of the statement in question is handed out.
    """
    splitter = DumpSplitter()
    for chunk in chunks:
        splitter.feed(chunk)
        yield from splitter.take()
    if not splitter.complete:
        raise DatabaseError(
            "database.restore_failed",
            "The dump ends before its last line.",
            impact="The new database was dropped again; the live one was not touched.",
            hint="Use another backup.",
        )


def _is_open(unquoted: bytes) -> bool:
    """Whether a parenthesis or the body of a routine is open: a semicolon in one ends no statement for ``psql``."""
    parentheses = bodies = 0
    routine = _ROUTINE.match(unquoted) is not None
    for found in _NESTING.finditer(unquoted):
        word = found[0].lower()
        if word in b"()":
            parentheses += 1 if word == b"(" else -1
        elif routine and parentheses == 0:
            bodies += {b"begin": 1, b"case": min(bodies, 1), b"end": -min(bodies, 1)}[word]
    return parentheses > 0 or bodies > 0


def read_entry(line: bytes) -> Entry | None:
    """The entry that a comment begins, if it does.

    ``-- Name: …; Type: …; Schema: …; Owner: …``, read from its end, because names may hold anything but a line break.
    """
    text = line.decode("utf-8", "replace").rstrip("\n")
    if not text.startswith(("-- Name: ", "-- Data for Name: ")):
        return None
    rest, found, owner = text.rpartition("; Owner: ")
    rest, _, schema = rest.rpartition("; Schema: ")
    kind = rest.rpartition("; Type: ")[2]
    owner = owner.partition("; Tablespace: ")[0]
    return Entry(kind, _named(schema), _named(owner)) if found else None


def _named(word: str) -> str | None:
    return None if word in {"", "-"} else word


def _unlawful() -> DatabaseError:
    return DatabaseError(
        "database.restore_failed",
        "The dump holds a command of psql or a comment within a statement, which no dump of pg_dump has.",
        impact="It was not run; the new database was dropped again, and the live one was not touched.",
        hint="Find out who has written to the file, and use another backup.",
    )
