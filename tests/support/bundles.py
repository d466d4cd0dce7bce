"""Bundles written to files and read from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from calib.files.native.bundle import bundle_writer, read_bundle
from calib.model.store.bundle import Bundle, BundleEntry, BundleRows, _hashed
from calib.model.store.log import entry_id, rows_id


def sent(bundle: Bundle, folder: Path) -> Path:
    """The file that the bundle was written to."""
    path = folder / "some.calib-bundle"
    with path.open("wb") as file:
        bundle_writer(bundle)(file)
    return path


def moved(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle as it comes out of a file."""
    return read_bundle(sent(bundle, folder))


def forged(bundle: Bundle, table: str, column: str, value: object) -> Bundle:
    """The bundle with another value (or none: ``...``) in a whole column, and its log rewritten to
    match."""
    return resealed(replace(bundle, rows=_with_column(bundle, table, column, value)))


def _with_column(bundle: Bundle, table: str, column: str, value: object) -> tuple[BundleRows, ...]:
    rows = []
    for one in bundle.rows:
        columns = dict(one.columns)
        if one.table == table:
            columns[column] = (value,) * len(columns[column])
            if value is ...:
                del columns[column]
        rows.append(replace(one, columns=columns))
    return tuple(rows)


def resealed(bundle: Bundle) -> Bundle:
    """The bundle with its log rewritten to match its rows."""
    rows = bundle.rows
    hashed = {(one.position, one.table): rows_id(_hashed(one.columns)) for one in rows}
    entries: list[BundleEntry] = []
    for bundled in bundle.entries:
        place = bundled.entry.position
        contents = {
            name: hashed.get((place, name), was) for name, was in bundled.entry.contents.items()
        }
        previous = entries[-1].entry.hash if entries else None
        entry = replace(bundled.entry, contents=contents, previous=previous)
        entry = replace(entry, hash=entry_id(entry, bundled.by))
        entries.append(replace(bundled, entry=entry))
    return replace(bundle, entries=tuple(entries))
