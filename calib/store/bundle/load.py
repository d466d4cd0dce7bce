"""A bundle's content brought into a store: whole or not at all, and nothing twice.

The rows are laid out in a store of their own first (``calib.store.bundle.scratch_store``), so that
calibrations are read back and verified as from any store; only model values go on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select, true

from calib.errors import CalibError
from calib.model.result.summary import SummaryFile
from calib.model.store.bundle import Bundle, Loaded, OriginEntry
from calib.model.store.log import STORE_CHAIN
from calib.model.store.provenance import Provenance
from calib.model.store.record import (
    Application,
    Certification,
    ChangeStamp,
    DetectorRecord,
    StoredCalibration,
)
from calib.store.bundle.scratch_store import by_row, unsound
from calib.store.log.log import recording
from calib.store.records.applications import add_application, read_applications
from calib.store.records.artifacts import read_provenance
from calib.store.records.calibrations import read_calibration
from calib.store.records.certifications import add_certification, of_detector, read_certifications
from calib.store.records.derivations import add_derivation
from calib.store.records.detectors import check_same, find_detector, insert_detector, read_detector
from calib.store.records.origins import insert_origins, known_hashes, read_origins
from calib.store.records.summaries import read_summaries
from calib.store.schema.tables import CALIBRATION, CALIBRATION_DATASET, DETECTOR, ORIGIN

_TOLD = ("certification", "withdrawal", "placement")
"""Entries whose rows are kept as the origin's history."""


