"""Loading a bundle into a store in one transaction, without recording anything twice.

The rows are first inserted into a temporary store (``calib.store.bundle.scratch_store``), so that
calibrations are read and verified as from any store. Only model values are taken from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select, true

from calib.errors import CalibError
from calib.model.base.bounds import checked_instant
from calib.model.base.text import checked_words
from calib.model.result.summary import SummaryFile
from calib.model.store.admission import (
    check_application,
    check_calibration,
    check_certification,
    check_detector,
    check_stamp,
)
from calib.model.store.amendment import edited
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
from calib.store.bundle.scratch_store import broken_bundle, row_values
from calib.store.log.log import recording
from calib.store.records.amendments import edits_of
from calib.store.records.applications import add_application, read_applications
from calib.store.records.artifacts import read_provenance
from calib.store.records.calibrations import read_calibration, read_starts
from calib.store.records.certifications import add_certification, of_detector, read_certifications
from calib.store.records.derivations import add_derivation
from calib.store.records.detectors import check_same, find_detector, insert_detector, read_detector
from calib.store.records.origins import insert_origins, known_hashes, read_origins
from calib.store.records.summaries import read_summaries
from calib.store.schema.tables import CALIBRATION

_HISTORY = (
    "certification",
    "withdrawal",
    "placement",
    "detector_edit",
    "retirement",
    "relabelling",
)
"""Tables whose rows are recorded as history of the other store."""


def load(
    connection: Connection,
    origin: Connection,
    bundle: Bundle,
    stamp: ChangeStamp,
    *,
    adopt: bool,
    supersede: bool,
) -> Loaded:
    """Record what this store does not have yet of a bundle in the temporary store ``origin``.

    Raises ``FileFormatError`` for rows that are not valid, ``LayoutError`` where the detector has
    another layout here, and with ``adopt`` the errors of certifying.
    """
    content = _read_content(origin, bundle)
    known = find_detector(connection, bundle.serial)
    if known is not None:
        check_same(known[1], content.detector)
    elif not content.calibrations:
        with recording(connection, stamp, "detector", STORE_CHAIN) as (
            position,
            _,
        ):
            insert_detector(connection, position, content.detector)
    names: dict[str, StoredCalibration] = {}
    calibrations = []
    for one in content.calibrations:
        here, new = add_derivation(
            connection,
            one.stored.record,
            one.starts,
            stamp,
            None if find_detector(connection, bundle.serial) is not None else content.detector,
            one.summaries,
            one.provenance,
        )
        names[one.stored.id] = here
        calibrations.append((here.name, one.stored.version, new))
    n_history = _record_history(connection, content.entries, bundle.serial, stamp)
    adopted: tuple[int, ...] = ()
    if adopt:
        adopted = _adopt(connection, content.certifications, names, stamp, supersede=supersede)
    n_applications = sum(
        # Its version is that of the store where it was applied.
        add_application(connection, application, stamp, any_version=True)
        for application in content.applications
    )
    return Loaded(
        bundle.serial, known is None, tuple(calibrations), n_history, adopted, n_applications
    )


@dataclass(frozen=True, slots=True, eq=False)
class _BundledCalibration:
    """A calibration with its summaries and provenance."""

    stored: StoredCalibration
    starts: Sequence[Any]
    summaries: Sequence[SummaryFile | None]
    provenance: Provenance | None


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """The content of a bundle, read and verified."""

    detector: DetectorRecord
    calibrations: list[_BundledCalibration]
    entries: list[OriginEntry]
    certifications: list[Certification]
    applications: list[Application]


def _read_content(origin: Connection, bundle: Bundle) -> _Content:
    """Read everything before anything is recorded, so that errors in reading concern the bundle."""
    try:
        position, detector = read_detector(origin, bundle.serial)
        positions = origin.execute(
            select(CALIBRATION.c.position).order_by(CALIBRATION.c.version)
        ).scalars()
        content = _Content(
            edited(detector, edits_of(origin, position)),
            [_read_calibration(origin, position) for position in positions],
            [*_origin_entries(origin, bundle), *read_origins(origin, true())],
            read_certifications(origin, of_detector(position)),
            read_applications(origin, None, None) if bundle.with_usage else [],
        )
        _check_content(content)
    except CalibError as error:
        raise broken_bundle(why=error.problem) from error
    except (
        AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        raise broken_bundle(why=f"they cannot be read ({error}).") from error
    names = {one.stored.id for one in content.calibrations}
    if not names.issuperset(one.calibration_id for one in content.certifications):
        raise broken_bundle(why="a certified calibration is missing.")
    return content


def _check_content(content: _Content) -> None:
    """Raise ``InputError`` for values that could not have been recorded here.

    Certifications and placements become history and may have any time; those that are adopted are
    checked then.
    """
    check_detector(content.detector)
    for one in content.calibrations:
        check_calibration(one.stored.record, one.starts)
    for entry in content.entries:
        recorded = entry.bundled.entry.recorded
        checked_instant(recorded.at, "the time of an entry")
        checked_words(recorded.reason, "the reason of an entry")
        if entry.bundled.signed:
            check_stamp(recorded)
        for value in entry.values.values():
            if isinstance(value, str):
                checked_words(value, "a text in the history")
    for application in content.applications:
        check_application(application)


def _read_calibration(origin: Connection, position: int) -> _BundledCalibration:
    stored = read_calibration(origin, position)
    wanted = [use.summary for use in stored.record.report.datasets]
    return _BundledCalibration(
        stored,
        read_starts(origin, position),
        read_summaries(origin, position, wanted),
        read_provenance(origin, position),
    )


def _record_history(
    connection: Connection, entries: Sequence[OriginEntry], serial: str, stamp: ChangeStamp
) -> int:
    """Record the entries of the other store's log that this store does not have yet."""
    known = known_hashes(connection, [one.bundled.entry.hash for one in entries])
    by_hash = {one.bundled.entry.hash: one for one in entries}
    new = [one for name, one in by_hash.items() if name not in known]
    if not new:
        return 0
    found = find_detector(connection, serial)
    assert found is not None  # noqa: S101 - registered before
    with recording(connection, stamp, "bundle", serial) as (position, _):
        insert_origins(connection, position, found[0], new)
    return len(new)


