"""The database server as a witness asks it: directly, without the app and without the tool that is tested."""

from contextlib import closing, suppress

import psycopg

from deploy.demo.bed import BedError, LedgerHost
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DeadlineExceededError

LIVE = "ledger"
SYSTEM = "postgres"
_CONNECT_WITHIN_S = 30
_RETRY_S = 0.2


class Server:
    """Asks the server of one host; every question has a session of its own, so none is ever in the way."""

    def __init__(self, host: LedgerHost) -> None:
        self._host = host

    def ask(self, query: str, database: str = LIVE) -> list[tuple[str, ...]]:
        """Rows of a question, all of them as text; raises `BedError`."""
        try:
            with closing(self._connect(database)) as connection:
                cursor = connection.execute(query)
                return [tuple(map(str, row)) for row in cursor.fetchall()] if cursor.description else []
        except (psycopg.Error, DeadlineExceededError) as error:
            raise BedError(f"the server does not answer: {error}") from error

    def read_one(self, query: str, database: str = LIVE) -> str:
        """The one value of a question."""
        ((value,),) = self.ask(query, database)
        return value

    def read_ids(self, database: str = LIVE) -> dict[int, str]:
        """The ledger of any database as id to hash."""
        return {int(number): digest for number, digest in self.ask("SELECT id, hash FROM entries", database)}

    def read_aside(self, database: str) -> dict[int, str]:
        """The ledger of a database that was set aside; it is opened for this look only."""
        self.ask(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true', SYSTEM)
        try:
            return self.read_ids(database)
        finally:
            self.ask(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false', SYSTEM)

    def dump_schema(self) -> str:
        """The schema of the live database as `pg_dump` writes it."""
        argv = ["pg_dump", "--schema-only", "--username", "ledger", LIVE]
        done = self._host.container("db").exec_run(argv)
        said = done.output.decode(errors="replace") if isinstance(done.output, bytes) else ""
        if done.exit_code != 0 or not said:
            raise BedError(f"pg_dump: {said}")
        return said

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A session; a server that was restarted just now is waited for."""
        within = Deadline(SystemClock(), _CONNECT_WITHIN_S, what="The server")
        return within.poll(lambda: self._try_to_connect(database), every_s=_RETRY_S)

    def _try_to_connect(self, database: str) -> psycopg.Connection[tuple[object, ...]] | None:
        networks = self._host.container("db").attrs["NetworkSettings"]["Networks"]
        addresses = [network["IPAddress"] for network in networks.values()]
        with suppress(psycopg.OperationalError):
            return psycopg.connect(
                host=addresses[0],
                dbname=database,
                user="ledger",
                password=self._host.password,
                application_name="witness",
                autocommit=True,
                connect_timeout=5,
            )
        return None
