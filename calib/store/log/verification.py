"""Rows that decide an answer, verified against the entries of the log that recorded them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from calib.errors import CalibError, IntegrityError
from calib.model.store.log import Entry, entry_id
from calib.model.store.record import ChangeStamp
from calib.store.database.raw_sql import SqlStatement, instant
from calib.store.log.log import entry_of, entry_with
from calib.store.log.row_hashes import hash_of, position_column
from calib.store.schema.tables import (
    ANCHORED_CHECKPOINT,
    CERTIFICATION,
    DETECTOR,
    DETECTOR_EDIT,
    LAYOUT,
    PLACEMENT,
    RELABELLING,
    RETIREMENT,
    STORE_RULE,
    WITHDRAWAL,
)

_ALL = 0
"""Before the first position."""
_OF_STORE = "position > :key"
"""Condition for rows that are not of one detector; the key is ``_ALL``."""


def verify_certifications(
    connection: Connection, detector: int, serial: str, after: int = _ALL
) -> None:
    """Verify all certifications of a detector after a position, and their withdrawals.

    Raises ``IntegrityError`` (``changed-certification``) if one was changed, deleted or inserted
    past the log.
    """
    entries = _entries(connection, serial, ("certification", "withdrawal"), after)
    certified = _rows(connection, CERTIFICATION, "detector = :key", detector, after)
    withdrawn = _rows(connection, WITHDRAWAL, _WITHDRAWN, detector, after, serial=serial)
    _compare(serial, "certification", CERTIFICATION, entries, certified)
    _compare(serial, "withdrawal", WITHDRAWAL, entries, withdrawn)


_WITHDRAWN = (
    "(certification IN (SELECT position FROM certification WHERE detector = :key) "
    "OR position IN (SELECT position FROM entry WHERE chain = :serial AND kind = 'withdrawal'))"
)


def verify_placements(connection: Connection, detector: int, serial: str) -> None:
    """Verify the placements of a detector; raises ``IntegrityError`` (``changed-placement``)."""
    _verify_all(connection, PLACEMENT, "placement", detector, serial)


def verify_registration(joined: Any, row: Sequence[Any]) -> None:
    """Verify the row of a detector; ``joined`` has the columns of its entry and stamp as well.

    Raises ``IntegrityError`` (``changed-detector``).
    """
    serial = joined.serial
    if joined.hash is None or joined.recorded_at is None:
        raise _changed("detector", joined.position, serial, "it has no entry in the log")
    entry = _entry("detector", serial, joined)
    if entry.contents.get("detector") != hash_of(DETECTOR, [row]):
        raise _changed("detector", joined.position, serial, "its row was changed")
    _check_entry(entry, serial, "detector")


def verify_edits(connection: Connection, detector: int, serial: str) -> None:
    """Verify the changes of a detector; raises ``IntegrityError`` (``changed-detector-edit``)."""
    _verify_all(connection, DETECTOR_EDIT, "detector-edit", detector, serial)


def verify_retirements(connection: Connection, detector: int, serial: str) -> None:
    """Verify the retirements of a detector; raises ``IntegrityError`` (``changed-retirement``)."""
    _verify_all(connection, RETIREMENT, "retirement", detector, serial)


def verify_relabellings(connection: Connection, detector: int, serial: str) -> None:
    """Verify the calibrations of a detector that were recorded under another serial; raises
    ``IntegrityError`` (``changed-relabelling``)."""
    where = "calibration IN (SELECT position FROM calibration WHERE detector = :key)"
    _verify_all(connection, RELABELLING, "relabelling", detector, serial, where)


def _verify_all(
    connection: Connection,
    table: Table,
    kind: str,
    key: int,
    chain: str,
    where: str = "detector = :key",
) -> None:
    rows = _rows(connection, table, where, key, _ALL)
    _compare(chain, kind, table, _entries(connection, chain, (kind,), _ALL), rows)


def verify_checkpoints(connection: Connection, chain: str) -> None:
    """Verify checkpoints of other stores; raises ``IntegrityError`` (``changed-checkpoint``)."""
    _verify_all(connection, ANCHORED_CHECKPOINT, "checkpoint", _ALL, chain, _OF_STORE)


def verify_layouts(connection: Connection, chain: str) -> None:
    """Verify layouts of the store; raises ``IntegrityError`` (``changed-layout``)."""
    _verify_all(connection, LAYOUT, "layout", _ALL, chain, _OF_STORE)


def verify_rules(connection: Connection, chain: str) -> None:
    """Verify the rules of the store; raises ``IntegrityError`` (``changed-rule``)."""
    _verify_all(connection, STORE_RULE, "rule", _ALL, chain, _OF_STORE)


def verify_certification(row: Sequence[Any], serial: str, entry: Entry) -> None:
    """Verify one row of ``certification`` against its entry, which must be in the detector's chain.

    Raises ``IntegrityError`` (``changed-certification``).
    """
    number = row[0]
    if entry.chain != serial or entry.kind != "certification":
        raise _changed("certification", number, serial, "its entry is that of another change")
    _check_entry(entry, serial, "certification")
    if entry.contents.get("certification") != hash_of(CERTIFICATION, [row]):
        raise _changed("certification", number, serial, "its row was changed")


def _compare(
    chain: str, kind: str, table: Table, entries: Iterable[Entry], rows: Iterable[Sequence[Any]]
) -> None:
    """Raise ``IntegrityError`` unless the rows are those that the entries of that kind recorded."""
    place = list(table.columns.keys()).index(position_column(table))
    found: dict[Any, list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        found[row[place]].append(row)
    for entry in entries:
        if entry.kind != kind:
            continue
        _check_entry(entry, chain, kind)
        mine = found.pop(entry.position, None)
        if mine is None:
            raise _changed(kind, entry.position, chain, "its row was deleted")
        if entry.contents.get(table.name) != hash_of(table, mine):
            raise _changed(kind, entry.position, chain, "its row was changed")
    for position in found:
        raise _changed(kind, position, chain, "it has no entry in the log of this detector")


def _check_entry(entry: Entry, chain: str, kind: str) -> None:
    try:
        holds = entry_id(entry) == entry.hash
    except (CalibError, TypeError, ValueError, OverflowError):
        holds = False
    if not holds:
        raise _changed(kind, entry.position, chain, "its entry in the log was changed")


def _changed(kind: str, position: Any, chain: str, how: str) -> IntegrityError:
    whose = f" of {chain}" if chain else ""
    return IntegrityError(
        f"changed-{kind}",
        f"the {kind} at position {position} of the log{whose} is not what was recorded: {how}.",
        remedy="calib audit verify lists all changes; restore the store from a backup.",
    )


def _entries(connection: Connection, chain: str, kinds: Sequence[str], after: int) -> list[Entry]:
    rows = _selected_entries(*kinds).records(connection, chain=chain, after=after)
    found = []
    for row in rows:
        try:
            at = instant(row.recorded_at)
            stamp = ChangeStamp(at, row.actor, row.host, row.command, row.reason)
            found.append(entry_with(row, row.position, stamp))
        except (TypeError, ValueError, OverflowError) as error:
            raise _unreadable(kinds[0], chain, error) from None
    return found


@cache
def _selected_entries(*kinds: str) -> SqlStatement:
    named = ", ".join(f"'{kind}'" for kind in kinds)
    return SqlStatement(
        "SELECT e.*, d.recorded_at, d.actor, d.host FROM entry e "  # noqa: S608 - known kinds
        "JOIN deed d ON d.position = e.position "
        f"WHERE e.chain = :chain AND e.kind IN ({named}) AND e.position > :after "
        "ORDER BY e.position"
    )


def _entry(kind: str, chain: str, row: Any) -> Entry:
    try:
        return entry_of(row)
    except (TypeError, ValueError, OverflowError) as error:
        raise _unreadable(kind, chain, error) from None


def _unreadable(kind: str, chain: str, error: Exception) -> IntegrityError:
    return _changed(kind, "?", chain, f"an entry cannot be read ({error})")


def _rows(
    connection: Connection, table: Table, where: str, key: int, after: int, **more: str
) -> Sequence[Sequence[Any]]:
    return _selected(table, where).rows(connection, key=key, after=after, **more)


@cache
def _selected(table: Table, where: str) -> SqlStatement:
    columns = ", ".join(column.name for column in table.columns)
    return SqlStatement(
        f"SELECT {columns} FROM {table.name} WHERE {where} "  # noqa: S608 - names of known tables
        f"AND {position_column(table)} > :after"
    )
