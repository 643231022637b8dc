"""A plain SQL dump as the server's own tool writes it, small."""

from __future__ import annotations

import json
import re

from tests.tools.things import FakeDb, Schema

TRAILER = "--\n-- PostgreSQL database dump complete\n--\n"
_COMMENT = re.compile(r"^COMMENT ON SCHEMA public IS '(?P<words>.*)';$", re.MULTILINE)
_COPY = re.compile(r"^COPY (?P<table>\S+) \(entry\) FROM stdin;\n(?P<rows>(?:.*\n)*?)\\\.\n", re.MULTILINE)


def build_dump(database: FakeDb) -> bytes:
    """The dump of a database."""
    words = json.dumps({"schema": database.schema, "torn": database.torn})
    parts = [
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n",
        f"COMMENT ON SCHEMA public IS '{words}';\n",
        *(f"CREATE TABLE {table} (\n    entry text\n);\n" for table in database.tables),
        *(_build_copy(table, rows) for table, rows in database.tables.items()),
        TRAILER,
    ]
    return "\n".join(parts).encode()


def parse_dump(dump: bytes, *, owner: str) -> FakeDb:
    """The database that a dump describes.

    Raises:
        ValueError: it does not end as a dump does, or says nothing of its schema.
    """
    text = dump.decode()
    comment = _COMMENT.search(text)
    if not is_complete(dump) or (comment is None and _COPY.search(text)):
        raise ValueError("the dump is cut")
    words: dict[str, Schema | bool] = json.loads(comment["words"]) if comment else {"schema": "empty", "torn": False}
    tables = {found["table"]: found["rows"].splitlines() for found in _COPY.finditer(text)}
    return FakeDb(words["schema"], tables, owner, torn=bool(words["torn"]))


def count_rows(dump: bytes) -> dict[str, int]:
    """Rows of each table in a dump."""
    return {found["table"]: len(found["rows"].splitlines()) for found in _COPY.finditer(dump.decode())}


def is_complete(dump: bytes) -> bool:
    """Whether the trailer is where it belongs."""
    return dump.rstrip().endswith(TRAILER.rstrip().encode())


def _build_copy(table: str, rows: list[str]) -> str:
    return "\n".join([f"COPY {table} (entry) FROM stdin;", *rows, "\\.", "", ""])
