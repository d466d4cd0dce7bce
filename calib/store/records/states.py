"""States of calibrations, derived from certifications and withdrawals, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from calib.model.store.certification_rules import Region, answering
from calib.model.store.log import LATEST
from calib.model.store.record import State
from calib.model.store.validity import DistanceRange, Validity
from calib.store.database.raw_sql import SqlStatement, instant, instant_or_none

_RELABELLED = SqlStatement(
    "SELECT r.calibration FROM relabelling r JOIN calibration k ON k.position = r.calibration "
    "WHERE k.detector = :detector AND r.position <= :known"
)
_OF_DETECTOR = SqlStatement(
    "SELECT c.position, c.calibration, c.valid_from, c.valid_to, c.distance_min_mm, "
    "c.distance_max_mm, w.position AS withdrawn FROM certification c LEFT JOIN withdrawal w "
    "ON w.certification = c.position AND w.position <= :known "
    "WHERE c.detector = :detector AND c.position <= :known"
)


def states(
    connection: Connection, calibrations: Sequence[Any], known_at: int = LATEST
) -> dict[int, State]:
    """The state of each calibration as known at a log position, by the calibration's position.

    ``calibrations`` are rows of ``select_rows()``.
    """
    found: dict[int, State] = {}
    by_detector = sorted(calibrations, key=_detector_of)
    for detector, rows in groupby(by_detector, key=_detector_of):
        certifications = _OF_DETECTOR.records(connection, detector=detector, known=known_at)
        in_force = [one for one in certifications if one.withdrawn is None]
        numbers = answering((one.position, _region(one)) for one in in_force)
        ever = {one.calibration for one in certifications}
        live = {one.calibration for one in in_force}
        certified = {one.calibration for one in in_force if one.position in numbers}
        relabelled = {
            row[0] for row in _RELABELLED.rows(connection, detector=detector, known=known_at)
        }
        for row in rows:
            if row.position in relabelled:
                state = State.WITHDRAWN
            elif row.position not in ever:
                state = State.ACCEPTED if row.accepted else State.DRAFT
            elif row.position not in live:
                state = State.WITHDRAWN
            else:
                state = State.CERTIFIED if row.position in certified else State.SUPERSEDED
            found[row.position] = state
    return found


def _detector_of(row: Any) -> int:
    return int(row.detector)


def _region(certification: Any) -> Region:
    return Region(
        Validity(instant(certification.valid_from), instant_or_none(certification.valid_to)),
        DistanceRange(certification.distance_min_mm, certification.distance_max_mm),
    )