def _origin_entries(origin: Connection, bundle: Bundle) -> Iterator[OriginEntry]:
    versions = {
        row.position: (row.id, row.version)
        for row in origin.execute(
            select(CALIBRATION.c.position, CALIBRATION.c.id, CALIBRATION.c.version)
        )
    }
    rows_at: dict[int, dict[str, Any]] = {}
    of_certification: dict[int, int] = {}
    for rows in bundle.rows:
        if rows.table not in _HISTORY:
            continue
        for row in row_values(rows):
            if rows.table in ("certification", "relabelling"):
                of_certification[rows.position] = row["calibration"]
            rows_at[rows.position] = _without_positions(row)
        if rows.table == "withdrawal":
            # One withdrawal may concern several certifications.
            rows_at[rows.position]["certifications"] = sorted(rows.columns["certification"])
            del rows_at[rows.position]["certification"]
    for one in bundle.entries:
        position = one.entry.position
        about = position if position in versions else of_certification.get(position)
        for withdrawn in rows_at.get(position, {}).get("certifications", ()):
            about = of_certification.get(withdrawn)
        name, version = versions.get(about, (None, None)) if about is not None else (None, None)
        yield OriginEntry(one, name, version, rows_at.get(position, {}), one.entry.recorded)


def _without_positions(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without positions, which are those of the other store."""
    left = ("position", "calibration", "detector")
    return {name: value for name, value in row.items() if name not in left}


def _adopt(
    connection: Connection,
    wanted: Sequence[Certification],
    names: Mapping[str, StoredCalibration],
    stamp: ChangeStamp,
    *,
    supersede: bool,
) -> tuple[int, ...]:
    """Certify here what is certified in the other store, in the order of recording, except regions
    that are certified here already for the same calibration."""
    here = find_detector(connection, next(iter(names.values())).record.serial) if names else None
    mine = [] if here is None else read_certifications(connection, of_detector(here[0]))
    certified = {_region(one) for one in mine if one.withdrawn is None}
    adopted = []
    for one in sorted(wanted, key=lambda given: given.number):
        if one.withdrawn is not None or _region(one) in certified:
            continue
        check_certification(one)
        certification = replace(
            one,
            number=0,
            version=names[one.calibration_id].version,
            recorded=stamp,
        )
        adopted.append(add_certification(connection, certification, supersede=supersede).number)
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
