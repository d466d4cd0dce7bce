"""Bundles written to files and read from them, and all rows of a store."""

from __future__ import annotations

from pathlib import Path

from calib.files.native.bundle import bundle_writer, read_bundle
from calib.model.store.bundle import Bundle
from support import raw


def sent(bundle: Bundle, folder: Path) -> Path:
    """The file that the bundle was written to."""
    path = folder / "some.calib-bundle"
    with path.open("wb") as file:
        bundle_writer(bundle)(file)
    return path


def moved(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle as it comes out of a file."""
    return read_bundle(sent(bundle, folder))


def everything(place: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    return {table: raw.rows(place, table) for table in raw.TABLES}
