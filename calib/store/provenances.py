"""Provenances: rows to model and back."""

from __future__ import annotations

import json

from sqlalchemy import Connection, insert, select

from calib.errors import IntegrityError
from calib.model.provenance import Provenance
from calib.store.tables import PROVENANCE


def insert_provenance(connection: Connection, calibration: int, provenance: Provenance) -> None:
    """Add where and from which files a calibration was derived."""
    content = provenance.content()
    connection.execute(
        insert(PROVENANCE).values(
            calibration=calibration,
            environment=json.dumps(content["environment"], sort_keys=True),
            paths=json.dumps(content["paths"], sort_keys=True),
            parent=provenance.parent,
        )
    )


def read_provenance(connection: Connection, calibration: int) -> Provenance | None:
    """The same; None where none was kept."""
    row = connection.execute(
        select(PROVENANCE).where(PROVENANCE.c.calibration == calibration)
    ).first()
    if row is None:
        return None
    try:
        return Provenance.from_content(
            {
                "environment": json.loads(row.environment),
                "paths": json.loads(row.paths),
                "parent": row.parent,
            }
        )
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError(
            "changed-provenance",
            f"the provenance of a calibration cannot be read ({error}).",
            remedy="calib audit verify, then restore the store from a backup.",
        ) from error
