"""The certifications and withdrawals on which an answer depends, verified against the log.

The answer depends on the certification that applies and on everything recorded after it: a later
one could cover the point, a withdrawal could have ended it. The certification that applies is read
with all its columns and its entry; of later ones only the columns that decide, from an index. What
this process has verified before is not verified again while no value differs.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from calib.errors import IntegrityError
from calib.model.store.log import Entry
from calib.model.store.record import ChangeStamp
from calib.store.database.raw_sql import SqlStatement, instant
from calib.store.log.log import entry_with
from calib.store.log.verification import verify_certification, verify_certifications

_LATER = SqlStatement(
    "SELECT 0, c.position, c.valid_from, c.valid_to, c.distance_min_mm, c.distance_max_mm, "
    "w.position FROM certification c LEFT JOIN withdrawal w ON w.certification = c.position "
    "WHERE c.detector = :detector AND c.position > :number "
    "UNION ALL SELECT 1, e.position, NULL, NULL, NULL, NULL, w.certification FROM entry e "
    "LEFT JOIN withdrawal w ON w.position = e.position "
    "WHERE e.chain = :serial AND e.kind = 'withdrawal' AND e.position > :number "
    "UNION ALL SELECT 2, count(*), NULL, NULL, NULL, NULL, NULL FROM entry "
    "WHERE chain = :serial AND kind = 'certification' AND position > :number"
)
_CERTIFIED, _WITHDRAWN = 0, 1
_MOST = 500_000
"""Number of rows that are remembered for one store."""
_VERIFIED: WeakKeyDictionary[Engine, set[Any]] = WeakKeyDictionary()


def verify_deciding(connection: Connection, row: Any) -> None:
    """Verify the certification in a row of the resolver and everything recorded after it.

    Raises ``IntegrityError`` (``changed-certification``, ``changed-withdrawal``).
    """
    certified = (
        row.number,
        row.position,
        row.detector,
        row.valid_from,
        row.valid_to,
        row.distance_min_mm,
        row.distance_max_mm,
        row.gap_mm,
        row.reason,
        row.override_reason,
    )
    stamp = (row.recorded_at, row.actor, row.host, row.command, row.entry_reason)
    entry = (row.chain, row.ordinal, row.kind, row.contents, row.salt, row.previous, row.hash)
    known = _VERIFIED.setdefault(connection.engine, set())
    whole = (row.serial, certified, stamp, entry)
    if whole not in known:
        verify_certification(certified, row.serial, _entry(row))
        known.add(whole)
    verify_later(connection, row.detector, row.serial, row.number)


def verify_later(connection: Connection, detector: int, serial: str, number: int) -> None:
    """Verify a detector's certifications and withdrawals after a position of the log."""
    known = _VERIFIED.setdefault(connection.engine, set())
    rows = _LATER.rows(connection, detector=detector, serial=serial, number=number)
    found, n_certified, n_recorded = set(), 0, 0
    withdrawals: dict[Any, list[Any]] = {}
    for one in rows:
        if one[0] == _CERTIFIED:
            n_certified += 1
            found.add((detector, *one))
        elif one[0] == _WITHDRAWN:
            withdrawals.setdefault(one[1], []).append(one[6])
        else:
            n_recorded = one[1]
    for position, certifications in withdrawals.items():
        found.add((detector, position, tuple(sorted(certifications, key=repr))))
    if n_certified == n_recorded and found <= known:
        return
    verify_certifications(connection, detector, serial, number)
    if len(known) > _MOST:
        known.clear()
    known |= found


def _entry(row: Any) -> Entry:
    try:
        at = instant(row.recorded_at)
        stamp = ChangeStamp(at, row.actor, row.host, row.command, row.entry_reason)
        return entry_with(row, row.number, stamp)
    except (TypeError, ValueError):
        raise IntegrityError(
            "changed-certification",
            f"the log has no entry of certification {row.number} that can be read.",
            remedy="calib audit verify lists all changes; restore the store from a backup.",
        ) from None
