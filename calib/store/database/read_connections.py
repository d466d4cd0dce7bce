"""Connections to a file that stay open between reads.

SQLAlchemy's own checking out and framing costs a look-up more than its statements do. So the frame
of a read is set by the driver, and a connection is let go of only after an error and before a
write, which may want the file for itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import Connection, Engine

from calib.store.database.engines import FRAMED, sqlite_connection


class Readers:
    """The idle connections of one engine; each is used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[Connection] = []

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection on which everything read comes from one moment."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._engine.connect().execution_options(**{FRAMED: True})
        try:
            driver = sqlite_connection(connection)
            driver.execute("BEGIN")
            yield connection
            if driver.in_transaction:
                driver.execute("ROLLBACK")  # a read keeps nothing
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def let_go(self) -> None:
        """Give the idle connections back."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()
