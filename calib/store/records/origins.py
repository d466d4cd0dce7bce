"""Log entries of other stores: rows to model values and back. Rows are only ever added."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from calib.model.base.canonical import instant_from, microseconds
from calib.model.store.bundle import BundleEntry, OriginEntry
from calib.model.store.log import Entry
from calib.model.store.record import ChangeStamp
from calib.store.log.written import insert_rows
from calib.store.schema.tables import DEED, ENTRY, ORIGIN

_PAGE = 500


def known_hashes(connection: Connection, names: Sequence[str]) -> set[str]:
    """The hashes among ``names`` of which the store has the entry, its own or from a bundle."""
    found: set[str] = set()
    for first in range(0, len(names), _PAGE):
        page = names[first : first + _PAGE]
        for table in (ENTRY, ORIGIN):
            rows = connection.execute(select(table.c.hash).where(table.c.hash.in_(page)))
            found |= set(rows.scalars())
    return found


def insert_origins(
    connection: Connection, position: int, detector: int, origins: Sequence[OriginEntry]
) -> None:
    """Insert entries that are not in the store."""
    insert_rows(
        connection,
        ORIGIN,
        [
            {
                "hash": one.bundled.entry.hash,
                "position": position,
                "detector": detector,
                "origin_position": one.bundled.entry.position,
                "recorded_at": one.bundled.entry.recorded.at,
                "chain": one.bundled.entry.chain,
                "ordinal": one.bundled.entry.ordinal,
                "kind": one.bundled.entry.kind,
                "reason": one.bundled.entry.recorded.reason,
                "contents": json.dumps(dict(one.bundled.entry.contents), sort_keys=True),
                "previous": one.bundled.entry.previous,
                "signed_by": one.bundled.by,
                "signature": _signature(one.bundled),
                "calibration_id": one.calibration_id,
                "version": one.version,
                "said": json.dumps(_plain(one.values), sort_keys=True),
            }
            for one in origins
        ],
    )


def read_origins(connection: Connection, which: ColumnElement[bool]) -> list[OriginEntry]:
    """The entries that match ``which``, in the order of the log they come from."""
    rows = connection.execute(
        select(ORIGIN, DEED.c.recorded_at.label("loaded_at"), DEED.c.actor, DEED.c.host)
        .join(DEED, DEED.c.position == ORIGIN.c.position)
        .where(which)
        .order_by(ORIGIN.c.recorded_at, ORIGIN.c.origin_position)
    )
    return [_origin(row) for row in rows]


def _signature(bundled: BundleEntry) -> str | None:
    if not bundled.signed:
        return None
    recorded = bundled.entry.recorded
    return json.dumps([recorded.actor, recorded.host, recorded.command, bundled.entry.salt])


def _origin(row: Row[Any]) -> OriginEntry:
    signature = None if row.signature is None else json.loads(row.signature)
    actor, host, command, salt = signature or ("", "", "", "")
    entry = Entry(
        position=row.origin_position,
        recorded=ChangeStamp(row.recorded_at, actor, host, command, row.reason),
        chain=row.chain,
        ordinal=row.ordinal,
        kind=row.kind,
        contents=json.loads(row.contents),
        salt=salt,
        previous=row.previous,
        hash=row.hash,
    )
    return OriginEntry(
        bundled=BundleEntry(entry, row.signed_by, signature is not None),
        calibration_id=row.calibration_id,
        version=row.version,
        values=_from_plain(json.loads(row.said)),
        loaded=ChangeStamp(row.loaded_at, row.actor, row.host),
    )


def _plain(row: Any) -> dict[str, Any]:
    return {
        name: {"$t": microseconds(value)} if hasattr(value, "tzinfo") else value
        for name, value in row.items()
    }


def _from_plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: instant_from(value["$t"]) if isinstance(value, dict) else value
        for name, value in row.items()
    }
