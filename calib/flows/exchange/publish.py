"""publish: certified geometry as files for programs without access to the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calib.errors import NotFoundError
from calib.files.atomic import write_safely
from calib.files.kinds import GEOMETRY
from calib.files.writer import geometry_bytes
from calib.model.store.certification_rules import live
from calib.model.store.protocol import StoreLike


@dataclass(frozen=True, slots=True)
class PublishedGeometry:
    """A geometry file that was written."""

    output: Path
    calibrations: tuple[str, ...]
    """The certified calibrations in it, those that apply first in front."""
    position: int
    """Of the log."""


def publish_geometry(
    store: StoreLike, serial: str, output: Path, *, force: bool = False
) -> PublishedGeometry:
    """Write the certified calibrations of a detector, for all times and distances.

    Raises ``NotFoundError`` where none is certified, and what ``write_safely`` raises.
    """
    record = store.detectors.get(serial)
    position = store.log.head().position
    certified = live(store.certifications.list(serial, position))
    if not certified:
        raise NotFoundError(
            "nothing-certified",
            f"no calibration of {serial} is certified.",
            remedy="certify one with calib certify.",
        )
    names = [f"{one.serial}:{one.version}" for one in certified]
    found = {name: store.calibrations.get(name, None, position) for name in dict.fromkeys(names)}
    entries = [
        (one, found[name].record.estimate.correction)
        for one, name in zip(certified, names, strict=True)
    ]
    data = geometry_bytes(record, entries, position=position)
    write_safely(output, data, GEOMETRY, store=store.files, force=force)
    return PublishedGeometry(output, tuple(names), position)
