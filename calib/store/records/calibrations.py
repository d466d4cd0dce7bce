"""Calibrations: rows to model values and back, verified on every read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select
from sqlalchemy import Row as SqlRow

from calib.errors import InputError, IntegrityError
from calib.model.base.arrays import Floats
from calib.model.base.canonical import content_id
from calib.model.base.content import from_content, to_content
from calib.model.detector.correction import (
    Correction,
    CorrectionEstimate,
    PanelStatus,
    covariance_from_bytes,
)
from calib.model.result.report import DatasetUse, Report
from calib.model.result.summary import SummaryFile
from calib.model.store.log import LATEST
from calib.model.store.provenance import Provenance
from calib.model.store.record import (
    CalibrationLine,
    CalibrationRecord,
    ChangeStamp,
    StoredCalibration,
)
from calib.store.log.written import insert_rows
from calib.store.records.artifacts import COVARIANCE, get_artifact, insert_provenance, put_artifact
from calib.store.records.calibration_rows import changed, select_rows, verified_row
from calib.store.records.panels import COLUMNS, panel_rows, read_panels, verified
from calib.store.records.states import states
from calib.store.records.summaries import insert_summaries
from calib.store.schema.columns import row_limit
from calib.store.schema.tables import (
    CALIBRATION,
    CALIBRATION_DATASET,
    DATASET,
    PANEL,
)

Row = SqlRow[Any]


def insert_calibration(
    connection: Connection,
    position: int,
    detector: int,
    record: CalibrationRecord,
    starts: Sequence[datetime | None],
    summaries: Sequence[SummaryFile | None],
    provenance: Provenance | None,
) -> None:
    """Insert a new calibration with its datasets, summaries, panels, covariance and provenance."""
    covariance = put_artifact(connection, position, COVARIANCE, record.estimate.covariance_bytes())
    last = connection.execute(
        select(func.max(CALIBRATION.c.version)).where(CALIBRATION.c.detector == detector)
    ).scalar()
    insert_rows(
        connection,
        CALIBRATION,
        [
            {
                "position": position,
                "id": record.id,
                "detector": detector,
                "version": (last or 0) + 1,
                "layout_id": record.layout_id,
                "distances_mm": _json([float(distance) for distance in record.distances_mm]),
                "freedom": record.estimate.freedom.value,
                "panels_id": record.panels_id,
                "covariance_sha256": covariance,
                "parameters": _json(to_content(record.parameters)),
                "code_version": record.code_version,
                "report_id": record.report_id,
                "report": _json(to_content(record.report)),
                "accepted": record.acceptance.accepted,
                "reasons": _json(list(record.acceptance.reasons)),
            }
        ],
    )
    panels = panel_rows(record)
    if panels:
        insert_rows(connection, PANEL, [{"calibration": position, **row} for row in panels])
    for ordinal, start in enumerate(starts):
        dataset = _put_dataset(connection, position, record.report.datasets[ordinal], start)
        insert_rows(
            connection,
            CALIBRATION_DATASET,
            [{"calibration": position, "ordinal": ordinal, "dataset": dataset, "started": start}],
        )
    insert_summaries(connection, position, summaries)
    if provenance is not None:
        insert_provenance(connection, position, provenance)


def read_calibration(
    connection: Connection, position: int, known_at: int = LATEST
) -> StoredCalibration:
    """Read a whole calibration, with its state as known at a log position.

    Raises ``IntegrityError``, naming the part, if rows, report or covariance were changed.
    """
    row = connection.execute(
        select_rows().add_columns(CALIBRATION.c.report).where(CALIBRATION.c.position == position)
    ).first()
    if row is None:
        raise IntegrityError(
            "changed-calibration",
            f"the detector or the log entry of the calibration at position {position} is missing.",
            remedy="calib audit verify lists missing rows; restore the store from a backup.",
        )
    content = verified_row(row)
    freedom = content.freedom
    panels = read_panels(connection, position, freedom, row.panels_id)
    if panels is None:
        raise changed(row, "its panel rows")
    try:
        report = from_content(Report, json.loads(row.report))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise changed(row, "its report") from error
    record = CalibrationRecord(
        serial=row.serial,
        layout_id=row.layout_id,
        distances_mm=content.distances_mm,
        panel_names=panels.names,
        estimate=CorrectionEstimate(
            Correction(panels.values),
            freedom,
            _covariance(connection, row, len(panels.names) * len(freedom.free)),
            tuple(PanelStatus(status) for status in panels.status),
            np.array(panels.n_reflections, dtype=np.int64),
        ),
        parameters=content.parameters,
        code_version=row.code_version,
        report=report,
        acceptance=content.acceptance,
    )
    if record.report_id != row.report_id:
        raise changed(row, "its report")
    if record.panels_id != row.panels_id:
        raise changed(row, "its sigmas, which do not follow from its covariance")
    starts = connection.execute(
        select(CALIBRATION_DATASET.c.started).where(
            CALIBRATION_DATASET.c.calibration == position,
            CALIBRATION_DATASET.c.started.is_not(None),
        )
    ).scalars()
    return StoredCalibration(
        record=record,
        id=row.id,
        version=row.version,
        stored=ChangeStamp(row.recorded_at, row.actor, row.host),
        state=states(connection, [row], known_at)[position],
        starts=tuple(sorted(start for start in starts if start is not None)),
    )


def read_starts(connection: Connection, position: int) -> list[datetime | None]:
    """When the datasets of a calibration were taken, None where unknown, in their order."""
    return list(
        connection.execute(
            select(CALIBRATION_DATASET.c.started)
            .where(CALIBRATION_DATASET.c.calibration == position)
            .order_by(CALIBRATION_DATASET.c.ordinal)
        ).scalars()
    )


def read_lines(
    connection: Connection, detector: int | None, known_at: int, limit: int | None = None
) -> list[CalibrationLine]:
    """The calibrations of one detector or of all, by serial and version, as known at a log
    position; ``limit`` selects those stored last."""
    wanted = CALIBRATION.c.position <= known_at
    if detector is not None:
        wanted &= CALIBRATION.c.detector == detector
    if limit is not None:
        last = select(CALIBRATION.c.position).where(wanted)
        last = last.order_by(CALIBRATION.c.position.desc()).limit(row_limit(limit))
        wanted = CALIBRATION.c.position.in_(last)
    # A scalar subquery: a join would collect the panels of all calibrations first.
    own = PANEL.c.calibration == CALIBRATION.c.position
    counts = select(func.sum(PANEL.c.n_reflections)).where(own).scalar_subquery()
    listed = select_rows().add_columns(counts.label("n_reflections")).where(wanted)
    rows = connection.execute(listed).all()
    state_of = states(connection, rows, known_at)
    lines = []
    for row in sorted(rows, key=lambda row: (row.serial, row.version)):
        content = verified_row(row)
        lines.append(
            CalibrationLine(
                serial=row.serial,
                version=row.version,
                id=row.id,
                state=state_of[row.position],
                distances_mm=content.distances_mm,
                freedom=content.freedom.value,
                n_reflections=int(row.n_reflections or 0),
                stored=ChangeStamp(row.recorded_at, row.actor, row.host),
                accepted=content.acceptance.accepted,
            )
        )
    return lines


def read_corrections(connection: Connection, detector: int) -> list[tuple[str, Correction]]:
    """Every correction of a detector with the name of its calibration, newest first."""
    found = connection.execute(select_rows().where(CALIBRATION.c.detector == detector)).all()
    panels: dict[int, list[Any]] = {}
    columns = [PANEL.c[name] for name in COLUMNS]
    for *columns_read, calibration in connection.execute(
        select(*columns, PANEL.c.calibration)
        .join(CALIBRATION, CALIBRATION.c.position == PANEL.c.calibration)
        .where(CALIBRATION.c.detector == detector)
        .order_by(PANEL.c.calibration, PANEL.c.panel)
    ):
        panels.setdefault(calibration, []).append(columns_read)
    corrections = []
    for row in sorted(found, key=lambda row: -row.version):
        rows = panels.get(row.position, [])
        whole = verified(rows, verified_row(row).freedom, row.panels_id)
        if whole is None:
            raise changed(row, "its panel rows")
        corrections.append((f"{row.serial}:{row.version}", Correction(whole.values)))
    return corrections


def _put_dataset(
    connection: Connection, position: int, use: DatasetUse, started: datetime | None
) -> str:
    name = content_id({"format": "calib/dataset/1", "sha256": sorted(use.sha256)})
    existing = connection.execute(select(DATASET.c.id).where(DATASET.c.id == name)).first()
    if existing is None:
        insert_rows(
            connection,
            DATASET,
            [
                {
                    "id": name,
                    "position": position,
                    "sha256": _json(sorted(use.sha256)),
                    "name": use.name,
                    "n_reflections": use.n_reflections + use.n_rejected + use.n_flagged,
                    "distance_mm": use.distance_mm,
                    "wavelength_angstrom": use.wavelength_angstrom,
                    "started": started,
                }
            ],
        )
    return name


def _covariance(connection: Connection, row: Row, size: int) -> Floats:
    try:
        return covariance_from_bytes(get_artifact(connection, row.covariance_sha256), size)
    except IntegrityError as error:
        raise changed(row, f"its covariance ({error.problem})") from None
    except InputError:
        raise changed(row, "its covariance (of another size)") from None


def _json(content: Any) -> str:
    return json.dumps(content, allow_nan=False)
