"""The row of a calibration, without panels and report.

It can be verified by itself: the id of a calibration is a hash over the hashes of its parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, select

from calib.errors import InputError, IntegrityError
from calib.model.base.canonical import content_id
from calib.model.detector.correction import Freedom
from calib.model.result.report import Acceptance
from calib.model.store.record import calibration_content
from calib.store.schema.tables import CALIBRATION, DEED, DETECTOR

_READ = json.JSONDecoder().decode


def select_rows() -> Select[Any]:
    """Calibrations with serial, time, actor and host, without the reports, which are large."""
    own = [column for column in CALIBRATION.c if column is not CALIBRATION.c.report]
    return (
        select(*own, DETECTOR.c.serial, DEED.c.recorded_at, DEED.c.actor, DEED.c.host)
        .join(DETECTOR, DETECTOR.c.position == CALIBRATION.c.detector)
        .join(DEED, DEED.c.position == CALIBRATION.c.position)
    )


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationRow:
    """Verified content of the row of a calibration."""

    distances_mm: tuple[float, ...]
    freedom: Freedom
    parameters: Mapping[str, Any]
    acceptance: Acceptance


def verified_row(row: Any) -> CalibrationRow:
    """Verify a row against its id and convert it; raises ``IntegrityError`` if it was changed."""
    try:
        content = CalibrationRow(
            distances_mm=tuple(_READ(row.distances_mm)),
            freedom=Freedom(row.freedom),
            parameters=_READ(row.parameters),
            acceptance=Acceptance(bool(row.accepted), tuple(_READ(row.reasons))),
        )
        named = calibration_content(
            serial=row.serial,
            layout_id=row.layout_id,
            distances_mm=content.distances_mm,
            freedom=content.freedom,
            panels_id=row.panels_id,
            covariance_sha256=row.covariance_sha256,
            parameters=content.parameters,
            code_version=row.code_version,
            report_id=row.report_id,
            acceptance=content.acceptance,
        )
        matches = content_id(named) == row.id
    except (InputError, TypeError, ValueError):
        matches = False
    if not matches:
        raise changed(
            row, "its own row (serial, distances, freedom, parameters, code version or acceptance)"
        )
    return content


def changed(row: Row[Any], part: str) -> IntegrityError:
    """The error for a calibration of which a part was changed after it was stored."""
    return IntegrityError(
        "changed-calibration",
        f"calibration {row.serial}:{row.version} ({row.id[:12]}) is not what was stored. "
        f"Changed: {part}.",
        remedy="do not use it; restore the store from a backup, or derive it again.",
    )
