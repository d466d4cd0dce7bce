"""Summaries of datasets, stored as artifacts, and the calibrations that use them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from calib.errors import IntegrityError
from calib.model.result.summary import FILE_FORMAT, SummaryFile
from calib.store.log.written import insert_rows
from calib.store.records.artifacts import SUMMARY as KIND
from calib.store.records.artifacts import put_artifact, verified
from calib.store.schema.tables import ARTIFACT, CALIBRATION_SUMMARY, SUMMARY, SUMMARY_CONTENT


def insert_summaries(
    connection: Connection, calibration: int, files: Sequence[SummaryFile | None]
) -> None:
    """Insert the summaries of a calibration, one per dataset; None for a dataset without one."""
    for ordinal, file in enumerate(files):
        if file is None:
            continue
        existing = connection.execute(select(SUMMARY.c.id).where(SUMMARY.c.id == file.id)).first()
        if existing is None:
            artifact = put_artifact(connection, calibration, KIND, file.content)
            insert_rows(
                connection,
                SUMMARY,
                [{"id": file.id, "position": calibration, "artifact": artifact}],
            )
        if file.converted is not None:
            _insert_converted(connection, calibration, file.id, file.converted)
        insert_rows(
            connection,
            CALIBRATION_SUMMARY,
            [{"calibration": calibration, "ordinal": ordinal, "summary": file.id}],
        )


def _insert_converted(connection: Connection, position: int, name: str, content: bytes) -> None:
    """Insert a summary in the current format, unless the store has it in that format."""
    key = (SUMMARY_CONTENT.c.summary == name) & (SUMMARY_CONTENT.c.format == FILE_FORMAT)
    if connection.execute(select(SUMMARY_CONTENT.c.sha256).where(key)).first() is None:
        row = {
            "summary": name,
            "format": FILE_FORMAT,
            "position": position,
            "sha256": hashlib.sha256(content).hexdigest(),
            "content": content,
        }
        insert_rows(connection, SUMMARY_CONTENT, [row])


def read_summaries(
    connection: Connection, calibration: int, names: Sequence[str]
) -> tuple[SummaryFile | None, ...]:
    """The summaries of a calibration, in the order of its datasets.

    ``names`` are the ids in its report, empty for a dataset without a summary. Raises
    ``IntegrityError`` if rows or bytes were changed.
    """
    rows = connection.execute(
        select(
            CALIBRATION_SUMMARY.c.ordinal,
            CALIBRATION_SUMMARY.c.summary,
            SUMMARY.c.artifact,
            ARTIFACT.c.content,
            SUMMARY_CONTENT.c.sha256.label("converted_sha256"),
            SUMMARY_CONTENT.c.content.label("converted"),
        )
        .join(SUMMARY, SUMMARY.c.id == CALIBRATION_SUMMARY.c.summary)
        .join(ARTIFACT, ARTIFACT.c.sha256 == SUMMARY.c.artifact)
        .outerjoin(
            SUMMARY_CONTENT,
            (SUMMARY_CONTENT.c.summary == SUMMARY.c.id) & (SUMMARY_CONTENT.c.format == FILE_FORMAT),
        )
        .where(CALIBRATION_SUMMARY.c.calibration == calibration)
    )
    found = {row.ordinal: row for row in rows}
    named = {ordinal: name for ordinal, name in enumerate(names) if name}
    if {ordinal: row.summary for ordinal, row in found.items()} != named:
        raise IntegrityError(
            "changed-summaries",
            "the summaries stored for the calibration are not those that its report names.",
            remedy="restore the store from a backup.",
        )
    return tuple(_file(found[ordinal]) if name else None for ordinal, name in enumerate(names))


def _file(row: Any) -> SummaryFile:
    """The summary in a row, with its bytes verified."""
    converted = None
    if row.converted_sha256 is not None:
        converted = verified(row.converted_sha256, row.converted)
    return SummaryFile(row.summary, verified(row.artifact, row.content), converted)
