"""Loads a plain dump into an empty database, each part of it by a role that has no rights but its own."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from orchestrator.adapters.docker.container_exec import ExecResult
from orchestrator.adapters.postgres import dump_routes as routes
from orchestrator.adapters.postgres import programs, restore_roles
from orchestrator.adapters.postgres.dump_pieces import Entry, Piece, split_dump
from orchestrator.adapters.postgres.dump_routes import Route
from orchestrator.adapters.postgres.psql import Psql, find_reason
from orchestrator.adapters.postgres.restore_roles import Credentials, RestoreRole
from orchestrator.adapters.postgres.sql import quote_name
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError, StateError
from orchestrator.core.log import warn

_OF_THE_DATABASE = frozenset({None, "pg_database_owner"})
_FOR_EVERYBODY = b"SET check_function_bodies = false;\nSET xmloption = content;\n"
_DEADLOCK = "40P01"
_FINISHING_ATTEMPTS = 5
_QUIET = ("-o", "/dev/null")


@dataclass(frozen=True)
class _Actor:
    """Who runs some neighbouring statements; the superuser where there is no ``one``."""

    one: RestoreRole | None = None
    phase: str = ""
    schema: str | None = None


class Restoring:
    """One load of one dump into the database ``name``, which is to belong to ``owner``.

    ``proven``: the dump is one that we have taken ourselves, so that what only a superuser could have put into the
    database is put there again. Of any other dump that is refused.
    """

    def __init__(self, psql: Psql, name: str, owner: str, *, proven: bool, deadline: Deadline) -> None:
        self._psql = psql
        self._name = name
        self._owner = owner
        self._proven = proven
        self._deadline = deadline
        self._credentials = Credentials()
        self._owners: dict[str, RestoreRole] = {}
        self._loader: RestoreRole | None = None
        self._settings: dict[bytes, bytes] = {}
        self._served: Entry | None = None
        self._put_off: dict[Route, list[Piece]] = {route: [] for route in (Route.RIGHTS, Route.LATER, Route.LAST)}
        self._refreshes: list[Piece] = []
        self._plain_keys: bool | None = None

    def prepare(self) -> str:
        """Create the role that stands in for the database's owner, and return it."""
        if not self._proven:
            self._psql.require_fixed_client()
        self._remove_left()
        return self._find(self._owner).role

    def load(self, chunks: Iterable[bytes]) -> None:
        """Load the whole dump. ``database.restore_failed``: the database is to be dropped then."""
        for actor, parts in itertools.groupby(self._route(split_dump(chunks)), key=lambda part: part[0]):
            self._play(actor, (text for _, text in parts))
        rights = self._collect(Route.RIGHTS)
        if self._refreshes:
            self._finish(rights)
            self._refresh()
        handing_over = [self._hand_over(one).encode() for one in self._owners.values()]
        if self._loader is not None:
            handing_over.append(f"DROP OWNED BY {quote_name(self._loader.role)};".encode())
        later, last = self._collect(Route.LATER), self._collect(Route.LAST)
        self._finish([_FOR_EVERYBODY, *handing_over, *rights, *later, *last])

    def remove_roles(self) -> None:
        """Drop the roles again; what fails is logged. Only once nothing in the server is theirs any more."""
        roles = [one.role for one in (*self._owners.values(), self._loader) if one is not None]
        self._drop(roles)

    # --- who runs what

    def _route(self, pieces: Iterable[Piece]) -> Iterator[tuple[_Actor, bytes]]:
        actor, settings = _Actor(), b""
        for piece in pieces:
            if piece.rows:
                yield actor, piece.text
                continue
            route = self._choose_route(piece)
            if route is Route.SETTING:
                self._settings[piece.text.partition(b" = ")[0]] = piece.text
                settings += piece.text
            if route is Route.REFRESH:
                self._refreshes.append(piece)
            if route in self._put_off:
                self._put_off[route].append(piece)
            text = self._reown(piece) if route is Route.REOWNING else piece.text
            if text and route in {Route.OWNER, Route.SERVER, Route.ATTACH, Route.REOWNING}:
                actor = self._find_actor(piece) if route is Route.OWNER else _Actor()
                yield actor, (settings if actor.one else b"") + text
                settings = b""

    def _choose_route(self, piece: Piece) -> Route:
        route = routes.choose_route(piece.text)
        if route is Route.ATTACH and not self._has_plain_keys():
            return Route.OWNER
        if route in {Route.SERVER, Route.ATTACH, Route.RIGHTS, Route.LATER, Route.LAST}:
            allowed = routes.is_for_superuser(piece.text, route, proven=self._proven)
            if not (allowed or self._is_extension(piece.text)):
                self._refuse_statement(piece.text)
        if route is Route.SERVER:
            self._served = piece.entry
        return route

    def _find_actor(self, piece: Piece) -> _Actor:
        entry = piece.entry
        phase = entry.phase
        return _Actor(self._find(entry.owner), phase, None if phase == "rows" else entry.schema)

    # What a stand-in has made is its own already; what the superuser has made for it becomes it.
    def _reown(self, piece: Piece) -> bytes:
        owner = routes.find_new_owner(piece.text)
        one = self._find(owner)
        if self._served is not piece.entry and one == self._find(piece.entry.owner):
            return b""
        if not routes.is_for_superuser(piece.text, Route.REOWNING, proven=self._proven):
            self._refuse_statement(piece.text)
        return routes.replace_owner(piece.text, quote_name(one.role))

    # An extension that anybody may create, or that somebody with the rights for it has put into the live database.
    def _is_extension(self, statement: bytes) -> bool:
        name = routes.find_extension(statement)
        if name is None:
            return False
        trusted = self._ask(restore_roles.build_is_trusted(name), self._psql.maintenance())
        return trusted == "t" or self._ask(restore_roles.build_has_extension(name), self._psql.account()[1]) == "t"

    def _has_plain_keys(self) -> bool:
        if self._plain_keys is None:
            self._plain_keys = self._ask(restore_roles.build_only_plain_keys(), self._name) == "t"
        return self._plain_keys

    # --- stand-ins

    def _find(self, owner: str | None) -> RestoreRole:
        name = self._owner if owner is None or owner in _OF_THE_DATABASE else owner
        if name not in self._owners:
            mighty = self._ask(restore_roles.build_find_owner(name), self._psql.maintenance())
            if not mighty:
                raise _failed(f'role "{name}" does not exist')
            role = f"{self._credentials.prefix}{len(self._owners)}"
            self._create(role)
            self._owners[name] = RestoreRole(role, name, mighty == "t")
        return self._owners[name]

    def _find_loader(self, one: RestoreRole, phase: str) -> RestoreRole:
        if not (one.mighty and phase == "rows"):
            return one
        if self._loader is None:
            role = f"{self._credentials.prefix}rows"
            self._create(role)
            self._loader = RestoreRole(role, "", mighty=False)
        return self._loader

    def _create(self, role: str) -> None:
        statement = self._credentials.build_role(role)
        self._run_as_superuser([statement.encode()], self._psql.maintenance())

    def _hand_over(self, one: RestoreRole) -> str:
        foreign = one.mighty and not self._proven
        return restore_roles.build_handing_over(one, self._owner if foreign else one.owner)

    # A role that still owns something, in the database of a restore that was cut off, stays until that is dropped.
    def _remove_left(self) -> None:
        found = self._ask(restore_roles.build_find_left(self._credentials.prefix), self._psql.maintenance())
        self._drop(found.splitlines())

    def _drop(self, roles: Iterable[str]) -> None:
        for role in roles:
            try:
                self._psql.ask(f"DROP ROLE IF EXISTS {quote_name(role)};", self._psql.maintenance())
            except StateError as error:
                warn("database.role_left", role=role, reason=error.summary)

    # --- running it

    def _play(self, actor: _Actor, parts: Iterable[bytes]) -> None:
        if actor.one is None:
            self._run_as_superuser([_FOR_EVERYBODY, *self._table_settings(), *parts], self._name)
            return
        loader = self._find_loader(actor.one, actor.phase)
        preparation = restore_roles.build_preparation(actor.one, loader, phase=actor.phase, schema=actor.schema)
        self._ask(preparation, self._name)
        self._run_as(loader, itertools.chain(list(self._settings.values()), parts))

    def _refresh(self) -> None:
        for one in {self._find(piece.entry.owner) for piece in self._refreshes}:
            self._ask(restore_roles.build_reading(one), self._name)
        for owner, pieces in itertools.groupby(self._refreshes, key=lambda piece: piece.entry.owner):
            self._run_as(self._find(owner), [*self._settings.values(), *(piece.text for piece in pieces)])

    def _collect(self, route: Route) -> list[bytes]:
        return [piece.text for piece in self._put_off[route]]

    # Of all settings of a dump the superuser takes over only where a table goes.
    def _table_settings(self) -> list[bytes]:
        names = (b"SET default_tablespace", b"SET default_table_access_method")
        return [self._settings[name] for name in names if name in self._settings]

    def _run_as(self, one: RestoreRole, parts: Iterable[bytes]) -> None:
        argv = programs.build_psql(one.role, self._name, *_QUIET)
        environment = {**self._credentials.environment(self._psql.application), **self._psql.place}
        stdin = itertools.chain(self._psql.lock_out_commands(), parts)
        self._judge(self._psql.executor.run(argv, stdin=stdin, deadline=self._deadline, environment=environment))

    def _run_as_superuser(self, parts: Iterable[bytes], database: str) -> None:
        argv = programs.build_psql(self._psql.account()[0], database, *_QUIET, "--single-transaction")
        environment = self._psql.environment(more=programs.UNLOGGED)
        ended = (part if part.endswith(b"\n") else part + b"\n" for part in parts)
        stdin = itertools.chain(self._psql.lock_out_commands(), ended)
        self._judge(self._psql.executor.run(argv, stdin=stdin, deadline=self._deadline, environment=environment))

    # The server analyzes new tables by itself while their owners change, and the two may wait for each other.
    def _finish(self, parts: Sequence[bytes]) -> None:
        for left in reversed(range(_FINISHING_ATTEMPTS)):
            try:
                self._run_as_superuser(parts, self._name)
            except DatabaseError as error:
                if _DEADLOCK not in error.summary or not left:
                    raise
                self._deadline.pause(0.2)
            else:
                return

    def _ask(self, question: str, database: str) -> str:
        return self._psql.ask(question, database)

    def _judge(self, outcome: ExecResult) -> None:
        if self._psql.has_lost(outcome):
            self._psql.refuse(outcome, self._name, "database.restore_failed")
        if outcome.exit_code != 0:
            raise _failed(find_reason(outcome.errors))

    def _refuse_statement(self, statement: bytes) -> NoReturn:
        line = statement.decode("utf-8", "replace").partition("\n")[0][:200]
        raise DatabaseError(
            "database.restore_failed",
            f"The dump wants something that only a superuser may do, and that cannot be proven harmless: {line}",
            impact="It was not run; the new database was dropped again, and the live one was not touched.",
            hint="Look into the file; what it needs of a superuser has to be made by hand, or left out of it.",
        )


def _failed(reason: str) -> DatabaseError:
    return DatabaseError(
        "database.restore_failed",
        f"The dump could not be loaded: {reason}",
        impact="The new database was dropped again; the live one was not touched.",
    )
