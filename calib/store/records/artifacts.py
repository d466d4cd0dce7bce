"""Artifacts, which are bytes named by their hash and verified on every read; and provenance."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import Connection, select

from calib.errors import IntegrityError
from calib.model.store.provenance import Provenance
from calib.store.log.written import insert_rows
from calib.store.schema.tables import ARTIFACT, PROVENANCE

COVARIANCE = "covariance"
"""Kind of a covariance: its lower triangle, row by row, as little-endian float64."""

SUMMARY = "summary"
"""Kind of a dataset's summary: the content of its file (docs/reference/summaries.md)."""


def put_artifact(connection: Connection, position: int, kind: str, content: bytes) -> str:
    """Store the bytes unless the store has them; returns their SHA-256."""
    name = hashlib.sha256(content).hexdigest()
    existing = connection.execute(select(ARTIFACT.c.kind).where(ARTIFACT.c.sha256 == name)).first()
    if existing is None:
        insert_rows(
            connection,
            ARTIFACT,
            [{"sha256": name, "position": position, "kind": kind, "content": content}],
        )
    return name


def get_artifact(connection: Connection, name: str) -> bytes:
    """Read the bytes with that SHA-256; raises ``IntegrityError`` if missing or changed."""
    content = connection.execute(
        select(ARTIFACT.c.content).where(ARTIFACT.c.sha256 == name)
    ).scalar()
    if content is None:
        raise IntegrityError(
            "missing-artifact",
            f"the artifact {name[:12]} is missing",
            remedy="restore the store from a backup.",
        )
    return verified(name, content)


def verified(name: str, content: Any) -> bytes:
    """The bytes that a driver returned; raises ``IntegrityError`` unless their hash is ``name``."""
    found = bytes(content) if isinstance(content, bytes | memoryview) else None
    if found is None or hashlib.sha256(found).hexdigest() != name:
        raise IntegrityError(
            "changed-artifact",
            f"the artifact {name[:12]} was changed: its hash is another one",
            remedy="restore the store from a backup.",
        )
    return found


def insert_provenance(connection: Connection, calibration: int, provenance: Provenance) -> None:
    """Insert the environment and the input files of a derivation."""
    content = provenance.content()
    insert_rows(
        connection,
        PROVENANCE,
        [
            {
                "calibration": calibration,
                "environment": json.dumps(content["environment"], sort_keys=True),
                "paths": json.dumps(content["paths"], sort_keys=True),
                "parent": provenance.parent,
            }
        ],
    )


def read_provenance(connection: Connection, calibration: int) -> Provenance | None:
    """Read the provenance of a calibration; None if none was stored."""
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
            f"the provenance of the calibration cannot be read ({error}).",
            remedy="calib audit verify, then restore the store from a backup.",
        ) from error
