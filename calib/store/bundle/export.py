"""Collecting the rows and log entries of a detector or of one calibration into a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, Table, select

from calib.errors import IntegrityError
from calib.model.store.bundle import USAGE, Bundle, BundleEntry, BundleRows
from calib.model.store.log import Entry, by_id
from calib.model.store.record import ChangeStamp
from calib.store.log.bindings import rows_of_other_detectors
from calib.store.log.log import read_entries
from calib.store.log.row_hashes import canonical_value, position_column
from calib.store.records.calibrations import read_calibration
from calib.store.schema.tables import (
    ARTIFACT,
    CALIBRATION_DATASET,
    CALIBRATION_SUMMARY,
    CERTIFICATION,
    DATASET,
    DETECTOR,
    METADATA,
    RELABELLING,
    SUMMARY,
    WITHDRAWAL,
)
from calib.version import __version__

_OF_DETECTOR = ("detector", "detector_edit")
"""Tables that describe the detector, in the bundle of one of its calibrations as well."""


def collect_bundle(
    connection: Connection, serial: str, calibration: int | None, *, with_usage: bool
) -> Bundle:
    """Everything of a detector, or of the one of its calibrations at a position.

    Raises ``IntegrityError`` for a calibration whose content differs from what was stored.
    """
    log = read_entries(connection, serial, None)
    _check_detector(connection, serial, {entry.position: entry.chain for entry in log})
    entries = [_entry(entry, with_usage=with_usage) for entry in log]
    about = None if calibration is None else _positions_about(connection, calibration)
    rows = []
    for one in entries:
        place = one.entry.position
        for name in sorted(one.entry.contents):
            # The detector may have been registered together with another calibration.
            if about is not None and place not in about and name not in _OF_DETECTOR:
                continue
            if name not in METADATA.tables:
                continue  # a table of a newer store that admits this program
            found = _rows(connection, METADATA.tables[name], place)
            if with_usage or name not in USAGE or _is_anonymous(found):
                rows.append(found)
    rows += _shared_rows(connection, rows)
    named = None
    if calibration is not None:
        named = read_calibration(connection, calibration).id
    return Bundle(serial, named, with_usage, __version__, tuple(entries), tuple(rows))


def _check_detector(connection: Connection, serial: str, chains: Mapping[int, str]) -> None:
    """Raise ``IntegrityError`` if an entry of the detector's log recorded rows of another one."""
    found = connection.execute(select(DETECTOR.c.position, DETECTOR.c.serial))
    serials = {row.position: row.serial for row in found}
    other = rows_of_other_detectors(connection, chains, serials, min(chains), max(chains))
    for table, position, problem in other:
        raise IntegrityError(
            "other-detector",
            f"the row of {table} at position {position} cannot be exported with {serial}: "
            f"{problem}.",
            remedy="calib audit verify lists all changes; restore the store from a backup.",
        )


def _entry(entry: Entry, *, with_usage: bool) -> BundleEntry:
    by = by_id(entry.recorded, entry.salt)
    if with_usage:
        return BundleEntry(entry, by, signed=True)
    bare = ChangeStamp(entry.recorded.at, "", "", "", entry.recorded.reason)
    return BundleEntry(replace(entry, recorded=bare, salt=""), by, signed=False)


def _is_anonymous(rows: BundleRows) -> bool:
    """Whether these entries of another store came without names, so that they can be passed on."""
    return rows.table == "origin" and all(value is None for value in rows.columns["signature"])


def _positions_about(connection: Connection, calibration: int) -> set[int]:
    """The positions that recorded a calibration, its certifications, their withdrawals, and that it
    has another serial."""
    certified = set(
        connection.execute(
            select(CERTIFICATION.c.position).where(CERTIFICATION.c.calibration == calibration)
        ).scalars()
    )
    withdrawn = set(
        connection.execute(
            select(WITHDRAWAL.c.position).where(WITHDRAWAL.c.certification.in_(certified))
        ).scalars()
    )
    relabelled = set(
        connection.execute(
            select(RELABELLING.c.position).where(RELABELLING.c.calibration == calibration)
        ).scalars()
    )
    return {calibration} | certified | withdrawn | relabelled


def _rows(connection: Connection, table: Table, position: int) -> BundleRows:
    place = table.c[position_column(table)]
    return _rows_where(connection, table, place, [position], position, loose=False)


def _shared_rows(connection: Connection, rows: Iterable[BundleRows]) -> list[BundleRows]:
    """Datasets, summaries and artifacts that earlier changes had recorded."""
    given: dict[str, set[Any]] = {"artifact": set(), "dataset": set(), "summary": set()}
    wanted: dict[str, set[Any]] = {"artifact": set(), "dataset": set(), "summary": set()}
    for one in rows:
        columns = one.columns
        if one.table in given:
            given[one.table] |= set(columns["sha256" if one.table == "artifact" else "id"])
        if one.table == "summary":
            wanted["artifact"] |= set(columns["artifact"])
        if one.table == "calibration":
            wanted["artifact"] |= set(columns["covariance_sha256"])
        if one.table == CALIBRATION_DATASET.name:
            wanted["dataset"] |= set(columns["dataset"])
        if one.table == CALIBRATION_SUMMARY.name:
            wanted["summary"] |= set(columns["summary"])
    out = []
    for table in (DATASET, SUMMARY, ARTIFACT):
        key = table.c.sha256 if table is ARTIFACT else table.c.id
        missing = sorted(wanted[table.name] - given[table.name])
        for name in missing:
            found = _rows_where(connection, table, key, [name], 0, loose=True)
            out.append(found)
            if table is SUMMARY:
                wanted["artifact"] |= set(found.columns["artifact"])
    return out


def _rows_where(
    connection: Connection,
    table: Table,
    where: Column[Any],
    values: list[Any],
    position: int,
    *,
    loose: bool,
) -> BundleRows:
    keys = [column.name for column in table.primary_key]
    found = connection.execute(select(table).where(where.in_(values))).mappings().all()
    ordered = sorted(found, key=lambda row: [(str(type(row[k])), row[k]) for k in keys])
    columns = {
        column.name: tuple(_value(column, row[column.name]) for row in ordered)
        for column in table.columns
    }
    return BundleRows(table.name, position, columns, loose)


def _value(column: Column[Any], value: Any) -> Any:
    if isinstance(column.type, LargeBinary):
        return bytes(value)
    return canonical_value(column.type, value)
