"""Applications of calibrations to data: rows to model values and back."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, select

from calib.errors import InputError, IntegrityError, NotFoundError
from calib.model.store.log import LATEST
from calib.model.store.record import Application, ChangeStamp
from calib.store.log.log import recording
from calib.store.log.written import insert_rows
from calib.store.schema.tables import APPLICATION, CALIBRATION, DETECTOR


def add_application(
    connection: Connection,
    application: Application,
    stamp: ChangeStamp,
    *,
    any_version: bool = False,
) -> bool:
    """Record the application that a receipt describes; False if it is recorded already.

    Raises ``NotFoundError`` if the calibration is not in the store, and ``InputError`` if the
    receipt gives it another serial or version. With ``any_version`` the version may be that of the
    store where it was applied.
    """
    if not is_new(connection, application, any_version=any_version):
        return False
    applied = _calibration_of(connection, application)
    with recording(connection, stamp, "application", applied.serial) as (
        position,
        _,
    ):
        insert_rows(
            connection,
            APPLICATION,
            [
                {
                    "position": position,
                    "id": application.id,
                    "calibration": applied.position,
                    "serial": application.serial,
                    "version": application.version,
                    "input_sha256": json.dumps(application.input_sha256),
                    "output_sha256": json.dumps(application.output_sha256),
                    "output_names": json.dumps(application.output_names),
                    "data_time": application.data_time,
                    "distance_mm": application.distance_mm,
                    "why": application.why,
                    "applied_at": application.applied.at,
                    "actor": application.applied.actor,
                    "host": application.applied.host,
                }
            ],
        )
    return True


def is_new(connection: Connection, application: Application, *, any_version: bool = False) -> bool:
    """Whether the store does not have the application yet; raises as ``add_application`` does."""
    known = select(APPLICATION.c.position).where(APPLICATION.c.id == application.id)
    if connection.execute(known).first() is not None:
        return False
    applied = _calibration_of(connection, application)
    if applied.serial == application.serial and (
        any_version or applied.version == application.version
    ):
        return True
    raise InputError(
        "receipt-disagrees",
        f"the receipt {application.id[:12]} names {application.serial}:{application.version}, but "
        f"its calibration {application.calibration_id[:12]} is {applied.serial}:{applied.version} "
        "in this store.",
        remedy="push it to the store from which the calibration was applied.",
    )


def _calibration_of(connection: Connection, application: Application) -> Any:
    """Position, version and serial of the calibration that was applied."""
    applied = connection.execute(
        select(CALIBRATION.c.position, CALIBRATION.c.version, DETECTOR.c.serial)
        .join(DETECTOR, DETECTOR.c.position == CALIBRATION.c.detector)
        .where(CALIBRATION.c.id == application.calibration_id)
    ).first()
    if applied is None:
        raise NotFoundError(
            "unknown-calibration",
            f"calibration {application.calibration_id[:12]} is not in the store "
            f"({application.serial}:{application.version} where it was applied).",
            remedy="push the receipt to the store that the calibration came from.",
        )
    return applied


def read_applications(
    connection: Connection,
    serial: str | None,
    calibration_id: str | None,
    known_at: int = LATEST,
) -> list[Application]:
    """The applications of a detector, of a calibration, or all, in the order of the log, as known
    at a log position.

    Raises ``IntegrityError`` for a row that does not match the id of its receipt.
    """
    wanted = select(APPLICATION, CALIBRATION.c.id.label("calibration_id")).join(
        CALIBRATION, CALIBRATION.c.position == APPLICATION.c.calibration
    )
    if known_at != LATEST:
        wanted = wanted.where(APPLICATION.c.position <= known_at)
    if serial is not None:
        wanted = wanted.where(APPLICATION.c.serial == serial)
    if calibration_id is not None:
        wanted = wanted.where(CALIBRATION.c.id == calibration_id)
    rows = connection.execute(wanted.order_by(APPLICATION.c.position))
    return [_verified(row) for row in rows]


def _verified(row: Row[Any]) -> Application:
    try:
        application = _application(row)
        if application.id == row.id:
            return application
    except (TypeError, ValueError):
        pass  # a row that cannot be read does not match either
    raise IntegrityError(
        "changed-application",
        f"application {row.id[:12]} does not match its receipt: its row was changed.",
        remedy="restore the store from a backup; the receipt shows what was recorded.",
    )


def _application(row: Row[Any]) -> Application:
    return Application(
        serial=row.serial,
        calibration_id=row.calibration_id,
        version=row.version,
        input_sha256=tuple(json.loads(row.input_sha256)),
        output_sha256=tuple(json.loads(row.output_sha256)),
        output_names=tuple(json.loads(row.output_names)),
        data_time=row.data_time,
        distance_mm=row.distance_mm,
        why=row.why,
        applied=ChangeStamp(row.applied_at, row.actor, row.host),
    )
