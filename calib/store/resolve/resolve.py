"""The resolver: which calibration applies to a detector, a time and a distance.

It runs for each file that is processed, so it takes two statements only: the certification that
applies with its calibration's own row, and the panel rows. Report and covariance are not read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from calib.errors import InputError, NotFoundError
from calib.model.base.bounds import LENGTH_MM, brief
from calib.model.detector.correction import Correction, PanelStatus
from calib.model.store.log import LATEST
from calib.model.store.record import Certification, ChangeStamp
from calib.model.store.resolution import (
    DistancePolicy,
    Query,
    Resolution,
    ResolvedCalibration,
    TimePolicy,
)
from calib.model.store.validity import DistanceRange, Validity, utc
from calib.store.database.raw_sql import SqlStatement, instant, instant_or_none
from calib.store.log.log import read_moment
from calib.store.log.verification import verify_certifications
from calib.store.records.calibration_rows import changed, verified_row
from calib.store.records.detectors import detector_position
from calib.store.records.panels import read_panels
from calib.store.resolve.deciding import verify_deciding
from calib.store.resolve.no_match import no_match
from calib.store.resolve.ranking import candidates, chosen, warnings

_WINNER = """
SELECT t.serial, c.detector, c.position AS number, c.valid_from, c.valid_to, c.distance_min_mm,
  c.distance_max_mm, c.gap_mm, c.reason, c.override_reason, d.recorded_at, d.actor, d.host,
  e.chain, e.ordinal, e.kind, e.command, e.reason AS entry_reason, e.contents, e.salt, e.previous,
  e.hash, k.position, k.id, k.version, k.layout_id, k.distances_mm, k.freedom, k.panels_id,
  k.covariance_sha256, k.parameters, k.code_version, k.report_id, k.accepted, k.reasons,
  s.recorded_at AS stored_at, s.actor AS stored_by, s.host AS stored_host,
  (SELECT max(started) FROM calibration_dataset WHERE calibration = k.position) AS last_started,
  (SELECT max(position) FROM deed) AS last_position,
  (SELECT recorded_at FROM deed WHERE position = (SELECT max(position) FROM deed)) AS last_recorded
FROM certification c JOIN detector t ON t.position = c.detector
  JOIN calibration k ON k.position = c.calibration
  JOIN deed d ON d.position = c.position LEFT JOIN entry e ON e.position = c.position
  JOIN deed s ON s.position = k.position
"""
_COVERING = SqlStatement(
    _WINNER  # noqa: S608 - constant text; values are bound
    # A value, not a join: with a join Postgres scans the certifications of all detectors.
    + "WHERE c.detector = (SELECT position FROM detector WHERE serial = :serial) "
    "AND c.position <= :known AND c.valid_from <= :at "
    "AND (c.valid_to IS NULL OR c.valid_to > :at) "
    "AND c.distance_min_mm <= :mm AND c.distance_max_mm > :mm AND NOT EXISTS "
    "(SELECT 1 FROM withdrawal w WHERE w.certification = c.position AND w.position <= :known) "
    "ORDER BY c.position DESC LIMIT 1"
)
_NUMBERED = SqlStatement(_WINNER + "WHERE c.position = :number")

_STATUS = {status.value: status for status in PanelStatus}


def resolve(connection: Connection, query: Query, *, explain: bool) -> Resolution:
    """The one stored calibration that applies, with the explanation; with ``explain`` also the
    certifications that do not apply.

    Raises ``NotFoundError`` (``not-certified``), naming the nearest certified region and the
    command that would extend it, and ``InputError`` for a distance that is not finite or a position
    that the log has not reached.
    """
    at, distance_mm = utc(query.at), query.distance_mm
    if distance_mm not in LENGTH_MM:
        raise InputError(
            "bad-distance",
            f"{brief(distance_mm)} is not a distance in mm.",
            remedy=f"give {LENGTH_MM.expected}.",
        )
    known, recorded_at = LATEST, None
    if query.as_known_at is not None:
        known, recorded_at = _known_at(connection, query.as_known_at)
    rows = _COVERING.records(connection, serial=query.serial, known=known, at=at, mm=distance_mm)
    if not rows:
        number = _number_by_policies(connection, query, known)
        rows = _NUMBERED.records(connection, number=number)
    row = rows[0]
    verify_deciding(connection, row)
    if recorded_at is None:
        known, recorded_at = row.last_position, instant(row.last_recorded)
    calibration, certification = _calibration(connection, row), _certification(row)
    return Resolution(
        query=query,
        position=known,
        recorded_at=recorded_at,
        calibration=calibration,
        certification=certification,
        age=None if calibration.last_started is None else at - calibration.last_started,
        distance_gap_mm=certification.distances.gap_to(distance_mm),
        time_gap=certification.validity.gap_to(at),
        candidates=candidates(connection, query, known, certification) if explain else (),
        warnings=warnings(query, recorded_at, calibration, certification),
    )


def _known_at(connection: Connection, asked: int | datetime) -> tuple[int, datetime]:
    """The last position of the log that counts, and the time of its entry.

    For a time after the last entry this is the last entry.
    """
    moment = read_moment(connection, asked)
    if moment.at is None:
        raise NotFoundError(
            "nothing-known", "nothing was recorded by then.", remedy="calib audit log."
        )
    return moment.position, moment.at


def _number_by_policies(connection: Connection, query: Query, known: int) -> int:
    """The number of the certification that the policies admit although it misses the point."""
    detector = detector_position(connection, query.serial)
    verify_certifications(connection, detector, query.serial)
    found = None
    if (query.distance_policy, query.time_policy) != (DistancePolicy.EXACT, TimePolicy.PRIOR):
        found = chosen(connection, detector, query, known)
    if found is None:
        raise _as_known(
            no_match(connection, query.serial, detector, query.at, query.distance_mm, known),
            query,
            known,
        )
    return found.number


def _as_known(error: NotFoundError, query: Query, known: int) -> NotFoundError:
    """The same error, which names the position where the query was as of one."""
    if query.as_known_at is None:
        return error
    return NotFoundError(
        error.code, f"as of position {known} of the log: {error.problem}", remedy=error.remedy
    )


def _calibration(connection: Connection, row: Any) -> ResolvedCalibration:
    verified = verified_row(row)
    panels = read_panels(connection, row.position, verified.freedom, row.panels_id)
    if panels is None:
        raise changed(row, "its panel rows")
    return ResolvedCalibration(
        serial=row.serial,
        version=row.version,
        id=row.id,
        layout_id=row.layout_id,
        distances_mm=verified.distances_mm,
        freedom=verified.freedom,
        panel_names=panels.names,
        status=tuple(map(_STATUS.__getitem__, panels.status)),
        n_reflections=np.array(panels.n_reflections, dtype=np.int64),
        correction=Correction(panels.values),
        sigma=panels.sigma,
        acceptance=verified.acceptance,
        stored=ChangeStamp(instant(row.stored_at), row.stored_by, row.stored_host),
        last_started=instant_or_none(row.last_started),
    )


def _certification(row: Any) -> Certification:
    return Certification(
        number=row.number,
        calibration_id=row.id,
        serial=row.serial,
        version=row.version,
        validity=Validity(instant(row.valid_from), instant_or_none(row.valid_to)),
        distances=DistanceRange(row.distance_min_mm, row.distance_max_mm),
        reason=row.reason,
        override=row.override_reason,
        recorded=ChangeStamp(instant(row.recorded_at), row.actor, row.host),
        withdrawn=None,
        withdrawn_reason="",
        gap_mm=row.gap_mm or 0.0,
    )
