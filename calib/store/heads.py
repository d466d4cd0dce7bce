"""A calibration's own row, without panels and report: verified by itself, since its id is a tree
of hashes."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, Select, select

from calib.errors import IntegrityError
from calib.model.canonical import content_id
from calib.model.correction import Freedom
from calib.model.record import calibration_content
from calib.model.report import Acceptance
from calib.store.tables import CALIBRATION, DEED, DETECTOR


def heads() -> Select[Any]:
    """Calibrations with their serial and deed."""
    return (
        select(CALIBRATION, DETECTOR.c.serial, DEED.c.recorded_at, DEED.c.actor, DEED.c.host)
        .join(DETECTOR, DETECTOR.c.position == CALIBRATION.c.detector)
        .join(DEED, DEED.c.position == CALIBRATION.c.position)
    )


def verify_head(row: Row[Any]) -> None:
    """Raise ``IntegrityError`` unless a calibration's own row gives the id that it bears."""
    content = calibration_content(
        serial=row.serial,
        layout_id=row.layout_id,
        distances_mm=tuple(json.loads(row.distances_mm)),
        freedom=Freedom(row.freedom),
        panels_id=row.panels_id,
        covariance_sha256=row.covariance_sha256,
        parameters=json.loads(row.parameters),
        code_version=row.code_version,
        report_id=row.report_id,
        acceptance=acceptance_of(row),
    )
    if content_id(content) != row.id:
        raise changed(
            row, "its own row (serial, distances, freedom, parameters, code version or verdict)"
        )


def acceptance_of(row: Row[Any]) -> Acceptance:
    """The verdict in a calibration's row."""
    return Acceptance(bool(row.accepted), tuple(json.loads(row.reasons)))


def changed(head: Row[Any], part: str) -> IntegrityError:
    """That a part of a calibration is not what was stored."""
    return IntegrityError(
        "changed-calibration",
        f"calibration {head.serial}:{head.version} ({head.id[:12]}) is not what was stored: "
        f"{part} was changed.",
        remedy="do not use it; restore the store from a backup, or derive again.",
    )
