"""A PostgreSQL server in a container, as `orchestrator.adapters.postgres.database.Database`."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NoReturn

from pydantic import TypeAdapter

from orchestrator.adapters.docker.container_exec import ContainerExec, ExecResult
from orchestrator.adapters.postgres import evidence, programs, sql
from orchestrator.adapters.postgres import preflight_queries as looks
from orchestrator.adapters.postgres.model import DatabaseProperties, Inventory, PgChangeToken
from orchestrator.adapters.postgres.obstacles import (
    Contents,
    Standing,
    find_contents_obstacles,
    find_standing_obstacles,
)
from orchestrator.adapters.postgres.proof import PostgresProof
from orchestrator.adapters.postgres.psql import NO_SPACE, OBJECT_IN_USE, Psql, has_state, refuse_missing
from orchestrator.adapters.postgres.restore import Restoring
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError, StateError
from orchestrator.core.foresight import Obstacle
from orchestrator.core.log import warn
from orchestrator.core.model.stores import Changes, Session, StoreFacts, StoreLoad

_CHANGE_S = 600.0
_WHO_S = 5.0
_SWAP_ATTEMPTS = 5
_OLDEST_VERSION = 120000

_SESSIONS = TypeAdapter(tuple[Session, ...])
_TABLE = TypeAdapter(tuple[str, str, str | None, str | None])
_SIZES = TypeAdapter(dict[str, int])


class Postgres:
    """The database ``name`` as the superuser ``user``; both as the container was set up where they are None."""

    def __init__(self, executor: ContainerExec, user: str | None, name: str | None) -> None:
        self._psql = Psql(executor, user, name)
        self._proof = PostgresProof(self._psql)

    # --- looking

    def inspect(self) -> StoreFacts:
        """The live database. ``database.unreachable``, ``.authentication``, ``.missing``, ``.version``."""
        user, name = self._psql.account()
        maintenance = self._psql.maintenance(name)
        version = self._version(maintenance)
        if version < _OLDEST_VERSION:
            raise DatabaseError(
                "database.version",
                f"The server is PostgreSQL {version // 10000}; 12 is the oldest that is known to work.",
                hint="Upgrade PostgreSQL first.",
            )
        found = self._psql.ask(sql.build_facts(name), maintenance)
        if not found:
            refuse_missing(name)
        facts = json.loads(found)
        directory = facts.pop("directory")
        service = self._psql.executor.service
        return StoreFacts(name=name, service=service, user=user, free_bytes=self._free_bytes(directory), **facts)

    def read_system_identifier(self) -> str:
        """Which server this is."""
        within = self._psql.allow("Asking the database server who it is", _WHO_S)
        return self._psql.ask(sql.build_system_identifier(), self._psql.maintenance(), within)

    def sizes(self) -> Mapping[str, int]:
        """All databases of the server with their sizes in bytes."""
        return _SIZES.validate_json(self._psql.ask(sql.build_sizes(), self._psql.maintenance()))

    def sessions(self, name: str) -> tuple[Session, ...]:
        """Who is connected, ourselves left out."""
        return _SESSIONS.validate_json(self._psql.ask(sql.build_sessions(name), self._psql.maintenance(name)))

    def connections(self) -> tuple[Session, ...]:
        """Who is connected to any database of the server, programs of ours left out."""
        return _SESSIONS.validate_json(self._psql.ask(looks.build_connections(), self._psql.maintenance()))

    def find_obstacles(self, name: str, *, rehearsed: bool) -> tuple[Obstacle, ...]:
        """What would keep an upgrade from copying, swapping or migrating the database."""
        maintenance = self._psql.maintenance(name)
        found = self._psql.ask(looks.build_standing(name, self._version(maintenance)), maintenance)
        if not found:
            refuse_missing(name)
        standing = Standing.model_validate_json(found)
        obstacles = find_standing_obstacles(name, standing)
        # What is closed, or is no server of its own, cannot be asked any further.
        if not standing.admits or standing.standby or not standing.superuser:
            return tuple(obstacles)
        contents = Contents.model_validate_json(self._psql.ask(looks.build_contents(), name))
        return (*obstacles, *find_contents_obstacles(name, contents, rehearsed=rehearsed))

    def inspect_load(self, name: str) -> StoreLoad:
        """What would keep us from having the database to ourselves."""
        maintenance = self._psql.maintenance(name)
        load = StoreLoad.model_validate_json(self._psql.ask(evidence.build_load(name), maintenance))
        storage = self._psql.executor.inspect_storage(self._psql.ask("SHOW data_directory;", maintenance))
        anonymous = storage.volume if storage.anonymous else ""
        return load.model_copy(update={"sharers": storage.sharers, "anonymous": anonymous})

    def properties(self, name: str) -> DatabaseProperties:
        """Encoding, locale, owner, grants, settings. ``database.missing``."""
        maintenance = self._psql.maintenance(name)
        found = self._psql.ask(sql.build_properties(name, self._version(maintenance)), maintenance)
        if not found:
            refuse_missing(name)
        return DatabaseProperties.model_validate_json(found)

    def inventory(self, name: str, *, deadline: Deadline) -> Inventory:
        """What is in the database, its rows left out."""
        with self._psql.inside(name):
            return Inventory.model_validate_json(self._psql.ask(evidence.build_inventory(), name, deadline))

    def mark(self, name: str) -> PgChangeToken:
        """This moment, for `changes`."""
        return self._proof.mark(name)

    def changes(self, name: str, since: PgChangeToken, *, ours: Collection[str] = ()) -> Changes:
        """What was written since a mark, and what proves it."""
        return self._proof.changes(name, since, ours)

    def rows(self, name: str, *, deadline: Deadline) -> dict[str, int]:
        """Exact number of rows of each table whose data a dump has, all counted in one transaction."""
        rows: dict[str, int] = {}
        with self._psql.inside(name):
            listed = self._psql.ask(evidence.build_tables(), name, deadline)
            tables = [_TABLE.validate_json(line) for line in listed.splitlines()]
            counted = self._psql.ask(evidence.build_rows(tables), name, deadline)
        for (schema, table, _, _), count in zip(tables, counted.splitlines(), strict=True):
            key = f"{schema}.{table}"
            rows[key] = rows.get(key, 0) + int(count)
        return rows

    def longest_lock_s(self, name: str) -> float:
        """Age of the oldest transaction that keeps others from writing to a table now."""
        with self._psql.inside(name):
            return float(self._psql.ask(evidence.build_longest_lock(name), name))

    # --- copies

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        """Stream a plain SQL dump of the live database. ``database.dump_failed``, ``.locked``, ``.client``."""
        self._psql.require_fixed_client()
        user, name = self._psql.account()
        # The pipe outlives the session of a dump that was given up, so that pg_dump is not left waiting for a reader.
        with self._psql.inside(name), self._psql.executor.piped() as pipe:
            argv = programs.build_dump(user, name, *(["--no-sync", f"--file={pipe.path}"] if pipe else []))
            ended = False
            try:
                outcome = self._psql.executor.stream(
                    argv, write, deadline=deadline, environment=self._psql.environment(), pipe=pipe
                )
                ended = True
            finally:
                if not ended:
                    self._psql.end_own_programs()
            if outcome.exit_code != 0:
                self._refuse_dump(outcome, name)

    def copy(self, source: str, name: str, *, deadline: Deadline) -> None:
        """Copy a database nobody is connected to, fenced, with owner, grants and settings, or leave nothing."""
        properties = self.properties(source)
        maintenance = self._psql.maintenance(source)
        self._create(name, sql.build_copy(source, name, properties), maintenance, deadline, source=source)
        try:
            self._psql.ask(sql.build_equipment(name, properties), maintenance, deadline)
        except BaseException:
            self._discard(name)
            raise

    def restore(
        self,
        chunks: Iterable[bytes],
        name: str,
        *,
        like: DatabaseProperties,
        deadline: Deadline,
        proven: bool = True,
    ) -> None:
        """Create ``name`` like ``like`` and load a plain dump, or leave nothing. ``database.restore_failed``."""
        maintenance = self._psql.maintenance()
        restoring = Restoring(self._psql, name, like.owner, proven=proven, deadline=deadline)
        try:
            stand_in = restoring.prepare()
            empty = sql.build_empty(name, like.model_copy(update={"owner": stand_in}))
            self._create(name, empty, maintenance, deadline, source=name)
            try:
                restoring.load(chunks)
                self._psql.ask(sql.build_equipment(name, like), maintenance, deadline)
            except BaseException:
                self._discard(name)
                raise
        finally:
            restoring.remove_roles()

    # --- fence, swap, end

    def fence(self, name: str) -> None:
        """Let nobody connect any more, superusers included."""
        self._psql.ask(sql.build_fence(name, closed=True), self._psql.maintenance(name))

    def unfence(self, name: str) -> None:
        """Let everybody connect again."""
        self._psql.ask(sql.build_fence(name, closed=False), self._psql.maintenance(name))

    def swap(self, live: str, replacement: str, aside: str) -> None:
        """In one transaction: ``live`` → ``aside`` and ``replacement`` → ``live``. ``database.in_use``."""
        maintenance = self._psql.maintenance(live)
        statements = sql.build_swap(live, replacement, aside)
        deadline = self._psql.allow("The swap of two databases")
        for _ in range(_SWAP_ATTEMPTS):
            outcome = self._psql.attempt(statements, maintenance, deadline)
            if outcome.exit_code == 0:
                return
            if not has_state(outcome, OBJECT_IN_USE):
                self._psql.refuse(outcome, maintenance, "database.swap_failed")
            deadline.pause(0.2)  # a session that was told to end, or a client that is back already
        self._refuse_in_use(live)

    def terminate_sessions(self, name: str, pids: Sequence[int] | None = None) -> int:
        """End these sessions on the database, or (None) every one but our own; how many there were."""
        statement = sql.build_terminate(name) if pids is None else sql.build_terminate_pids(name, pids)
        return int(self._psql.ask(statement, self._psql.maintenance(name)))

    def end_abandoned(self) -> None:
        """End the programs of an earlier process of ours; they go on inside their container when it is killed."""
        self._psql.end_other_programs(self._psql.allow("Ending what a killed run has left at work"))

    def drop(self, name: str) -> None:
        """Drop a database, if there is one. ``database.in_use`` where somebody is connected."""
        maintenance = self._psql.maintenance(name)
        deadline = self._psql.allow("Dropping a database", _CHANGE_S)
        outcome = self._psql.attempt(sql.build_drop(name), maintenance, deadline)
        if has_state(outcome, OBJECT_IN_USE):
            self._refuse_in_use(name)
        if outcome.exit_code != 0:
            self._psql.refuse(outcome, maintenance, "database.failed")

    # --- how

    def _create(self, name: str, statement: str, maintenance: str, deadline: Deadline, *, source: str) -> None:
        ours = False
        try:
            outcome = self._psql.attempt(statement, maintenance, deadline)
            ours = True
        finally:
            if not ours:
                self._psql.end_own_programs()
        if has_state(outcome, OBJECT_IN_USE):
            self._refuse_in_use(source)
        if outcome.exit_code != 0:
            code = "database.no_space" if has_state(outcome, NO_SPACE) else "database.failed"
            self._psql.refuse(outcome, maintenance, code)

    # Our own loader may still be at work in it: a connection that is cut does not end the program.
    # What it fails of is logged, for the error that led here is the one to be read.
    def _discard(self, name: str) -> None:
        self._psql.end_own_programs()
        try:
            self.terminate_sessions(name)
            self.drop(name)
        except StateError as error:
            warn("database.left_behind", database=name, reason=error.summary)

    def _version(self, name: str) -> int:
        return int(self._psql.ask("SELECT current_setting('server_version_num');", name))

    def _free_bytes(self, directory: str) -> int | None:
        outcome = self._psql.executor.run(["df", "-Pk", directory], deadline=self._psql.allow("Reading the free space"))
        fields = outcome.output.decode().splitlines()[-1:] if outcome.exit_code == 0 else []
        return int(fields[0].split()[3]) * 1024 if fields else None

    def _refuse_dump(self, outcome: ExecResult, name: str) -> NoReturn:
        # A dump that is cut off while it waits for a lock names the statement, too.
        if "LOCK TABLE" in outcome.errors and "timeout" in outcome.errors:
            raise DatabaseError(
                "database.locked",
                f"A table was locked for 30 s, so the dump gave up: {_find_lock(outcome.errors)}",
                impact="The app goes on as before; there is no new backup.",
                hint="Find out who holds the lock in `pg_locks` and try again.",
            )
        probe = self._psql.run("SELECT 1;", name, self._psql.allow("A question to the database"))
        self._psql.refuse(outcome if probe.exit_code == 0 else probe, name, "database.dump_failed")

    def _refuse_in_use(self, name: str) -> NoReturn:
        who = ", ".join(f"{each.application or 'unnamed'} ({each.user}, {each.pid})" for each in self.sessions(name))
        raise DatabaseError(
            "database.in_use",
            f"Database {name!r} is in use: {who or 'by a session that has ended meanwhile'}.",
            impact="It was not changed.",
            hint="Stop what is connected to it and try again.",
        )


def _find_lock(errors: str) -> str:
    """The statement that waited, which names the table."""
    return next((line for line in errors.splitlines() if "LOCK TABLE" in line), errors)
