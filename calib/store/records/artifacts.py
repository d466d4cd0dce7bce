"""Artifacts: bytes under the name of their hash, checked whenever they are read.

Provenances: rows to model and back.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import Connection, insert, select

from calib.errors import IntegrityError
from calib.model.store.provenance import Provenance
from calib.store.schema.tables import ARTIFACT, PROVENANCE

COVARIANCE = "covariance"
"""The kind of a covariance: the lower triangle, row by row, little-endian float64."""

SUMMARY = "summary"
"""The kind of a dataset's summary: its file (docs/reference/summaries.md)."""


def put_artifact(connection: Connection, position: int, kind: str, content: bytes) -> str:
    """Keep the bytes unless they are there; their SHA-256."""
    name = hashlib.sha256(content).hexdigest()
    there = connection.execute(select(ARTIFACT.c.kind).where(ARTIFACT.c.sha256 == name)).first()
    if there is None:
        connection.execute(
            insert(ARTIFACT).values(sha256=name, position=position, kind=kind, content=content)
        )
    return name


def get_artifact(connection: Connection, name: str) -> bytes:
    """The bytes of that SHA-256; ``IntegrityError`` where they are gone or changed."""
    content = connection.execute(
        select(ARTIFACT.c.content).where(ARTIFACT.c.sha256 == name)
    ).scalar()
    if content is None:
        raise IntegrityError(
            "missing-artifact",
            f"the artifact {name[:12]} is gone",
            remedy="restore the store from a backup.",
        )
    return verified(name, content)


def verified(name: str, content: Any) -> bytes:
    """The bytes of an artifact as the driver gives them; they must be what their name says."""
    found = bytes(content) if isinstance(content, bytes | memoryview) else None
    if found is None or hashlib.sha256(found).hexdigest() != name:
        raise IntegrityError(
            "changed-artifact",
            f"the artifact {name[:12]} is not what was stored",
            remedy="restore the store from a backup.",
        )
    return found


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
