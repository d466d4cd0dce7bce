"""Summaries of datasets, stored as artifacts, and the calibrations that use them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from calib.errors import IntegrityError
from calib.model.result.summary import SummaryFile
from calib.store.records.artifacts import SUMMARY as KIND
from calib.store.records.artifacts import put_artifact, verified
from calib.store.schema.tables import ARTIFACT, CALIBRATION_SUMMARY, SUMMARY


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
            connection.execute(
                insert(SUMMARY).values(id=file.id, position=calibration, artifact=artifact)
            )
        connection.execute(
            insert(CALIBRATION_SUMMARY).values(
                calibration=calibration, ordinal=ordinal, summary=file.id
            )
        )


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
        )
        .join(SUMMARY, SUMMARY.c.id == CALIBRATION_SUMMARY.c.summary)
        .join(ARTIFACT, ARTIFACT.c.sha256 == SUMMARY.c.artifact)
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
    return tuple(
        SummaryFile(name, verified(found[ordinal].artifact, found[ordinal].content))
        if name
        else None
        for ordinal, name in enumerate(names)
    )
