"""Who may run which statement of a dump; pure.

By default nobody but a stand-in of its owner, who has no rights of their own. The superuser runs by name what nobody
else can, and none of it runs anything that the database holds: it only writes to the catalog.
"""

import re
from enum import Enum, auto

from orchestrator.adapters.postgres.dump_scan import find_unquoted


class Route(Enum):
    """What becomes of a statement."""

    OWNER = auto()
    """The stand-in of its owner runs it."""
    SERVER = auto()
    """The superuser runs it at once; the object is the stand-in's then."""
    ATTACH = auto()
    """As `SERVER`, where comparing the bounds runs nothing of the database's; otherwise as `OWNER`."""
    SETTING = auto()
    """It goes before whatever follows."""
    REOWNING = auto()
    """It says whose an object is."""
    RIGHTS = auto()
    """The superuser runs it when everything is there."""
    LATER = auto()
    """As `RIGHTS`, behind them."""
    REFRESH = auto()
    """The stand-in of its owner runs it when the rights are there."""
    LAST = auto()
    """The superuser runs it behind everything else: a trigger of events would run with what follows it."""
    NOTHING = auto()
    """Nobody needs to."""


_NAME = rb'(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")'
_STARTS: tuple[tuple[Route, re.Pattern[bytes]], ...] = tuple(
    (route, re.compile(pattern))
    for route, pattern in (
        (Route.NOTHING, rb"(?:BEGIN|COMMIT);\s*\Z"),
        (Route.RIGHTS, rb"(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|SET SESSION AUTHORIZATION) "),
        (Route.RIGHTS, rb"RESET SESSION AUTHORIZATION;"),
        (Route.SETTING, rb"SET [a-zA-Z_]+ = "),
        (Route.SETTING, rb"SELECT pg_catalog\.set_config\('search_path', '', false\);\s*\Z"),
        (Route.LAST, rb"(?:CREATE|ALTER|COMMENT ON) EVENT TRIGGER "),
        (Route.REFRESH, rb"REFRESH MATERIALIZED VIEW "),
        (Route.LATER, rb"ALTER SCHEMA public OWNER TO |ALTER FOREIGN DATA WRAPPER |SECURITY LABEL "),
        (Route.LATER, rb"(?:CREATE|ALTER) (?:PUBLICATION|SUBSCRIPTION) "),
        (
            Route.LATER,
            rb"COMMENT ON (?:EXTENSION|SCHEMA|(?:PROCEDURAL )?LANGUAGE|CAST|ACCESS METHOD|FOREIGN DATA WRAPPER|SERVER"
            rb"|PUBLICATION|SUBSCRIPTION|OPERATOR CLASS|OPERATOR FAMILY|TEXT SEARCH PARSER|TEXT SEARCH TEMPLATE"
            rb"|TRANSFORM) ",
        ),
        (
            Route.SERVER,
            rb"CREATE (?:EXTENSION|SCHEMA|CAST|ACCESS METHOD|FOREIGN DATA WRAPPER|SERVER|USER MAPPING|FOREIGN TABLE"
            rb"|OPERATOR CLASS|OPERATOR FAMILY|STATISTICS|TRANSFORM|TEXT SEARCH PARSER|TEXT SEARCH TEMPLATE"
            rb"|(?:OR REPLACE )?(?:TRUSTED )?(?:PROCEDURAL )?LANGUAGE) ",
        ),
        (Route.SERVER, rb"ALTER OPERATOR FAMILY [^;]* ADD\b"),
        (Route.SERVER, rb"ALTER INDEX [^;]* ATTACH PARTITION "),
        (Route.SERVER, rb"CREATE TYPE [^;(]*;|CREATE TYPE [^;(]*\(\s+(?:INTERNALLENGTH|INPUT) = "),
        (Route.SERVER, rb"SELECT pg_catalog\.(?:lo_open|lowrite|lo_close)\([^()]*\);\s*\Z"),
        (Route.SERVER, rb"CREATE (?:UNLOGGED )?TABLE [^;]*\)\s+INHERITS \("),
        (Route.ATTACH, rb"ALTER TABLE ONLY [^;]* ATTACH PARTITION "),
    )
)
_REOWNING = re.compile(rb"ALTER .* OWNER TO (?P<owner>" + _NAME + rb");\s*", re.DOTALL)
_ROUTINE = re.compile(rb"CREATE (?:FUNCTION|PROCEDURE) ")
_LANGUAGE = re.compile(rb"^ {4}(?:TRANSFORM .*)?LANGUAGE (?P<name>\S+)(?P<more>.*)$", re.MULTILINE)
_ANYBODY = frozenset({b"sql", b"plpgsql"})
_SUPERUSERS_WORDS = re.compile(rb"\bLEAKPROOF\b|\bSUPPORT\b")
_GRANTABLE = re.compile(rb" ON (?:TABLE|SEQUENCE|SCHEMA|FUNCTION|PROCEDURE|TYPE|LARGE OBJECT) ")
_GRANTED_BY_SUPERUSERS = re.compile(rb" ON (?:LANGUAGE|FOREIGN SERVER|FOREIGN DATA WRAPPER) ")
_OF_ANYBODY = re.compile(rb"CREATE (?:SCHEMA|CAST|STATISTICS|(?:UNLOGGED )?TABLE) |ALTER INDEX |SELECT pg_catalog\.lo")
_EXTENSION = re.compile(
    rb"CREATE EXTENSION (?:IF NOT EXISTS )?(?P<name>" + _NAME + rb") (?:WITH SCHEMA " + _NAME + rb")?;\s*"
)


