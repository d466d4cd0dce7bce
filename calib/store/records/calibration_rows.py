"""A calibration's own row, without panels and report: verified by itself, since its id is a tree
of hashes."""

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


def heads() -> Select[Any]:
    """Calibrations with their serial and deed, without their reports, which are large."""
    own = [column for column in CALIBRATION.c if column is not CALIBRATION.c.report]
    return (
        select(*own, DETECTOR.c.serial, DEED.c.recorded_at, DEED.c.actor, DEED.c.host)
        .join(DETECTOR, DETECTOR.c.position == CALIBRATION.c.detector)
        .join(DEED, DEED.c.position == CALIBRATION.c.position)
    )


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationRow:
    """What a calibration's own row says, verified."""

    distances_mm: tuple[float, ...]
    freedom: Freedom
    parameters: Mapping[str, Any]
    acceptance: Acceptance


def verified_row(row: Any) -> CalibrationRow:
    """What a calibration's own row says; raises ``IntegrityError`` unless it gives the id that it
    bears."""
    try:
        head = CalibrationRow(
            distances_mm=tuple(_READ(row.distances_mm)),
            freedom=Freedom(row.freedom),
            parameters=_READ(row.parameters),
            acceptance=Acceptance(bool(row.accepted), tuple(_READ(row.reasons))),
        )
        content = calibration_content(
            serial=row.serial,
            layout_id=row.layout_id,
            distances_mm=head.distances_mm,
            freedom=head.freedom,
            panels_id=row.panels_id,
            covariance_sha256=row.covariance_sha256,
            parameters=head.parameters,
            code_version=row.code_version,
            report_id=row.report_id,
            acceptance=head.acceptance,
        )
        whole = content_id(content) == row.id
    except (InputError, TypeError, ValueError):
        whole = False
    if not whole:
        raise changed(
            row, "its own row (serial, distances, freedom, parameters, code version or verdict)"
        )
    return head


def changed(head: Row[Any], part: str) -> IntegrityError:
    """That a part of a calibration is not what was stored."""
    return IntegrityError(
        "changed-calibration",
        f"calibration {head.serial}:{head.version} ({head.id[:12]}) is not what was stored: "
        f"{part} was changed.",
        remedy="do not use it; restore the store from a backup, or derive again.",
    )
