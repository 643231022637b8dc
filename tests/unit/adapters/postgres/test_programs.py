"""One module says how programs are called that speak to a server, and no other calls one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.adapters.postgres import programs

CHECKOUT = Path(__file__).resolve().parents[4]
CLIENTS = {"psql", "pg_dump", "pg_dumpall", "pg_restore", "createdb", "dropdb", "vacuumdb"}
PRINTED = {"orchestrator/adapters/postgres/recovery.py"}
"""They print commands for an operator, and run none."""


def find_words(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_other_module_calls_a_client_of_postgresql() -> None:
    sources = [path for folder in ("orchestrator", "states", "webapi") for path in (CHECKOUT / folder).rglob("*.py")]
    assert len(sources) > 100
    calling = {str(path.relative_to(CHECKOUT)) for path in sources if CLIENTS & set(find_words(path))}
    assert calling - PRINTED == {"orchestrator/adapters/postgres/programs.py"}


def test_no_start_file_and_no_other_database_can_come_with_a_name() -> None:
    argv = programs.build_psql("o'wner", "a' host=elsewhere", "-o", "/dev/null")
    assert argv[:2] == ["psql", "-X"]
    assert argv[-4:] == ["-U", "o'wner", "-d", "dbname='a\\' host=elsewhere'"]


@pytest.mark.parametrize("value", ["plain", "read committed", "a\\ b"])
def test_the_server_reads_a_setting_as_it_was_meant(value: str) -> None:
    options = programs.build_environment("name", {"first": "1", "one": value, "last": "2"})["PGOPTIONS"]
    assert split_like_the_server(options) == ["-c", "first=1", "-c", f"one={value}", "-c", "last=2"]


def split_like_the_server(options: str) -> list[str]:
    """As `pg_split_opts` of the server does."""
    words, word, escaped = [], "", False
    for character in options:
        if escaped or character not in "\\ ":
            word, escaped = word + character, False
        elif character == "\\":
            escaped = True
        elif word:
            words.append(word)
            word = ""
    return [*words, word] if word else words


def test_every_setting_that_a_database_could_turn_against_us_is_pinned() -> None:
    assert programs.PINNED["search_path"].split(",") == ["pg_catalog", "pg_temp"], "in this order, and nothing else"
    turned = {"role", "row_security", "standard_conforming_strings", "transform_null_equals", "local_preload_libraries"}
    assert turned | {"default_transaction_read_only", "statement_timeout", "TimeZone", "bytea_output"} <= set(
        programs.PINNED
    )
    assert {"event_triggers", "restrict_nonsystem_relation_kind", "session_preload_libraries"} <= set(programs.OFFERED)


def test_the_reader_of_the_log_is_told_timeline_and_both_ends() -> None:
    assert programs.build_log_reading("/usr/lib/postgresql/15/bin", "/data/pg_wal", "0000000A", "0/1", "0/2") == [
        "/usr/lib/postgresql/15/bin/pg_waldump",
        "--path=/data/pg_wal",
        "--timeline=10",
        "--start=0/1",
        "--end=0/2",
    ]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("psql (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", None),
        ("psql (PostgreSQL) 18.0", None),
        ("psql (PostgreSQL) 15.13", "PostgreSQL 15.13; the first that are fixed: 15.14, 16.10, 17.6"),
        ("psql (PostgreSQL) 12.22", "PostgreSQL 12.22; the first that are fixed: 13.22, 14.19, 15.14, 16.10, 17.6"),
        ("", "a version that cannot be read; it must be one that has `\\restrict`"),
    ],
)
def test_a_client_whose_dumps_may_hold_commands_is_named_with_the_fixed_version(said: str, fault: str | None) -> None:
    assert programs.find_fault(said) == fault


@pytest.mark.parametrize(
    ("environment", "left_out"),
    [
        ({}, set()),
        ({"PG_MAJOR": "15"}, {"event_triggers", "transaction_timeout"}),
        ({"PG_MAJOR": "13"}, {"event_triggers", "transaction_timeout", "idle_session_timeout"}),
        ({"PG_MAJOR": "17"}, set()),
        ({"PATH": "/usr/lib/postgresql/15/bin:/usr/bin"}, {"event_triggers", "transaction_timeout"}),
        ({"PG_MAJOR": "next", "PATH": "/usr/bin"}, set()),
    ],
)
def test_a_setting_that_a_server_of_that_version_does_not_know_is_not_asked_for(
    environment: dict[str, str], left_out: set[str]
) -> None:
    assert set(programs.OFFERED) - set(programs.choose_offered(environment)) == left_out
