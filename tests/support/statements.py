"""The statements that a store really runs, taken on their way to the driver."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from sqlalchemy import event

from calib.store.database.raw_sql import SqlStatement
from calib.store.store import Store


@contextlib.contextmanager
def taken_from(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The statements that the store runs meanwhile, with their values."""
    engine = store._database._engine
    taken: list[tuple[str, Any]] = []

    def take(_c: Any, _u: Any, statement: str, values: Any, _x: Any, many: bool) -> None:
        taken.append((statement, values[0] if many else values))

    fetched = SqlStatement._fetched

    def take_and_fetch(own: SqlStatement, connection: Any, values: dict[str, Any]) -> Any:
        taken.append((own._sql[connection.dialect.name], dict(values)))
        return fetched(own, connection, values)

    event.listen(engine, "before_cursor_execute", take)
    try:
        with mock.patch.object(SqlStatement, "_fetched", take_and_fetch):
            yield taken
    finally:
        event.remove(engine, "before_cursor_execute", take)
