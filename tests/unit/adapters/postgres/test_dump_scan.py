from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.postgres.dump_scan import DumpScanner

DUMP = rb"""--
-- PostgreSQL database dump
--

\restrict abc

SET standard_conforming_strings = on;
CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $_$
COPY public.fake (a) FROM stdin;
1
\.
-- PostgreSQL database dump complete
$_$;
COMMENT ON TABLE public.a IS 'it''s
COPY public.fake (a) FROM stdin;
';
CREATE VIEW public.v AS SELECT E'\\''
COPY public.fake (a) FROM stdin;
' AS x;
COPY public.a (id, note) FROM stdin;
1	-- PostgreSQL database dump complete
2	\\.
COPY public.b (id) FROM stdin;
\\.
\N
\.

COPY public.none (id) FROM stdin;
\.

COPY public.no_columns  FROM stdin;


\.

COPY "Odd ""schema"."new
line.x" ("a b", "c)") FROM stdin;
1	2
\.

SELECT pg_catalog.setval('public.s', 3, true);
--
-- PostgreSQL database dump complete
--

\unrestrict abc

"""
ROWS = {"public.a": 5, "public.none": 0, "public.no_columns": 2, 'Odd "schema.new\nline.x': 1}


def scan(*chunks: bytes) -> DumpScanner:
    scanner = DumpScanner()
    for chunk in chunks:
        scanner.feed(chunk)
    return scanner


def test_rows_are_counted_in_copy_blocks_only() -> None:
    assert scan(DUMP).rows == ROWS
    assert scan(DUMP).complete


def test_one_cut_anywhere_changes_nothing() -> None:
    for at in range(len(DUMP)):
        scanner = scan(DUMP[:at], DUMP[at:])
        assert (scanner.rows, scanner.complete, scanner.size_bytes) == (ROWS, True, len(DUMP)), at


@given(st.lists(st.integers(0, len(DUMP)), max_size=30))
def test_any_cuts_change_nothing(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(DUMP)]
    scanner = scan(*(DUMP[a:b] for a, b in pairwise(edges)))
    assert (scanner.rows, scanner.complete) == (ROWS, True)


def test_single_bytes_change_nothing() -> None:
    scanner = scan(*(bytes([byte]) for byte in DUMP))
    assert (scanner.rows, scanner.complete) == (ROWS, True)


def test_a_dump_cut_anywhere_before_its_end_is_incomplete() -> None:
    end = DUMP.index(b"\\unrestrict abc\n") + len(b"\\unrestrict abc\n")
    assert [at for at in range(end) if scan(DUMP[:at]).complete] == []


@pytest.mark.parametrize("more", [b"DROP TABLE a;\n", b"COPY public.a (id) FROM stdin;\n\\.\n", b"x"])
def test_anything_that_acts_after_the_trailer_spoils_it(more: bytes) -> None:
    assert not scan(DUMP, more).complete
