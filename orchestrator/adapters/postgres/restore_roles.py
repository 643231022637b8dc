"""Roles that load a dump in place of the owners of its objects: each with no rights but on what it has made itself.

A restore runs what a database holds: the checks of a table, the functions of an index, a materialized view. Run by the
superuser they could do anything; run by a stand-in they can do less than their owner could at any time. They log in
themselves, because who has become another role can become himself again.
"""

# ruff: noqa: S608 - every value in a statement goes through quote_name or quote_text
import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.adapters.postgres import programs
from orchestrator.adapters.postgres.sql import quote_name, quote_text

PREFIX = "upgrade-orchestrator-restore-"

_ROUNDS = 4096
_NOT_SUPERUSERS = frozenset({"session_replication_role", "role"})
_SYSTEM = "nspname !~ '^pg_' AND nspname <> 'information_schema'"


@dataclass(frozen=True)
class RestoreRole:
    """One role; ``owner`` is whose place it takes, ``mighty`` whether that is a superuser."""

    role: str
    owner: str
    mighty: bool


class Credentials:
    """One password for all roles of a restore, which no log and no other process learns."""

    def __init__(self) -> None:
        self._password = secrets.token_urlsafe(24)
        self.prefix = f"{PREFIX}{secrets.token_hex(4)}-"

    def environment(self, application: str) -> Mapping[str, str]:
        """Environment of a program that logs in as one of them."""
        settings = {name: value for name, value in programs.PINNED.items() if name not in _NOT_SUPERUSERS}
        # A restore that a crash cuts off is begun anew; its end waits for the disk, with all that was before it.
        settings["synchronous_commit"] = "off"
        return {**programs.build_environment(application, settings), "PGPASSWORD": self._password}

    def build_role(self, role: str) -> str:
        """Creates a role that may log in, and nothing else; its password is told to the server as a verifier."""
        return (
            f"CREATE ROLE {quote_name(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
            f" INHERIT PASSWORD {quote_text(_build_verifier(self._password))};"
        )


def build_find_owner(owner: str) -> str:
    """``t`` for a superuser, ``f`` for another role, nothing where there is none."""
    return f"SELECT rolsuper FROM pg_roles WHERE rolname = {quote_text(owner)};"


def build_is_trusted(extension: str) -> str:
    """``t`` where anybody who may create things in a database may create this extension."""
    return f"SELECT bool_or(trusted) FROM pg_available_extension_versions WHERE name = {quote_text(extension)};"


def build_has_extension(extension: str) -> str:
    """``t`` where the database that is asked has it."""
    return f"SELECT EXISTS (SELECT FROM pg_extension WHERE extname = {quote_text(extension)});"


def build_preparation(one: RestoreRole, loader: RestoreRole, *, phase: str, schema: str | None) -> str:
    """Statements, each made by a question, that let ``loader`` do its part of the work of ``one`` and no more.

    It sees every schema; it makes things in one at a time, and never while rows are loaded. Rows of a superuser are
    loaded by somebody who owns nothing: what a check runs could otherwise change what a superuser owns.
    """
    role = quote_text(loader.role)
    creating = quote_text(schema or "") if phase != "rows" else "''"
    questions = [
        f"""SELECT format('REVOKE CREATE ON SCHEMA %I FROM %I', nspname, r.rolname) FROM pg_namespace n,
  aclexplode(nspacl) a JOIN pg_roles r ON r.oid = a.grantee
WHERE starts_with(r.rolname, {quote_text(PREFIX)}) AND a.privilege_type = 'CREATE' AND r.oid <> n.nspowner""",
        f"""SELECT format('GRANT USAGE ON SCHEMA %I TO %I', nspname, {role}) FROM pg_namespace
WHERE {_SYSTEM} AND NOT has_schema_privilege({role}, oid, 'USAGE')""",
        f"""SELECT format('GRANT CREATE ON SCHEMA %I TO %I', nspname, {role}) FROM pg_namespace
WHERE {_SYSTEM} AND nspname = {creating} AND NOT has_schema_privilege({role}, oid, 'CREATE')""",
        f"""SELECT format('GRANT CREATE ON TABLESPACE %I TO %I', spcname, {role}) FROM pg_tablespace
WHERE spcname !~ '^pg_' AND NOT has_tablespace_privilege({role}, oid, 'CREATE')""",
    ]
    if phase == "rows":
        mine = f"pg_get_userbyid(c.relowner) = {quote_text(one.role)}"
        extensions = f"r.rolsuper AND {'true' if one.mighty else 'false'} AND c.oid = ANY (x.configured)"
        questions.append(
            f"""SELECT format('GRANT %s ON TABLE %I.%I TO %I',
  CASE c.relkind WHEN 'S' THEN 'SELECT, UPDATE' ELSE 'SELECT, INSERT' END, n.nspname, c.relname, {role})
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner,
  (SELECT coalesce(array_agg(o), '{{}}') FROM pg_extension, unnest(extconfig) o) x (configured)
WHERE c.relkind IN ('r', 'p', 'S') AND {role} <> {quote_text(one.role)} AND ({mine} OR {extensions})
  AND c.relpersistence <> 't' AND n.nspname <> 'pg_toast'"""
        )
    if phase == "after":
        questions.append(
            f"""SELECT format('GRANT REFERENCES ON TABLE %I.%I TO %I', nspname, relname, {role})
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {_SYSTEM} AND NOT has_table_privilege({role}, c.oid, 'REFERENCES')"""
        )
    return "\n\\gexec\n".join((*questions, ""))


def build_reading(one: RestoreRole) -> str:
    """Lets it read what its owner may read, for what is filled from other tables."""
    if not one.mighty:
        return f"GRANT {quote_name(one.owner)} TO {quote_name(one.role)};"
    return f"""SELECT format('GRANT SELECT ON TABLE %I.%I TO %I', nspname, relname, {quote_text(one.role)})
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {_SYSTEM}
  AND NOT has_table_privilege({quote_text(one.role)}, c.oid, 'SELECT')
\\gexec
"""


def build_handing_over(one: RestoreRole, owner: str) -> str:
    """Gives all that a stand-in has made to its owner, and takes every right from it."""
    role = quote_name(one.role)
    return f"REASSIGN OWNED BY {role} TO {quote_name(owner)};\nDROP OWNED BY {role};"


def build_find_left(but: str) -> str:
    """Stand-ins of other restores, a line each."""
    return (
        f"SELECT rolname FROM pg_roles WHERE starts_with(rolname, {quote_text(PREFIX)})"
        f" AND NOT starts_with(rolname, {quote_text(but)});"
    )


def build_only_plain_keys() -> str:
    """``t`` where no partitioned table has a key whose values a function of the database could see."""
    return """SELECT NOT EXISTS (SELECT FROM pg_partitioned_table p, unnest(p.partattrs::int2[]) k (attnum)
  LEFT JOIN LATERAL (SELECT t.oid, t.typtype FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = p.partrelid AND a.attnum = k.attnum) t ON true
  WHERE t.oid IS NULL OR (t.oid >= 16384 AND t.typtype <> 'e'));"""


# As the server makes one of a password (RFC 5802); the salt is new each time.
def _build_verifier(password: str) -> str:
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ROUNDS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
