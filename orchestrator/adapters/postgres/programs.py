"""The one door to a PostgreSQL server: how every program of ours is called, and which settings it keeps to.

A role that owns a database can give it settings, and put functions, operators and casts of its own in the way of ours.
What a session asks for when it connects wins over what was set for a database or a role, so each setting that could
change what our words mean is asked for here. Operators and functions are found in ``pg_catalog`` alone.
"""

import re
from collections.abc import Mapping

from orchestrator.adapters.postgres import sql

PINNED: Mapping[str, str] = {
    "search_path": "pg_catalog,pg_temp",  # pg_temp is searched first, unless it is named
    "role": "none",
    "session_replication_role": "origin",
    "row_security": "off",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "client_min_messages": "warning",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    "constraint_exclusion": "off",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "bytea_output": "hex",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "xmloption": "content",
    "xmlbinary": "base64",
    "default_tablespace": "",
    "temp_tablespaces": "",
    "default_table_access_method": "heap",
    "exit_on_error": "off",
    "local_preload_libraries": "",
}
"""What every server knows and a superuser may ask for."""

OFFERED: Mapping[str, str] = {
    "event_triggers": "off",  # 17: one for log-ins would run as us
    "transaction_timeout": "0",  # 17
    "restrict_nonsystem_relation_kind": "view,foreign-table",  # a table that becomes a view under us is not read
    "idle_session_timeout": "0",  # 14
    "session_preload_libraries": "",
    "lc_messages": "C",
}
"""What a server may not know, or refuse to a user who is no superuser; it says so by name."""

_SINCE = {"event_triggers": 17, "transaction_timeout": 17, "idle_session_timeout": 14}
_MAJOR_IN_PATH = re.compile(r"/postgresql/(\d{1,3})/bin")


def choose_offered(environment: Mapping[str, str]) -> Mapping[str, str]:
    """`OFFERED` without what a server of the major version that its container's variables name does not know."""
    found = _MAJOR_IN_PATH.search(environment.get("PATH", ""))
    said = environment.get("PG_MAJOR", "") or (found[1] if found else "")
    major = int(said) if said.isascii() and said.isdecimal() and len(said) <= 3 else None  # noqa: PLR2004 - digits
    return {name: value for name, value in OFFERED.items() if major is None or _SINCE.get(name, 0) <= major}


# A statement that fails or is logged would take what it says into the log of the server, password hashes among it.
UNLOGGED: Mapping[str, str] = {
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
}


_NEVER = 1000
_FIRST_FIXED: Mapping[int, int] = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
_VERSION = re.compile(r"\(PostgreSQL\) (\d{1,3})\.(\d{1,3})")


def find_fault(said: str) -> str | None:
    """What is wrong with the clients whose ``--version`` said this; None: nothing.

    Before these versions a name in a database could put commands of ``psql`` into a dump of it (CVE-2025-8714, -8715),
    and ``psql`` had no way to leave them aside.
    """
    found = _VERSION.search(said)
    if found is None:
        return "a version that cannot be read; it must be one that has `\\restrict`"
    major, minor = int(found[1]), int(found[2])
    if major > max(_FIRST_FIXED) or minor >= _FIRST_FIXED.get(major, _NEVER):
        return None
    fixed = ", ".join(f"{one}.{first}" for one, first in _FIRST_FIXED.items() if one >= major)
    return f"PostgreSQL {major}.{minor}; the first that are fixed: {fixed}"


def build_environment(application: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Environment of a program: a name of its own, and the settings of its session."""
    return {"PGAPPNAME": application, "PGOPTIONS": _build_options(settings), "PGCLIENTENCODING": "UTF8"}


def build_psql(user: str, database: str, *options: str) -> list[str]:
    """``psql`` that obeys no start file, stops at the first error and never asks for a password."""
    quiet = ["psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"]
    return [*quiet, *options, "-U", user, "-d", sql.quote_connection(database)]


def build_dump(user: str, database: str, *options: str) -> list[str]:
    """``pg_dump`` of one database as plain SQL."""
    dump = ["pg_dump", "--format=plain", "--encoding=UTF8", "--lock-wait-timeout=30s", "--no-password"]
    return [*dump, *options, "-U", user, "-d", sql.quote_connection(database)]


def build_version() -> list[str]:
    """``psql`` that tells its version."""
    return ["psql", "--version"]


def build_roles_dump(user: str) -> list[str]:
    """``pg_dumpall`` of the roles, their password hashes among them."""
    return ["pg_dumpall", "--roles-only", "-w", "-U", user]


def build_log_reading(programs: str, log: str, timeline: str, start: str, end: str) -> list[str]:
    """``pg_waldump`` of the server's own version: the records of its log from ``start`` up to ``end``, one a line."""
    ends = (f"--path={log}", f"--timeline={int(timeline, 16)}", f"--start={start}", f"--end={end}")
    return [f"{programs}/pg_waldump", *ends]


def _build_options(settings: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={_escape(value)}" for name, value in settings.items())


# The server splits at spaces, and takes what follows a backslash as it is.
def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
