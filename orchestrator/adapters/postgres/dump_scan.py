"""Reads a plain pg_dump stream as it passes: rows of each table, and whether the dump is whole.

Text outside of COPY blocks is read as SQL, so that the body of a function, a comment on a column or a string
that looks like a COPY block or like the trailer counts for nothing.
"""

import re

TRAILER = b"-- PostgreSQL database dump complete"

_END_OF_DATA = b"\n\\.\n"
_FIND_END_OF_DATA = re.compile(re.escape(_END_OF_DATA)).search  # half again as fast as `bytes.find`
_PLAIN, _ESCAPED, _NAME, _REMARK = b"'", b"e'", b'"', b"*/"
_COPY = re.compile(
    rb'COPY (?P<schema>"(?:[^"]|"")+"|[^\s".(]+)\.(?P<table>"(?:[^"]|"")+"|[^\s".(]+) +(?:\(.*\) )?FROM stdin;\n',
    re.DOTALL,
)
_OPENING = re.compile(
    rb"--.*|(?P<remark>/\*)|(?P<escaped>\b[eE]')|(?P<plain>')|(?P<name>\")"
    rb"|(?<![\w$])(?P<dollar>\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$)"
)
_QUOTING = re.compile(_OPENING.pattern.replace(rb"--.*|(?P<remark>/\*)|", b"(?P<remark>(?!))|"))
_ESCAPED_CLOSING = re.compile(rb"(?:[^'\\]|\\.)*'", re.DOTALL)


class DumpScanner:
    """Fed with the chunks of a dump, cut anywhere; asked at the end.

    ``rows`` is keyed ``schema.table`` without quotes and has every table that the dump has data of, also none.
    """

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.size_bytes = 0
        self._table: str | None = None
        self._carry = b""  # within data: the start of what may be its end; otherwise: a line without its end
        self._statement = b""
        self._quote: bytes | None = None
        self._backslashes = False
        self._restricted = False
        self._trailer_seen = False
        self._spoiled = False

    @property
    def complete(self) -> bool:
        """Whether the dump has its trailer, and after it nothing that does anything."""
        at_rest = self._table is None and self._quote is None and not self._carry and not self._restricted
        return self._trailer_seen and at_rest and not self._spoiled

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the dump, any number of them."""
        self.size_bytes += len(chunk)
        position = 0
        while position < len(chunk):
            read = self._read_line if self._table is None else self._read_data
            position = read(chunk, position)

    def _read_line(self, chunk: bytes, position: int) -> int:
        end = chunk.find(b"\n", position) + 1
        if end == 0:
            self._carry += chunk[position:]
            return len(chunk)
        line, self._carry = self._carry + chunk[position:end], b""
        self._take_line(line)
        return end

    # The newline that a carry begins with is counted already: it ended the COPY line or the row before.
    # Behind a position within the chunk it is in the chunk too, so that nothing has to be joined.
    def _read_data(self, chunk: bytes, position: int) -> int:
        joined = b"" if position else self._carry
        data = joined + chunk if joined else chunk
        start = max(position - 1, 0)
        found = _FIND_END_OF_DATA(data, start)
        at = found.start() if found else -1
        self._count(data.count(b"\n", start + len(self._carry[:1]), at + 1 if at >= 0 else len(data)))
        if at < 0:
            self._carry = _held_back(data)
            return len(chunk)
        self._table, self._carry = None, b""
        return at + len(_END_OF_DATA) - len(joined)

    def _count(self, rows: int) -> None:
        if self._table is not None:
            self.rows[self._table] += rows

    def _take_line(self, line: bytes) -> None:
        outside = self._quote is None
        if outside and not self._statement:
            self._judge_trailer(line)
        if self._statement or (outside and line.startswith(b"COPY ")):
            self._statement += line
        self._quote = _advance(line, self._quote, backslashes=self._backslashes)
        if self._statement and self._quote is None:
            self._open_table(self._statement)
            self._statement = b""

    def _open_table(self, statement: bytes) -> None:
        found = _COPY.fullmatch(statement)
        if found is not None:
            self._table = f"{_unquoted(found['schema'])}.{_unquoted(found['table'])}"
            self.rows.setdefault(self._table, 0)
            self._carry = b"\n"

    def _judge_trailer(self, line: bytes) -> None:
        text = line.rstrip(b"\n")
        if text.startswith(b"\\restrict "):
            self._restricted = True
        elif text.startswith(b"\\unrestrict "):
            self._restricted = False
            return
        elif text.startswith(b"SET standard_conforming_strings = "):
            self._backslashes = text.endswith(b"off;")
        if text == TRAILER:
            self._trailer_seen = True
        elif self._trailer_seen and text and not text.startswith(b"--"):
            self._spoiled = True


def find_unquoted(statement: bytes, *, backslashes: bool) -> bytes:
    """What of a statement stands outside of all quotes; a comment counts as outside."""
    found, position = bytearray(), 0
    while opening := _QUOTING.search(statement, position):
        found += statement[position : opening.start()] + b" "
        close = _find_close(statement, opening.end(), _opened(opening, backslashes=backslashes) or b"")
        if close < 0:
            return bytes(found)
        position = close
    return bytes(found + statement[position:])


def _held_back(text: bytes) -> bytes:
    """The end of ``text`` that may be the beginning of the end of the data."""
    for length in (3, 2, 1):
        if text.endswith(_END_OF_DATA[:length]):
            return _END_OF_DATA[:length]
    return b""


def _advance(line: bytes, quote: bytes | None, *, backslashes: bool) -> bytes | None:
    """What is still open at the end of a line: a closing mark, or None outside of everything quoted."""
    position = 0
    while position < len(line):
        if quote is None:
            opening = _OPENING.search(line, position)
            if opening is None:
                return None
            quote, position = _opened(opening, backslashes=backslashes), opening.end()
        else:
            position = _find_close(line, position, quote)
            if position < 0:
                return quote
            quote = None
    return quote


def _opened(found: re.Match[bytes], *, backslashes: bool) -> bytes | None:
    if found["plain"]:
        return _ESCAPED if backslashes else _PLAIN
    marks = {"remark": _REMARK, "escaped": _ESCAPED, "name": _NAME, "dollar": found["dollar"]}
    return marks.get(found.lastgroup or "")


def _find_close(line: bytes, position: int, quote: bytes) -> int:
    """Position behind the closing mark, -1 where the line has none."""
    if quote == _ESCAPED:
        found = _ESCAPED_CLOSING.match(line, position)
        return -1 if found is None else found.end()
    at = line.find(quote, position)
    return -1 if at < 0 else at + len(quote)


def _unquoted(name: bytes) -> str:
    if name.startswith(b'"'):
        name = name[1:-1].replace(b'""', b'"')
    return name.decode("utf-8", "replace")
