"""Artifacts: bytes under the name of their hash, checked whenever they are read."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Connection, insert, select

from calib.errors import IntegrityError
from calib.store.tables import ARTIFACT

COVARIANCE = "covariance"
"""The kind of a covariance: the lower triangle, row by row, little-endian float64."""

SUMMARY = "summary"
"""The kind of a dataset's summary: its file (docs/summaries.md)."""


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
