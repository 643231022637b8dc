"""A dump taken apart, and texts that `psql` would read as something else than we do."""

import pytest

from orchestrator.adapters.postgres.dump_pieces import Entry, Piece, read_entry, split_dump
from orchestrator.core.errors import DatabaseError

HEAD = b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET standard_conforming_strings = on;\n"
TAIL = b"--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"
DUMP = (
    HEAD
    + b"""--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: a; b
--

CREATE FUNCTION public.f() RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN true THEN 1 ELSE 2 END;
 SELECT 2;
END;

ALTER FUNCTION public.f() OWNER TO "a; b";

--
-- Name: v r; Type: RULE; Schema: public; Owner: app
--

CREATE RULE r AS
    ON INSERT TO public.v DO INSTEAD ( INSERT INTO public.t (a)
  VALUES (new.a);
 DELETE FROM public.t;
);

--
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: app
--

COPY public.t (a) FROM stdin;
\\! touch /tmp/x
GRANT postgres TO app;
\\.

COMMENT ON TABLE public.t IS 'a \\! b -- c /* d';
"""
    + TAIL
)


def split(dump: bytes, size: int = 10**6) -> list[Piece]:
    return list(split_dump(dump[at : at + size] for at in range(0, len(dump), size)))


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_statements_are_whole_and_rows_stay_rows_wherever_the_stream_is_cut(size: int) -> None:
    pieces = split(DUMP, size)
    statements = [piece.text for piece in pieces if not piece.rows]
    assert [text.split(b" ")[0] for text in statements] == [b"SET", b"CREATE", b"ALTER", b"CREATE", b"COPY", b"COMMENT"]
    assert statements[1].endswith(b"END;\n")
    assert statements[3].endswith(b"\n);\n")
    assert b"".join(piece.text for piece in pieces if piece.rows) == b"\\! touch /tmp/x\nGRANT postgres TO app;\n\\.\n"
    assert [piece.entry.owner for piece in pieces if piece.text.startswith(b"COPY")] == ["app"]


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("-- Name: t; Type: TABLE; Schema: public; Owner: app", Entry("TABLE", "public", "app")),
        ("-- Name: t; Type: TABLE; Schema: public; Owner: app; Tablespace: fast", Entry("TABLE", "public", "app")),
        ("-- Data for Name: t; Type: TABLE DATA; Schema: s; Owner: app", Entry("TABLE DATA", "s", "app")),
        (
            "-- Name: a; Type: CAST; Schema: x; Owner: postgres; Type: TABLE; Schema: s; Owner: app",
            Entry("TABLE", "s", "app"),
        ),
        ("-- Name: x; Type: EXTENSION; Schema: -; Owner: -", Entry("EXTENSION", None, None)),
        ("-- Name: EXTENSION x; Type: COMMENT; Schema: -; Owner: ", Entry("COMMENT", None, None)),
        ("-- Dumped by pg_dump version 15.14", None),
    ],
)
def test_an_entry_is_read_from_its_end_so_that_a_name_cannot_forge_an_owner(line: str, entry: Entry | None) -> None:
    assert read_entry(f"{line}\n".encode()) == entry


@pytest.mark.parametrize(
    "text",
    [
        b"\\! id\n",
        b"SELECT 1 \\! id\n;\n",
        b"SELECT 1 \\g |id\n;\n",
        b"\\o |id\nSELECT 1;\n",
        b"\\copy t from program 'id'\n;\n",
        b"\\i /etc/passwd\n;\n",
        b"SELECT 'it''s' \\gset\n;\n",
        b"/* /* */ ' */ \\! id '\n;\n",
        b"SELECT 1; -- ' \n\\! id ';\n",
        b"SELECT (1;\nCOPY public.t (a) FROM stdin;\n\\! id\n\\.\n",
        b"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;\nCOPY public.t (a) FROM stdin;\n\\! id\n\\.\n",
        b"COPY public.t (a) FROM STDIN WITH (FORMAT text);\n1\n\\.\n\\! id\n;\n",
        b"\\unrestrict abc\n\\! id\n;\n",
        b"CREATE FUNCTION public.g() RETURNS int LANGUAGE sql AS $a$ SELECT 1 $a$\\! id\n;\n",
        b"SET standard_conforming_strings = off;\nSELECT 'a\\' \\! id ';\n\\! id\n;\n",
    ],
)
def test_nothing_is_handed_out_that_psql_could_take_for_a_command_of_its_own(text: bytes) -> None:
    handed_out = bytearray()
    with pytest.raises(DatabaseError) as caught:
        for piece in split_dump([HEAD + text + TAIL]):
            handed_out += piece.text
    assert caught.value.code == "database.restore_failed"
    assert b"id" not in handed_out


def test_a_cut_dump_is_refused_at_its_end() -> None:
    with pytest.raises(DatabaseError, match="ends before its last line"):
        split(DUMP[:-40])
