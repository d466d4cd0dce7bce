"""Benchmark of the store: look-ups and certifications in the store of a large facility."""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from benchmarks.store_filled import CACHE, filled_server, filled_sqlite
from benchmarks.store_rows import DETECTORS, PER_CALIBRATION, serial_of, valid_from
from calib.model.base.canonical import microseconds
from calib.model.store.record import Certification, ChangeStamp
from calib.model.store.validity import Validity
from calib.store.store import Store
from support.postgres import Server
from support.statements import taken_from

CALIBRATIONS = 100_000
FEW = 1000
LOOK_UPS = 2000
CERTIFICATIONS = 100
_LATE = datetime(2200, 1, 1, tzinfo=UTC)
Statements = list[tuple[str, Any]]


def section(n_calibrations: int, cache: Path = CACHE) -> list[str]:
    """Run the benchmark; returns lines of Markdown."""
    many, few = filled_sqlite(cache, n_calibrations), filled_sqlite(cache, FEW)
    rows = []
    rows.append(("SQLite", _look_ups(str(many), n_calibrations, _sqlite_driver)))
    flat = {"SQLite": _certifications(str(many), str(few), n_calibrations)}
    names = f"calibrations_{n_calibrations}", f"calibrations_{FEW}"
    with filled_server(cache, dict(zip(names, (many, few), strict=True))) as server:
        places = [server.url(name) for name in names]
        rows.append(("Postgres", _look_ups(places[0], n_calibrations, _postgres_driver(server))))
        flat["Postgres"] = _certifications(places[0], places[1], n_calibrations)
    lines = [
        f"{n_calibrations} calibrations of {min(DETECTORS, n_calibrations)} detectors with 60 "
        f"panels each, as many certifications, {n_calibrations * PER_CALIBRATION} applications, "
        "all in the log; without covariances. Milliseconds. Look-ups of random detectors and times "
        "with every hash verified, in turn with the same statements run by the driver alone.",
        "",
        "| resolve | p50 | p99 | driver p50 | p50 / driver | most p50, p99 allowed |",
        "|---|---|---|---|---|---|",
    ]
    allowed = {"SQLite": "2.5, 8", "Postgres": "4, 12"}
    for name, (own, raw) in rows:
        half, most, plain = np.percentile(own, 50), np.percentile(own, 99), np.percentile(raw, 50)
        lines.append(
            f"| {name} | {half:.2f} | {most:.2f} | {plain:.2f} | {half / plain:.2f} "
            f"| {allowed[name]} |"
        )
    lines += [
        "",
        f"| certify | median, {n_calibrations} calibrations | median, {FEW} | ratio |",
        "|---|---|---|---|",
    ]
    for name, (big, small) in flat.items():
        lines.append(f"| {name} | {big:.2f} | {small:.2f} | {big / small:.2f} |")
    return lines


def _look_ups(
    place: str, n_calibrations: int, driver: Callable[[str], Any]
) -> tuple[list[float], list[float]]:
    """Milliseconds of look-ups by the store and by the driver alone, in turn."""
    rng = np.random.default_rng(1)
    versions = n_calibrations // min(DETECTORS, n_calibrations)
    own, raw = [], []

    def drawn() -> tuple[str, int]:
        detectors = min(DETECTORS, n_calibrations)
        return serial_of(int(rng.integers(detectors))), int(rng.integers(1, versions + 1))

    with Store.open(place, read_only=True) as store, driver(place) as plain:
        with taken_from(store) as taken:
            store.resolve(serial_of(0), valid_from(1), 265.0)
        statements = [one for one in taken if "FROM" in one[0]]
        for turn in range(LOOK_UPS + 50):
            serial, version = drawn()
            at = valid_from(version) + timedelta(hours=5)
            begun = time.perf_counter()
            found = store.resolve(serial, at, 265.0)
            ended = time.perf_counter()
            assert (found.calibration.serial, found.calibration.version) == (serial, version)
            serial, version = drawn()
            seconds = plain(statements, serial, valid_from(version) + timedelta(hours=5))
            if turn >= 50:
                own.append(1e3 * (ended - begun))
                raw.append(1e3 * seconds)
    return own, raw


def _opened(place: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{place}?mode=ro", uri=True, isolation_level=None)


@contextlib.contextmanager
def _sqlite_driver(place: str) -> Iterator[Callable[..., float]]:
    with contextlib.closing(_opened(place)) as connection:
        yield lambda statements, serial, at: _by_driver(
            connection, "BEGIN", statements, serial, microseconds(at)
        )


def _postgres_driver(server: Server) -> Callable[[str], Any]:
    @contextlib.contextmanager
    def opened(place: str) -> Iterator[Callable[..., float]]:
        with server.connect(place.rpartition("/")[2]) as connection:
            yield lambda statements, serial, at: _by_driver(
                connection, "BEGIN ISOLATION LEVEL REPEATABLE READ", statements, serial, at
            )

    return opened


def _by_driver(
    connection: sqlite3.Connection | psycopg.Connection,
    begin: str,
    statements: Statements,
    serial: str,
    at: Any,
) -> float:
    """Seconds that the driver needs for the three statements of a look-up in one snapshot."""
    answer, later, panels = statements
    execute: Callable[..., Any] = connection.execute
    begun = time.perf_counter()
    execute(begin)
    cursor = execute(answer[0], {**answer[1], "serial": serial, "at": at})
    row = cursor.fetchall()[0]
    found = dict(zip((column[0] for column in cursor.description), row, strict=True))
    since = {"serial": serial, "detector": found["detector"], "number": found["number"]}
    execute(later[0], since).fetchall()
    rows = execute(panels[0], {"calibration": found["position"]}).fetchall()
    execute("COMMIT")
    ended = time.perf_counter()
    assert len(rows) == 60
    return ended - begun


def _certifications(many: str, few: str, n_calibrations: int) -> tuple[float, float]:
    """Median milliseconds of a certification in two stores, in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    rng = np.random.default_rng(2)
    with Store.open(many) as first, Store.open(few) as second:
        for turn in range(CERTIFICATIONS + 10):
            serial = serial_of(int(rng.integers(min(DETECTORS, n_calibrations))))
            for store, kept in zip((first, second), times, strict=True):
                certification = _next_certification(store, serial)
                begun = time.perf_counter()
                store.certifications.certify(certification)
                if turn >= 10:
                    kept.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(times[0]), statistics.median(times[1])


def _next_certification(store: Store, serial: str) -> Certification:
    """A further certification of a detector's latest calibration, for a later time."""
    known = store.resolve(serial, _LATE, 265.0).certification
    start = known.validity.start + timedelta(hours=1)
    return replace(
        known,
        number=0,
        validity=Validity(start, None),
        recorded=ChangeStamp(start, "ada", "beamline"),
    )
