"""Bundles that were changed at random and sealed again, loaded into a store.

For use in another process (``support.isolated``): each number selects a change.
"""

from __future__ import annotations

import io
import json
import math
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from calib.errors import CalibError, NotFoundError
from calib.files.native.bundle import bundle_writer, read_bundle
from calib.model.base.content import to_content
from calib.model.store.bundle import Bundle
from calib.store.store import Store
from support.bundles import resealed
from support.filled import fill
from support.hostile_files import placed
from support.mutations import NUMBERS, OTHERS
from support.postgres import memory_folder
from support.records import HOUR, NOON, SERIAL, stamp

BY_CLEO = stamp(NOON + 9 * HOUR, "cleo", "elsewhere")
INSTANTS = (
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime(1899, 12, 31, tzinfo=UTC),
    datetime(2200, 1, 1, 0, 0, 1, tzinfo=UTC),
)
FIELDS = ("kind", "chain", "ordinal", "contents", "salt", "position")
"""Of an entry, beside those of its stamp."""


def content_of(value: object) -> str:
    """A stored value as text."""
    return json.dumps(
        to_content(value), default=lambda found: getattr(found, "tolist", found.__str__)()
    )


@cache
def original() -> tuple[Bundle, bytes, dict[str, str]]:
    """A bundle of everything, an empty store, and the content of each calibration by its id."""
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        full, empty = Path(folder) / "full.sqlite", Path(folder) / "empty.sqlite"
        fill(str(full))
        Store.create(empty)
        with Store.open(full) as store:
            known = {
                line.id: content_of(store.calibrations.get(line.id).record)
                for line in store.calibrations.list()
            }
            return store.bundles.export(SERIAL, with_usage=True), empty.read_bytes(), known


def other_value(chance: Random, value: Any) -> Any:
    """Another value, mostly of the same kind."""
    if chance.random() < 0.3:
        return chance.choice((*NUMBERS, *OTHERS[:12], *INSTANTS))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 7, 1000))
    if isinstance(value, float):
        return chance.choice((math.nextafter(value, math.inf), value + 1.0, -value))
    if isinstance(value, datetime):
        return value + chance.choice((-1, 1)) * chance.choice(
            (timedelta(microseconds=1), timedelta(days=1), timedelta(days=40_000))
        )
    if isinstance(value, bytes) and value:
        changed = bytearray(value)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        return chance.choice((bytes(changed), value[:-1], value + b"\0", b""))
    if isinstance(value, str) and value:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(("", "0", "f", " ", "\n", "{")) + value[at + 1 :]
    return chance.choice((0, 1, "x", None))


def changed_bundle(chance: Random, bundle: Bundle) -> Bundle:
    """One value, row or entry of the bundle changed, and its log written anew to match."""
    rows, entries = list(bundle.rows), list(bundle.entries)
    at, which = chance.randrange(len(rows)), chance.randrange(len(entries))
    one, entry = rows[at], entries[which]
    columns = {name: list(values) for name, values in one.columns.items()}
    name = chance.choice(list(columns))
    n = len(columns[name])
    match chance.randrange(10):
        case 0:
            del columns[name]
        case 1:
            for values in columns.values():
                values.append(values[chance.randrange(n)])
        case 2:
            row = chance.randrange(n)
            for values in columns.values():
                del values[row]
        case 3:
            recorded = entry.entry.recorded
            field = chance.choice(("at", "actor", "host", "command", "reason"))
            value = other_value(chance, getattr(recorded, field))
            recorded = replace(recorded, **{field: value})
            entries[which] = replace(entry, entry=replace(entry.entry, recorded=recorded))
        case 4:
            field = chance.choice(FIELDS)
            value = other_value(chance, getattr(entry.entry, field))
            changed: Any = {field: value}
            entries[which] = replace(entry, entry=replace(entry.entry, **changed))
        case 5:
            del entries[which]
        case 6:
            other = chance.choice(rows)
            rows[at] = replace(one, table=other.table)
            return resealed(replace(bundle, rows=tuple(rows)))
        case _:
            row = chance.randrange(n)
            columns[name][row] = other_value(chance, columns[name][row])
    rows[at] = replace(one, columns={name: tuple(values) for name, values in columns.items()})
    return resealed(replace(bundle, rows=tuple(rows), entries=tuple(entries)))


def loaded_bundle(number: bytes) -> str:
    """A bundle: refused, or its calibrations are those that were exported, and all that was
    recorded can be read for ever after."""
    bundle, empty, known = original()
    chance = Random(number)  # noqa: S311 - nothing is secret here
    out = io.BytesIO()
    try:
        bundle_writer(changed_bundle(chance, bundle))(out)
    except (CalibError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return "no bundle can hold it"
    found = read_bundle(placed(out.getvalue()))
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        place = Path(folder) / "there.sqlite"
        place.write_bytes(empty)
        with Store.open(place) as store:
            try:
                store.bundles.load(found, BY_CLEO, adopt=chance.random() < 0.5)
            except CalibError:
                assert store.detectors.list() == [], "refused, and something was recorded"
                raise
        with Store.open(place) as store:
            read_all(store, known)
    return "read"


def read_all(store: Store, known: dict[str, str]) -> None:
    """Read everything, which verifies it."""
    assert store.log.audit().findings == ()
    for line in store.calibrations.list():
        held = store.calibrations.get(line.id)
        assert content_of(held.record) == known[line.id], "another calibration of this id"
        store.summaries.read(held)
    for detector in store.detectors.list():
        for certification in store.certifications.list(detector.serial):
            content_of(certification)
        store.placements.list(detector.serial)
        with suppress(NotFoundError):
            store.resolve(detector.serial, NOON + HOUR, 150.0)
        store.bundles.export(detector.serial, with_usage=True).verify()
    store.applications.list()
    store.bundles.origins()
