"""Connections to PostgreSQL: one a thread, replaced when it is found broken."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

CONNECT_TIMEOUT_S = 2
_SESSION = "-c statement_timeout=5s -c lock_timeout=3s"


class Database:
    """Hands each thread its own connection, in autocommit mode."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._threads = threading.local()

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection]:
        """Yield a connection that has just answered; raises `psycopg.OperationalError` when none can be had.

        A statement that fails because the connection broke is never repeated: it may have been carried out.
        """
        connection = self._answering()
        try:
            yield connection
        except psycopg.OperationalError:
            connection.close()
            raise

    def _answering(self) -> psycopg.Connection:
        connection: psycopg.Connection | None = getattr(self._threads, "connection", None)
        if connection is None or not _answers(connection):
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                options=_SESSION,
                application_name="ledger",
            )
            self._threads.connection = connection
        return connection


def _answers(connection: psycopg.Connection) -> bool:
    if connection.closed:
        return False
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        connection.close()
        return False
    return True
