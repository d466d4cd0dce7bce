"""References to calibrations: SERIAL:VERSION, the beginning of an id, or a version."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select

from calib.errors import InputError, NotFoundError
from calib.store.records.detectors import detector_position, serials
from calib.store.schema.tables import CALIBRATION, DETECTOR

SHORTEST_PREFIX = 8
_VERSION = re.compile(r"[0-9]{1,7}")
_PREFIX = re.compile(rf"[0-9a-fA-F]{{{SHORTEST_PREFIX},64}}")
_NAME = re.compile(r"(?P<serial>.+):(?P<version>[0-9]{1,7})")


def find_position(connection: Connection, reference: str, serial: str | None) -> int:
    """The log position of the calibration that ``reference`` names.

    A bare version needs ``serial``, or a store with one detector. Raises ``InputError`` for a
    reference that is malformed or ambiguous, and ``NotFoundError`` if the calibration is not in the
    store.
    """
    reference = reference.strip()
    named = _NAME.fullmatch(reference)
    if named is not None:
        if serial is not None and serial != named["serial"]:
            raise InputError(
                "serial-contradicts",
                f"{reference} is not a calibration of detector {serial}.",
                remedy="omit --serial, or give the version alone.",
            )
        return _by_version(connection, named["serial"], int(named["version"]))
    if _VERSION.fullmatch(reference):
        return _by_version(
            connection, serial or _only_serial(connection, reference), int(reference)
        )
    if _PREFIX.fullmatch(reference):
        return _by_prefix(connection, reference.lower(), serial)
    raise InputError(
        "bad-reference",
        f"{reference!r} does not name a calibration.",
        remedy=f"give SERIAL:VERSION, or the first {SHORTEST_PREFIX} or more characters of an id.",
    )


def _by_version(connection: Connection, serial: str, version: int) -> int:
    detector = detector_position(connection, serial)
    versions = connection.execute(
        select(CALIBRATION.c.version, CALIBRATION.c.position)
        .where(CALIBRATION.c.detector == detector)
        .order_by(CALIBRATION.c.version.desc())
    )
    known = [(row.version, row.position) for row in versions]
    for number, position in known:
        if number == version:
            return int(position)
    has = f"its versions are 1 to {known[0][0]}" if known else "it has none yet"
    raise NotFoundError(
        "unknown-calibration",
        f"detector {serial} has no calibration {version}; {has}.",
        remedy=f"calib list --serial {serial}.",
    )


def _by_prefix(connection: Connection, prefix: str, serial: str | None) -> int:
    rows = connection.execute(
        select(CALIBRATION.c.position, CALIBRATION.c.id, CALIBRATION.c.version, DETECTOR.c.serial)
        .join(DETECTOR, DETECTOR.c.position == CALIBRATION.c.detector)
        .where(CALIBRATION.c.id >= prefix, CALIBRATION.c.id <= prefix.ljust(64, "f"))
        .order_by(CALIBRATION.c.position)
    ).all()
    if serial is not None:
        rows = [row for row in rows if row.serial == serial]
    if not rows:
        raise NotFoundError(
            "unknown-calibration",
            f"no calibration has an id that begins with {prefix}.",
            remedy="calib list.",
        )
    if len(rows) > 1:
        listed = ", ".join(f"{row.serial}:{row.version} ({row.id[:16]})" for row in rows[:10])
        raise InputError(
            "ambiguous-reference",
            f"{len(rows)} calibrations have an id that begins with {prefix}: {listed}.",
            remedy="give more characters of the id, or SERIAL:VERSION.",
        )
    return int(rows[0].position)


def _only_serial(connection: Connection, reference: str) -> str:
    known = serials(connection)
    if len(known) == 1:
        return known[0]
    if not known:
        raise NotFoundError(
            "unknown-calibration",
            "the store has no calibration yet.",
            remedy="calib derive.",
        )
    listed = ", ".join(f"{serial}:{reference}" for serial in known[:10])
    raise InputError(
        "ambiguous-reference",
        f"the store has {len(known)} detectors, so version {reference} is ambiguous: "
        f"{listed}" + (", ..." if len(known) > 10 else "."),
        remedy="give --serial SERIAL, or one of these.",
    )


def position_of(connection: Connection, calibration_id: str) -> int | None:
    """The log position of the calibration with that id; None if it is not in the store."""
    found: int | None = connection.execute(
        select(CALIBRATION.c.position).where(CALIBRATION.c.id == calibration_id)
    ).scalar()
    return found
