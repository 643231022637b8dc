"""The fake of the database port."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from orchestrator.adapters.postgres.model import DatabaseProperties, Inventory, PgChangeToken
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DatabaseError, DeadlineExceededError
from orchestrator.core.foresight import Obstacle
from orchestrator.core.model.stores import Changes, Session, StoreFacts, StoreLoad
from tests.tools.dump import build_dump, parse_dump
from tests.tools.things import FakeDb
from tests.tools.world import FakeWorld

_CHUNK_BYTES = 64
_WORK_S = 0.5
_LOCK_WAIT_S = 30.0


class FakeDatabase:
    """`Database` on the world's databases."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def inspect(self) -> StoreFacts:
        world = self._look("inspect")
        live = self._get(world.live)
        return StoreFacts(
            name=world.live,
            service="db",
            user="app",
            owner=live.owner,
            server_version=world.server_version,
            system_identifier=world.system_identifier,
            size_bytes=live.size_bytes,
            free_bytes=world.database_free_bytes,
            server_began=self._began(),
        )

    def _began(self) -> str:
        return f"{self._world.server_began}, boot {self._world.boots}"

    def read_system_identifier(self) -> str:
        return self._look("read_system_identifier").system_identifier

    def sizes(self) -> Mapping[str, int]:
        world = self._look("sizes")
        return {name: database.size_bytes for name, database in world.databases.items()}

    def sessions(self, name: str) -> tuple[Session, ...]:
        self._look("sessions")
        self._get(name)
        return tuple(self._world.connected(name))

    def connections(self) -> tuple[Session, ...]:
        world = self._look("connections")
        return tuple(
            one.model_copy(update={"database": name}) for name in world.databases for one in world.connected(name)
        )

    def find_obstacles(self, name: str, *, rehearsed: bool) -> tuple[Obstacle, ...]:
        self._look("find_obstacles")
        self._get(name)
        return tuple(one for one in self._world.database_obstacles if rehearsed or not one.code.startswith("rehearse."))

    def inspect_load(self, name: str) -> StoreLoad:
        self._look("inspect_load")
        self._get(name)
        return self._world.database_load

    def properties(self, name: str) -> DatabaseProperties:
        self._look("properties")
        database = self._get(name)
        return DatabaseProperties(
            version=170002,
            owner=database.owner,
            encoding="UTF8",
            collate="C.UTF-8",
            ctype="C.UTF-8",
            tablespace="pg_default",
            connection_limit=-1,
            grants=database.grants,
            settings=(),
        )

    def inventory(self, name: str, *, deadline: Deadline) -> Inventory:
        self._look("inventory")
        deadline.check()
        database = self._get(name)
        relations = dict.fromkeys(database.tables, f"r {database.owner}")
        return Inventory(relations=relations, sequences={}, extensions={"plpgsql": "1.0"}, large_objects=0)

    def mark(self, name: str) -> PgChangeToken:
        self._look("mark")
        return self._find_moment(name)

    def changes(self, name: str, since: PgChangeToken, *, ours: Collection[str] = ()) -> Changes:
        self._look("changes")
        now = self._find_moment(name)
        items = {item for item in {*since.server, *now.server} if since.server.get(item) != now.server.get(item)}
        others = {*since.databases, *now.databases} - {*ours}
        others = {other for other in others if since.databases.get(other) != now.databases.get(other)}
        beyond = (*sorted(items), *(f"database {other}" for other in sorted(others)))
        if now.server_began != since.server_began:
            return Changes(finding="unproven", reason="the server was restarted since", restarted=True, beyond=beyond)
        if (now.database, now.catalog, now.written) != (since.database, since.catalog, since.written):
            rows = abs(now.written - since.written)
            return Changes(finding="written", reason="it is not what it was", rows=rows, beyond=beyond)
        if since.closed and since.closed == now.closed:
            return Changes(finding="untouched", reason="it was closed all the time", rows=0, beyond=beyond)
        if self._world.log_problem or not since.position:
            return Changes(finding="unproven", reason=self._world.log_problem or "it was open then", beyond=beyond)
        return Changes(finding="untouched", reason="the log holds no change of it", rows=0, beyond=beyond)

    def rows(self, name: str, *, deadline: Deadline) -> dict[str, int]:
        self._look("rows")
        deadline.check()
        return {table: len(rows) for table, rows in self._get(name).tables.items()}

    def longest_lock_s(self, name: str) -> float:
        self._look("longest_lock_s")
        working = [job for job in self._world.jobs.values() if job.running and job.database is self._get(name)]
        return max((self._world.clock.monotonic() - job.began_s for job in working), default=0.0)

    def dump(self, write: Callable[[bytes], None], *, deadline: Deadline) -> None:
        self._look("dump")
        text = build_dump(self._get(self._world.live))
        self._await_locks(deadline)
        deadline.pause(_WORK_S)
        for start in range(0, len(text), _CHUNK_BYTES):
            write(text[start : start + _CHUNK_BYTES])

    def copy(self, source: str, name: str, *, deadline: Deadline) -> None:
        with self._world.script.effect("database.copy", source, name):
            self._check_up()
            original = self._get(source)
            self._check_new(name)
            self._check_unused(source)
            self._check_room(original.size_bytes)
            deadline.pause(_WORK_S)
            self._world.databases[name] = original.twin()
            self._world.databases[name].fenced = True

    def restore(
        self,
        chunks: Iterable[bytes],
        name: str,
        *,
        like: DatabaseProperties,
        deadline: Deadline,
        proven: bool = True,
    ) -> None:
        del proven  # no dump of this world holds anything that only a superuser can make
        with self._world.script.effect("database.restore", name):
            self._check_up()
            self._check_new(name)
            dump = b"".join(chunks)
            self._check_room(len(dump))
            deadline.pause(_WORK_S)
            try:
                self._world.databases[name] = parse_dump(dump, owner=like.owner)
            except ValueError as cause:
                raise DatabaseError(
                    "database.restore_failed", f"The dump could not be loaded into {name}: {cause}."
                ) from cause

    def fence(self, name: str) -> None:
        with self._world.script.effect("database.fence", name):
            self._check_up()
            self._get(name).close(fenced=True)

    def unfence(self, name: str) -> None:
        with self._world.script.effect("database.unfence", name):
            self._check_up()
            self._get(name).close(fenced=False)

    def swap(self, live: str, replacement: str, aside: str) -> None:
        with self._world.script.effect("database.swap", live, replacement, aside):
            self._check_up()
            failed, good = self._get(live), self._get(replacement)
            self._check_new(aside)
            self._check_unused(live)
            self._check_unused(replacement)
            databases = self._world.databases
            del databases[replacement]
            databases[aside], databases[live] = failed, good
            failed.fenced = False

    def terminate_sessions(self, name: str, pids: Sequence[int] | None = None) -> int:
        with self._world.script.effect("database.terminate_sessions", name):
            self._check_up()
            database = self._get(name)
            # The app and its jobs connect again at once; only those who do not come back are gone.
            ended = [one for one in self._world.connected(name) if pids is None or one.pid in pids]
            database.sessions = [one for one in database.sessions if one not in ended]
            self._end_jobs_shut_out(database, {one.application for one in ended})
            return len(ended)

    def end_abandoned(self) -> None:
        with self._world.script.effect("database.end_abandoned"):
            self._check_up()

    def drop(self, name: str) -> None:
        with self._world.script.effect("database.drop", name):
            self._check_up()
            if name in self._world.databases:
                self._check_unused(name)
                del self._world.databases[name]

    def _find_moment(self, name: str) -> PgChangeToken:
        database = self._get(name)
        return PgChangeToken(
            database=database.identity,
            server_began=f"{self._world.server_began}, boot {self._world.boots}",
            catalog=f"{database.schema} {database.torn} {sorted(database.tables)}",
            written=zlib.crc32(json.dumps(database.tables).encode()),
            transactions=len(self._world.acknowledged),
            position="0/1" if database.fenced else "",
            closed=f"version {database.closings}" if database.fenced else "",
            counted_since=self._world.server_began,
            server=dict(self._world.server),
            databases={other: found.identity for other, found in self._world.databases.items() if other != name},
        )

    # A migration whose connection is cut gives up where the fence keeps it from coming back.
    def _end_jobs_shut_out(self, database: FakeDb, ended: set[str]) -> None:
        for job in self._world.jobs.values():
            if job.running and job.database is database and database.fenced and job.name in ended:
                job.exit_code = 1

    def _await_locks(self, deadline: Deadline) -> None:
        waiting = deadline.sooner(_LOCK_WAIT_S)
        try:
            waiting.poll(lambda: None if self._world.tables_locked else True, every_s=_WORK_S)
        except DeadlineExceededError as timeout:
            deadline.check()
            raise DatabaseError("database.locked", "A table was locked for 30 s, so the dump gave up.") from timeout

    def _look(self, method: str) -> FakeWorld:
        self._world.script.look(f"database.{method}")
        self._check_up()
        return self._world

    def _check_up(self) -> None:
        if not self._world.database_answers():
            raise DatabaseError("database.unreachable", "The database server does not answer.")

    def _get(self, name: str) -> FakeDb:
        if name not in self._world.databases:
            raise DatabaseError("database.missing", f"There is no database {name}.")
        return self._world.databases[name]

    def _check_new(self, name: str) -> None:
        if name in self._world.databases:
            raise DatabaseError("database.exists", f"There is a database {name} already.")

    def _check_unused(self, name: str) -> None:
        if self._world.connected(name):
            raise DatabaseError("database.in_use", f"Somebody is connected to {name}.")

    def _check_room(self, size_bytes: int) -> None:
        free_bytes = self._world.database_free_bytes
        if free_bytes is not None and free_bytes < size_bytes:
            raise DatabaseError("database.no_space", "There is no room for a copy beside the database.")
