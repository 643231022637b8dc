"""Commands for the database server that an operator pastes: the data of the stop back, and the app let in again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.adapters.postgres.sql import quote_connection, quote_text
from orchestrator.adapters.postgres.store import read_properties, unwrap
from orchestrator.core.facts import FrozenProject
from orchestrator.core.ledger import DATABASE
from orchestrator.core.ports.recovery import (
    ByHand,
    Command,
    Exchange,
    Goal,
    Installation,
    Reload,
    ServiceShell,
    Situation,
    Step,
    StoreSituation,
)
from orchestrator.core.store_facts import BackupManifest, Fence

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_NAME_AT_MOST = 30


@dataclass(frozen=True)
class PostgresRecovery:
    """Recovery of the store ``store``, whose server runs in a service that ``shell`` reaches."""

    shell: ServiceShell
    store: str = DATABASE

    def commands(self, situation: Situation) -> Sequence[Command]:
        """Exchange the databases where something may have been written, and let the app in again."""
        if situation.app is None or situation.goal is Goal.LOOK:
            return ()
        own = next((one for one in situation.stores if one.store == self.store), StoreSituation(self.store))
        server = _Server(self.shell, situation.app, own.lock or Fence(database=""))
        unlocking = server.unlock() if own.lock is not None else ()
        return (
            *(Command(Step.RETURN_DATA, line) for line in _return_data(server, situation.run_id, own.data)),
            *(Command(Step.UNLOCK, line) for line in unlocking),
        )

    def remedy(self, code: str, app: Installation) -> Sequence[str]:
        """Which rights the roles of the server have."""
        if code != "database.rights":
            return ()
        return self.shell.remedy_in(app, app.store_service, ("psql", "--command", r"\du"))

    def phrase(self, deed: ByHand, subject: str = "") -> str:
        """No hint asks for anything of this product by hand."""
        return ""


def _return_data(server: _Server, run_id: str, data: Exchange | Reload | None) -> Iterator[str]:
    named = run_id.replace("-", "_")
    if data is None:
        return
    aside = f"{data.live[:_NAME_AT_MOST]}__aside_{named}"
    if isinstance(data, Exchange):
        yield from server.swap(data, aside)
        return
    side = f"{data.live[:_NAME_AT_MOST]}__restore_{named}"
    yield f"# {data.remark}"
    yield from server.load(data.backup, side)
    yield from server.swap(Exchange(data.live, side, data.token), aside)


@dataclass(frozen=True)
class _Server:
    """Lines for the server of a fenced database; journals of earlier versions name neither service nor user."""

    shell: ServiceShell
    app: FrozenProject
    fence: Fence

    def unlock(self) -> tuple[str, ...]:
        """Let the app in again."""
        return (self._start(), self.psql(f"ALTER DATABASE {_quoted(self.fence.database)} ALLOW_CONNECTIONS true"))

    def swap(self, exchange: Exchange, aside: str) -> tuple[str, ...]:
        """Give the replica the live name, and keep the live database as ``aside``, to be looked into: both or neither.

        Nothing is renamed where the exchange was made already: the live database is not the one of the token any more,
        or is it again where the replica is the original.
        """
        live, replica = exchange.live, exchange.replica
        names = ", ".join(quote_text(name) for name in (live, replica))
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ({names})"  # noqa: S608
        renames = (
            f"ALTER DATABASE {_quoted(live)} RENAME TO {_quoted(aside)}",
            f"ALTER DATABASE {_quoted(replica)} RENAME TO {_quoted(live)}",
            f"ALTER DATABASE {_quoted(aside)} ALLOW_CONNECTIONS true",
        )
        closing = f"ALTER DATABASE {_quoted(live)} ALLOW_CONNECTIONS false"
        return (self._start(), self.psql(closing, end, *_rename_once(exchange, renames)))

    def load(self, backup: BackupManifest, name: str) -> tuple[str, ...]:
        """Restore a backup as database ``name``; a half-restored one of this run gives way."""
        like = read_properties(backup.fingerprint)
        create = f"CREATE DATABASE {_quoted(name)} TEMPLATE template0 OWNER {_quoted(like.owner)}"
        create += f" ENCODING {quote_text(like.encoding)}"
        create += f" LC_COLLATE {quote_text(like.collate)} LC_CTYPE {quote_text(like.ctype)}"
        path = shlex.quote(str(backup.path))
        return (
            f"echo {backup.sha256} {path} | sha256sum --check",
            self._start(),
            self.psql(f"DROP DATABASE IF EXISTS {_quoted(name)}", create),
            f"gunzip --stdout {path} | {self.psql(database=name)} --single-transaction >/dev/null",
        )

    def psql(self, *statements: str, database: str | None = None) -> str:
        """Statements as the superuser; the first that fails is the last."""
        maintenance = "template1" if self.fence.database == "postgres" else "postgres"
        argv = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        argv += ["-U", self.fence.user or "postgres", "-d", _connection(database or maintenance)]
        argv += [word for statement in statements for word in ("-c", statement)]
        line = self.shell.run_in(self.app, self._service, argv)
        # Lines that are pasted together are the input of each of them in turn.
        return f"{line} </dev/null" if statements else line

    def _start(self) -> str:
        return self.shell.ensure_up(self.app, self._service)

    @property
    def _service(self) -> str:
        return self.fence.service or "db"


def _rename_once(exchange: Exchange, renames: Sequence[str]) -> tuple[str, ...]:
    known = unwrap(exchange.token).database if exchange.token else None
    if not known:
        return ("BEGIN", *renames, "COMMIT")
    found = f"(SELECT oid::text FROM pg_database WHERE datname = {quote_text(exchange.live)})"  # noqa: S608
    condition = f"{'NOT ' if exchange.original else ''}{found} IS NOT DISTINCT FROM {quote_text(known)}"
    renaming = " ".join(f"EXECUTE {quote_text(rename)};" for rename in renames)
    return (f"DO $do$ BEGIN IF {condition} THEN {renaming} END IF; END $do$",)


def _connection(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else quote_connection(name)


# Unlike `quote_name` it never raises: whatever the names in a journal are, its runbook is told.
def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