def load(
    connection: Connection,
    origin: Connection,
    bundle: Bundle,
    stamp: ChangeStamp,
    *,
    adopt: bool,
    supersede: bool,
) -> Loaded:
    """Record what the bundle carries, laid out in ``origin``, and this store does not have yet.

    Raises ``FileFormatError`` for rows that are no calibration as they stand, ``LayoutError`` where
    the detector is another one here, and what certifying raises where ``adopt`` is set.
    """
    carried = _carried(origin, bundle)
    known = find_detector(connection, bundle.serial)
    if known is not None:
        check_same(known[1], carried.detector)
    elif not carried.calibrations:
        with recording(connection, stamp, "detector", STORE_CHAIN, (DETECTOR,)) as (
            place,
            _,
        ):
            insert_detector(connection, place, carried.detector)
    names: dict[str, StoredCalibration] = {}
    calibrations = []
    for one in carried.calibrations:
        here, new = add_derivation(
            connection,
            one.stored.record,
            one.starts,
            stamp,
            None if find_detector(connection, bundle.serial) is not None else carried.detector,
            one.summaries,
            one.provenance,
        )
        names[one.stored.id] = here
        calibrations.append((here.name, one.stored.version, new))
    n_history = _history(connection, carried.told, bundle.serial, stamp)
    adopted: tuple[int, ...] = ()
    if adopt:
        adopted = _adopted(connection, carried.words, names, stamp, supersede=supersede)
    n_applications = sum(
        add_application(connection, application, stamp) for application in carried.applications
    )
    return Loaded(
        bundle.serial, known is None, tuple(calibrations), n_history, adopted, n_applications
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Calibration:
    """A calibration with what its store kept beside it."""

    stored: StoredCalibration
    starts: Sequence[Any]
    summaries: Sequence[SummaryFile | None]
    provenance: Provenance | None


@dataclass(frozen=True, slots=True, eq=False)
class _Carried:
    """All that a bundle carries, read and verified."""

    detector: DetectorRecord
    calibrations: list[_Calibration]
    told: list[OriginEntry]
    words: list[Certification]
    applications: list[Application]


def _carried(origin: Connection, bundle: Bundle) -> _Carried:
    """Everything is read before anything is recorded: what cannot be read is the bundle's fault."""
    try:
        place, detector = read_detector(origin, bundle.serial)
        positions = origin.execute(
            select(CALIBRATION.c.position).order_by(CALIBRATION.c.version)
        ).scalars()
        carried = _Carried(
            detector,
            [_calibration(origin, position) for position in positions],
            [*_told(origin, bundle), *read_origins(origin, true())],
            read_certifications(origin, of_detector(place)),
            read_applications(origin, None, None) if bundle.with_usage else [],
        )
    except CalibError as error:
        raise unsound(why=error.problem) from error
    except (
        AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        raise unsound(why=f"they cannot be read ({error}).") from error
    names = {one.stored.id for one in carried.calibrations}
    if not names.issuperset(word.calibration_id for word in carried.words):
        raise unsound(why="one of them is certified and not there.")
    return carried


def _calibration(origin: Connection, position: int) -> _Calibration:
    stored = read_calibration(origin, position)
    wanted = [use.summary for use in stored.record.report.datasets]
    return _Calibration(
        stored,
        _starts(origin, position),
        read_summaries(origin, position, wanted),
        read_provenance(origin, position),
    )


def _starts(origin: Connection, calibration: int) -> list[Any]:
    return list(
        origin.execute(
            select(CALIBRATION_DATASET.c.started)
            .where(CALIBRATION_DATASET.c.calibration == calibration)
            .order_by(CALIBRATION_DATASET.c.ordinal)
        ).scalars()
    )


def _history(
    connection: Connection, told: Sequence[OriginEntry], serial: str, stamp: ChangeStamp
) -> int:
    """Record the entries of the origin's log that this store has not heard of."""
    known = known_hashes(connection, [one.bundled.entry.hash for one in told])
    by_hash = {one.bundled.entry.hash: one for one in told}
    new = [one for name, one in by_hash.items() if name not in known]
    if not new:
        return 0
    found = find_detector(connection, serial)
    assert found is not None  # noqa: S101 - registered before
    with recording(connection, stamp, "bundle", serial, (ORIGIN,)) as (position, _):
        insert_origins(connection, position, found[0], new)
    return len(new)


def _told(origin: Connection, bundle: Bundle) -> Iterator[OriginEntry]:
    versions = {
        row.position: (row.id, row.version)
        for row in origin.execute(
            select(CALIBRATION.c.position, CALIBRATION.c.id, CALIBRATION.c.version)
        )
    }
    said: dict[int, dict[str, Any]] = {}
    of_certification: dict[int, int] = {}
    for rows in bundle.rows:
        if rows.table not in _TOLD:
            continue
        for row in by_row(rows):
            if rows.table == "certification":
                of_certification[rows.position] = row["calibration"]
            said[rows.position] = _without_places(row)
        if rows.table == "withdrawal":
            # One withdrawal may take back several certifications.
            said[rows.position]["certifications"] = sorted(rows.columns["certification"])
            del said[rows.position]["certification"]
    for one in bundle.entries:
        place = one.entry.position
        about = place if place in versions else of_certification.get(place)
        for taken_back in said.get(place, {}).get("certifications", ()):
            about = of_certification.get(taken_back)
        name, version = versions.get(about, (None, None)) if about is not None else (None, None)
        yield OriginEntry(one, name, version, said.get(place, {}), one.entry.recorded)


def _without_places(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without the positions of its store, which mean nothing elsewhere."""
    left = ("position", "calibration", "detector")
    return {name: value for name, value in row.items() if name not in left}


def _adopted(
    connection: Connection,
    wanted: Sequence[Certification],
    names: Mapping[str, StoredCalibration],
    stamp: ChangeStamp,
    *,
    supersede: bool,
) -> tuple[int, ...]:
    """Let the origin's live certifications hold here, those recorded first first; what somebody
    stands for here in the same words already is left out."""
    here = find_detector(connection, next(iter(names.values())).record.serial) if names else None
    mine = [] if here is None else read_certifications(connection, of_detector(here[0]))
    standing = {_region(one) for one in mine if one.withdrawn is None}
    adopted = []
    for one in sorted(wanted, key=lambda certification: certification.number):
        if one.withdrawn is not None or _region(one) in standing:
            continue
        word = replace(
            one,
            number=0,
            version=names[one.calibration_id].version,
            recorded=stamp,
        )
        adopted.append(add_certification(connection, word, supersede=supersede).number)
    return tuple(adopted)


def _region(certification: Certification) -> tuple[Any, ...]:
    validity, distances = certification.validity, certification.distances
    return (
        certification.calibration_id,
        validity.start,
        validity.end,
        distances.minimum_mm,
        distances.maximum_mm,
    )
