"""Stores with many calibrations, filled in bulk and kept in a cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from benchmarks.store_rows import TABLES, Filling, Rows
from calib.model.base.canonical import instant_from, microseconds
from calib.store.schema.columns import Instant
from calib.store.schema.revision import HEAD
from calib.store.schema.tables import CALIBRATION
from calib.store.store import Store
from support.postgres import LOCAL, Server, server_at

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "calib-bench"
PARTS = 4
"""Number of processes that generate rows."""


def filled_sqlite(cache: Path, n_calibrations: int) -> Path:
    """The store with that number of calibrations, generated unless it exists."""
    name = f"{HEAD}-{_recipe()}-{n_calibrations}"
    path = cache / f"{name}.sqlite"
    if path.exists():
        return path
    cache.mkdir(parents=True, exist_ok=True)
    draft = cache / f"draft-{name}.sqlite"
    for old in cache.glob(f"{draft.name}*"):
        old.unlink()
    Store.create(draft)
    begun = time.perf_counter()
    with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        for setting in ("synchronous = OFF", "cache_size = -1000000", "journal_mode = MEMORY"):
            connection.execute(f"PRAGMA {setting}")
        done = 0
        for rows in _batches(n_calibrations):
            connection.execute("BEGIN")
            for table in TABLES:
                if rows[table]:
                    named, marks = _named(table), ", ".join("?" * len(table.columns))
                    statement = f"INSERT INTO {table.name} ({named}) VALUES ({marks})"  # noqa: S608
                    connection.executemany(statement, map(_for_sqlite, rows[table]))
            connection.execute("COMMIT")
            done += len(rows[CALIBRATION])
            if done % 5000 < 500:
                print(f"filled {done}, {time.perf_counter() - begun:.0f} s", flush=True)
        connection.execute("ANALYZE")
    draft.rename(path)
    return path


@contextlib.contextmanager
def filled_server(cache: Path, sources: dict[str, Path]) -> Iterator[Server]:
    """A server with default settings, with one database per name, copied from the store at its
    path unless it exists."""
    home = cache / f"postgres-{HEAD}-{_recipe()}"
    home.mkdir(parents=True, exist_ok=True)
    for folder in (home, *home.parents):
        if folder.stat().st_mode & 0o005 != 0o005 and os.geteuid() == 0:
            folder.chmod(folder.stat().st_mode | 0o005)  # the server runs as another user
    with server_at(home, LOCAL) as server:
        with server.connect() as connection:
            existing = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for name, path in sources.items():
            if name not in existing:
                _copy(server, name, path)
        yield server


def forget(cache: Path) -> None:
    """Remove the cache folder."""
    shutil.rmtree(cache, ignore_errors=True)


def _copy(server: Server, name: str, path: Path) -> None:
    draft = f"draft_{name}"
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {draft}")
        connection.execute(f"CREATE DATABASE {draft} TEMPLATE template0")
    Store.create(server.url(draft))
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        server.connect(draft) as target,
        target.transaction(),
    ):
        target.execute("SET LOCAL session_replication_role = replica")  # foreign keys are valid
        for table in TABLES:
            columns = list(table.columns)
            instants = [i for i, column in enumerate(columns) if isinstance(column.type, Instant)]
            flags = [i for i, column in enumerate(columns) if str(column.type) == "BOOLEAN"]
            named, begun = _named(table), time.perf_counter()
            statement = f"COPY {table.name} ({named}) FROM STDIN"
            with target.cursor() as cursor, cursor.copy(statement) as copy:
                rows = source.execute(f"SELECT {named} FROM {table.name}")  # noqa: S608
                for row in rows:
                    copy.write_row(_for_postgres(row, instants, flags))
            print(f"copied {table.name}, {time.perf_counter() - begun:.0f} s", flush=True)
    with server.connect(draft) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    with server.connect() as connection:
        connection.execute(f"ALTER DATABASE {draft} RENAME TO {name}")


def _named(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def _batches(n_calibrations: int) -> Iterator[Rows]:
    """All rows, generated by several processes."""
    spawn = multiprocessing.get_context("fork")
    queues = [spawn.Queue(2) for _ in range(PARTS)]
    makers = [
        spawn.Process(target=_make, args=(n_calibrations, part, queue), daemon=True)
        for part, queue in enumerate(queues)
    ]
    for maker in makers:
        maker.start()
    open_ones = list(queues)
    while open_ones:
        for queue in list(open_ones):
            batch = queue.get()
            if batch is None:
                open_ones.remove(queue)
                continue
            yield {table: batch[table.name] for table in TABLES}
    for maker in makers:
        maker.join()


def _make(n_calibrations: int, part: int, queue: Any) -> None:
    for rows in Filling(n_calibrations, part, PARTS).batches():
        queue.put({table.name: lines for table, lines in rows.items()})
    queue.put(None)


def _for_sqlite(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(microseconds(v) if isinstance(v, datetime) else v for v in row)


def _for_postgres(row: tuple[Any, ...], instants: list[int], flags: list[int]) -> Any:
    if not instants and not flags:
        return row
    values = list(row)
    for index in instants:
        if values[index] is not None:
            values[index] = instant_from(values[index])
    for index in flags:
        values[index] = bool(values[index])
    return values


def _recipe() -> str:
    """Hash of the code that generates rows, so that outdated stores are not used."""
    text = Path(__file__).with_name("store_rows.py").read_bytes()
    return hashlib.sha256(text).hexdigest()[:8]