def choose_route(statement: bytes) -> Route:
    """What becomes of a statement of a dump."""
    found = next((route for route, pattern in _STARTS if pattern.match(statement)), None)
    if found is not None:
        return found
    if find_new_owner(statement) is not None:
        return Route.REOWNING
    if _ROUTINE.match(statement) and _needs_superuser(statement):
        return Route.SERVER
    return Route.OWNER


def find_new_owner(statement: bytes) -> str | None:
    """Who becomes the owner by this statement, if it gives an object one."""
    if not statement.startswith(b"ALTER ") or b" OWNER TO " not in find_unquoted(statement, backslashes=False):
        return None
    found = _REOWNING.fullmatch(statement)
    return _unquote(found["owner"]) if found else None


def replace_owner(statement: bytes, quoted: str) -> bytes:
    """The same statement for another owner."""
    return statement.rpartition(b" OWNER TO ")[0] + b" OWNER TO " + quoted.encode() + b";\n"


def find_extension(statement: bytes) -> str | None:
    """Name of the extension that a statement creates and does nothing else."""
    found = _EXTENSION.fullmatch(statement)
    return _unquote(found["name"]) if found else None


def is_for_superuser(statement: bytes, route: Route, *, proven: bool) -> bool:
    """Whether the superuser may run this; ``proven``: the dump is one that we have taken and read back.

    Never more than one statement at a time, and no role is made a member of another.
    """
    unquoted = find_unquoted(statement, backslashes=False)
    if unquoted.count(b";") != 1 or not unquoted.rstrip().endswith(b";"):
        return False
    if route is Route.RIGHTS and statement.startswith((b"GRANT ", b"REVOKE ")):
        ours = _GRANTABLE.search(unquoted) is not None and b"pg_catalog" not in statement
        return ours or (proven and (_GRANTED_BY_SUPERUSERS.search(unquoted) or _GRANTABLE.search(unquoted)) is not None)
    if proven or route in {Route.RIGHTS, Route.ATTACH, Route.REOWNING}:
        return True
    if route is Route.LATER:
        return statement.startswith((b"COMMENT ON ", b"ALTER SCHEMA public "))
    return route is Route.SERVER and _OF_ANYBODY.match(statement) is not None and b"WITHOUT FUNCTION" not in unquoted


def _needs_superuser(statement: bytes) -> bool:
    found = _LANGUAGE.search(statement)
    return found is not None and (found["name"] not in _ANYBODY or _SUPERUSERS_WORDS.search(found["more"]) is not None)


def _unquote(name: bytes) -> str:
    return (name[1:-1].replace(b'""', b'"') if name.startswith(b'"') else name).decode("utf-8", "replace")
