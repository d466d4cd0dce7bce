"""Connections to an SQLite file that stay open between reads.

Checking out a connection and beginning a transaction through SQLAlchemy takes longer than the
statements of a look-up. So connections are kept, and the driver begins and ends the transaction of
a read. A connection is closed after an error, and before a write, which may need the file
exclusively.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from sqlalchemy import Connection, Engine

from calib.store.database.engines import DRIVER_BEGINS, sqlite_connection


class ReadConnections:
    """Pool of idle connections of one engine; each is used by one thread at a time."""

    def __init__(self, engine: Engine, check: Callable[[Connection], None]) -> None:
        """``check`` raises if a connection must not be used any more."""
        self._engine = engine
        self._check = check
        self._idle: list[Connection] = []

    def prepare(self) -> None:
        """Open a connection if none is idle, so that its failure shows before a read begins."""
        if not self._idle:
            self._idle.append(self._new())

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose reads all see one snapshot."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._new()
        try:
            self._check(connection)
            driver = sqlite_connection(connection)
            driver.execute("BEGIN")
            yield connection
            if driver.in_transaction:
                driver.execute("ROLLBACK")  # nothing to commit
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def _new(self) -> Connection:
        return self._engine.connect().execution_options(**{DRIVER_BEGINS: True})

    def close_idle(self) -> None:
        """Close the idle connections."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()
