"""A dump of about a megabyte, word for word in the format of pg_dump 15."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache

_HEAD = r"""--
-- PostgreSQL database dump
--

\restrict Zl7WmZxGyu5tWvQ4n9ZbZrZ0bYzv2mT2a6hVb0qkS1eXw8cRr3pUoJdLfKgHsNa

-- Dumped from database version 15.14
-- Dumped by pg_dump version 15.14

SET statement_timeout = 0;
SET lock_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;

--
-- Name: Odd Schema; Type: SCHEMA; Schema: -; Owner: keeper
--

CREATE SCHEMA "Odd Schema";


ALTER SCHEMA "Odd Schema" OWNER TO keeper;

--
-- Name: fake(); Type: FUNCTION; Schema: public; Owner: keeper
--

CREATE FUNCTION public.fake() RETURNS text
    LANGUAGE sql
    AS $_$
SELECT '
COPY public.nowhere (a) FROM stdin;
'::text || $$
-- PostgreSQL database dump complete
$$ $_$;


ALTER FUNCTION public.fake() OWNER TO keeper;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: a"b; Type: TABLE; Schema: Odd Schema; Owner: keeper
--

CREATE TABLE "Odd Schema"."a""b" (
    "x y" integer DEFAULT 1,
    note text DEFAULT 'it''s; --'::text
);


ALTER TABLE "Odd Schema"."a""b" OWNER TO keeper;

--
-- Name: entries; Type: TABLE; Schema: public; Owner: keeper
--

CREATE TABLE public.entries (
    id bigint NOT NULL,
    note text,
    written_at timestamp with time zone
);


ALTER TABLE public.entries OWNER TO keeper;

--
-- Name: TABLE entries; Type: COMMENT; Schema: public; Owner: keeper
--

COMMENT ON TABLE public.entries IS 'what was said;
COPY public.said (a) FROM stdin;';


--
-- Name: settings; Type: TABLE; Schema: public; Owner: keeper
--

CREATE TABLE public.settings (
    key text NOT NULL,
    value jsonb
);


ALTER TABLE public.settings OWNER TO keeper;

--
-- Name: 16444; Type: BLOB; Schema: -; Owner: keeper
--

SELECT pg_catalog.lo_create('16444');


ALTER LARGE OBJECT 16444 OWNER TO keeper;

"""
_TAIL = r"""--
-- Name: entries entries_pkey; Type: CONSTRAINT; Schema: public; Owner: keeper
--

ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (id);


--
-- PostgreSQL database dump complete
--

\unrestrict Zl7WmZxGyu5tWvQ4n9ZbZrZ0bYzv2mT2a6hVb0qkS1eXw8cRr3pUoJdLfKgHsNa

"""
_NOTES = (r"line\n\\.\nCOPY x FROM stdin;", r"it's", r"\N", r"tab\there", '"quoted" $$ /* not a comment', "Grüße")
_ENTRIES = 8000


@cache
def build_plain_dump(seed: int) -> bytes:
    """A dump; another ``seed`` gives other data in the same tables, with as many rows."""
    chance = random.Random(seed)
    entries = (
        f"{number}\t{chance.choice(_NOTES)} {chance.randbytes(32).hex()}\t2026-01-05 02:00:00+00"
        for number in range(_ENTRIES)
    )
    parts = (
        _HEAD,
        _copy('"Odd Schema"."a""b" ("x y", note)', (f"{number}\tit's" for number in range(10))),
        _copy("public.entries (id, note, written_at)", entries),
        _copy("public.settings (key, value)", (r'motto	{"text": "a \\"b\\""}', "empty\t\\N")),
        _large_object(chance.randbytes(16 * 1024)),
        _TAIL,
    )
    return "".join(parts).encode()


def _copy(columns: str, rows: Iterable[str]) -> str:
    table = columns[: columns.rindex(" (")]
    title = f"--\n-- Data for Name: {table}; Type: TABLE DATA; Schema: -; Owner: keeper\n--\n\n"
    return "\n".join([f"{title}COPY {columns} FROM stdin;", *rows, "\\.", "", "", ""])


def _large_object(content: bytes) -> str:
    return (
        "--\n-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -\n--\n\nBEGIN;\n\n"
        "SELECT pg_catalog.lo_open('16444', 131072);\n"
        f"SELECT pg_catalog.lowrite(0, '\\x{content.hex()}');\n"
        "SELECT pg_catalog.lo_close(0);\n\nCOMMIT;\n\n"
    )
