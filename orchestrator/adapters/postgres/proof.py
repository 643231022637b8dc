"""Proof that nothing was written to a database since a moment, or that this cannot be said.

In this order: it was closed all the time, which the version of its entry among the databases tells; its catalog, its
sequences and its unlogged tables are the same *and* the server's log between both moments holds no change of it.
Where the log cannot be read, nothing is proven.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from orchestrator.adapters.postgres import change_token as marks
from orchestrator.adapters.postgres import sql, wal
from orchestrator.adapters.postgres.model import PgChangeToken
from orchestrator.adapters.postgres.programs import build_log_reading
from orchestrator.adapters.postgres.psql import Psql, refuse_missing
from orchestrator.core.errors import DatabaseError, DeadlineExceededError
from orchestrator.core.model.stores import Changes

_LONGEST_BYTES = 64 * 1024**2  # about two seconds to read
_READING_S = 20.0
_LEAVING_S = 5.0
_POLL_S = 0.05


class Moment(BaseModel):
    """A database and its server as they are seen from outside of it; ``prepared``: transactions that wait in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server_began: str
    database: str | None
    closed: str
    sessions: int
    prepared: int
    position: str
    flushed: str
    timeline: str
    server: dict[str, str]
    databases: dict[str, str]
    oids: dict[int, str]

    @property
    def quiet(self) -> bool:
        """Whether nobody could write just then."""
        return bool(self.closed) and not self.sessions and not self.prepared


class _Contents(NamedTuple):
    """As the database itself says; then from outside of it, once it was closed again."""

    found: Mapping[str, str | int]
    after: Moment


class PostgresProof:
    """Marks of databases, and what was written since one of them."""

    def __init__(self, psql: Psql) -> None:
        self._psql = psql
        self._capability: dict[str, int | bool] | None = None

    def mark(self, name: str) -> PgChangeToken:
        """This moment. A later `changes` proves something only where the database is closed and nobody is in it."""
        before = self._look(name)
        contents, after = self._look_inside(name, before, whole=False)
        return PgChangeToken.model_validate(
            {
                **contents,
                "database": before.database,
                "server_began": before.server_began,
                "position": before.position if before.quiet else "",
                "closed": after.closed if before.quiet and after.quiet else "",
                "server": before.server,
                "databases": before.databases,
            }
        )

    def changes(self, name: str, since: PgChangeToken, ours: Collection[str]) -> Changes:
        """What was written to ``name``; ``ours`` are databases that we have made ourselves since."""
        now = self._look(name)
        beyond = _find_beyond(since, now, ours)
        if now.database != since.database:
            return Changes(finding="written", reason="it is another database under the same name", beyond=beyond)
        if now.server_began != since.server_began:
            reason = "the database server was restarted since"
            beyond = (*beyond, *_tell_log(*self._read_log(since, now), since, now, ours))
            return Changes(finding="unproven", reason=reason, restarted=True, beyond=beyond)
        if since.closed and since.closed == now.closed and now.quiet:
            reason = "it was closed to everybody all the time"
            return Changes(finding="untouched", reason=reason, rows=0, beyond=beyond)
        return self._compare(name, since, ours)

    def _compare(self, name: str, since: PgChangeToken, ours: Collection[str]) -> Changes:
        now = self._await_closed(name)
        contents, after = self._look_inside(name, now, whole=True)
        beyond = _find_beyond(since, after, ours)
        rows = _count_rows(contents, since)
        log, problem = self._read_log(since, after)
        beyond = (*beyond, *_tell_log(log, problem, since, after, ours))
        written = _find_written(contents, since, log)
        unproven = _find_doubt(contents, after, problem)
        if written:
            return Changes(finding="written", reason=written, rows=rows, beyond=beyond)
        if unproven:
            return Changes(finding="unproven", reason=unproven, rows=rows, beyond=beyond)
        reason = "its catalog is the same, and the server's log holds no change of it"
        return Changes(finding="untouched", reason=reason, rows=rows, beyond=beyond)

    def _look(self, name: str) -> Moment:
        maintenance = self._psql.maintenance(name)
        if self._capability is None:
            self._capability = json.loads(self._psql.ask(marks.build_capability(), maintenance))
        moment = self._psql.ask(self._build_moment(name), maintenance)
        return _read_moment(moment, name)

    def _build_moment(self, name: str, *, whole: bool = True) -> str:
        capability = self._capability or {}
        version, superuser = int(capability["version"]), bool(capability["superuser"])
        return marks.build_moment(name, version=version, superuser=superuser, whole=whole)

    def _await_closed(self, name: str) -> Moment:
        """Wait a while for sessions that were told to end."""
        with suppress(DeadlineExceededError):
            waiting = self._psql.allow("Waiting for sessions to end", _LEAVING_S)
            return waiting.poll(lambda: found if not (found := self._look(name)).sessions else None, every_s=_POLL_S)
        return self._look(name)

    def _look_inside(self, name: str, before: Moment, *, whole: bool) -> _Contents:
        """Ask the database itself; one that is closed is opened for that and closed again, with nobody in it."""
        if not before.closed:
            return _Contents(json.loads(self._psql.ask(marks.build_contents(), name)), before)
        self._psql.ask(sql.build_fence(name, closed=False), self._psql.maintenance(name))
        try:
            found = json.loads(self._psql.ask(marks.build_contents(), name))
        finally:
            after = self._close(name, whole=whole)
        return _Contents(found, after)

    def _close(self, name: str, *, whole: bool) -> Moment:
        """Who slipped in is ended, and what they wrote is in the log before its end is read."""
        last: list[Moment] = []

        def is_empty() -> bool | None:
            statements = (
                marks.build_closing(name, self._psql.application) + "\n" + self._build_moment(name, whole=whole)
            )
            strangers, _, moment = self._psql.ask(statements, self._psql.maintenance(name)).partition("\n")
            last.append(_read_moment(moment, name))
            return True if strangers == "0" and not last[-1].sessions else None

        with suppress(DeadlineExceededError):
            self._psql.allow("Waiting for sessions to end", _LEAVING_S).poll(is_empty, every_s=_POLL_S)
        return last[-1]

    def _read_log(self, since: PgChangeToken, end: Moment) -> tuple[wal.LogReader | None, str]:
        """What the log holds since a mark, or None and why it could not be read."""
        start = since.position
        if not start:
            return None, "where it was then is not known"
        distance = wal.find_distance(start, end.flushed)
        if distance > _LONGEST_BYTES:
            return None, f"it has grown by {distance // 1024**2} MiB"
        directories = json.loads(self._psql.ask(marks.build_directories(), self._psql.maintenance()))
        argv = build_log_reading(directories["programs"], directories["log"], end.timeline, start, end.flushed)
        reader = wal.LogReader()
        try:
            within = self._psql.allow("Reading the server's log", _READING_S)
            outcome = self._psql.executor.stream(argv, reader.feed, deadline=within)
        except (DatabaseError, DeadlineExceededError) as error:
            return None, error.summary
        # Our own closing of the database is in it; a reader that saw nothing was not there.
        if outcome.exit_code != 0 or not reader.records:
            return None, outcome.errors.strip().splitlines()[-1] if outcome.errors.strip() else "its reader failed"
        return reader, ""


def _count_rows(contents: Mapping[str, str | int], since: PgChangeToken) -> int | None:
    rows = int(contents["written"]) - since.written
    counted = since.counted_since and contents["counted_since"] == since.counted_since
    return rows if counted and rows >= 0 else None


def _find_written(contents: Mapping[str, str | int], since: PgChangeToken, log: wal.LogReader | None) -> str:
    if contents["catalog"] != since.catalog:
        return "its catalog or a sequence is not what it was"
    if log is not None and int(since.database) in log.written:
        return "the server's log holds changes of it"
    known = marks.UNKNOWN not in f"{contents['unlogged']}{since.unlogged}"
    return "an unlogged table is not what it was" if known and contents["unlogged"] != since.unlogged else ""


def _find_doubt(contents: Mapping[str, str | int], after: Moment, problem: str) -> str:
    if problem:
        return f"the server's log could not be read: {problem}"
    if marks.UNKNOWN in str(contents["unlogged"]):
        return "it has tables that the server's log leaves out"
    return "" if after.quiet else "somebody else could be in it"


def _read_moment(text: str, name: str) -> Moment:
    moment = Moment.model_validate_json(text)
    if moment.database is None:
        refuse_missing(name)
    return moment


def _find_beyond(since: PgChangeToken, now: Moment, ours: Collection[str]) -> tuple[str, ...]:
    if not since.position:
        return ()  # of an earlier version, or of a database that was open: nothing is known of then
    items = sorted(item for item in {*since.server, *now.server} if since.server.get(item) != now.server.get(item))
    others = sorted({*since.databases, *now.databases} - {*ours})
    return (*items, *(f"database {name}" for name in others if since.databases.get(name) != now.databases.get(name)))


def _tell_log(
    log: wal.LogReader | None, problem: str, since: PgChangeToken, now: Moment, ours: Collection[str]
) -> tuple[str, ...]:
    if log is None:
        return (f"perhaps other databases, for the server's log could not be read ({problem})",)
    written = {name for oid, name in now.oids.items() if oid in log.written and str(oid) != since.database}
    told = tuple(f"contents of database {name}" for name in sorted(written & since.databases.keys() - {*ours}))
    silent = f"unlogged or temporary tables of some database ({log.silent} times)"
    return (*told, silent) if log.silent else told
