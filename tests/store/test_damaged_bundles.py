"""Damaged and forged bundles are refused, and nothing of them is recorded."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.errors import CalibError, FileFormatError
from calib.files.native.bundle import MAGIC, read_bundle
from calib.model.base.canonical import content_id
from calib.model.store.bundle import Bundle, BundleRows
from calib.store.store import Store
from support.bundles import forged, sent
from support.raw import everything
from support.records import DAY, NOON, SERIAL, stamp

BY_CLEO = stamp(NOON + 9 * DAY, "cleo", "elsewhere")


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def assert_every_flip_is_found(bundle: Bundle, folder: Path, n_tried: int) -> None:
    path = sent(bundle, folder)
    data, rng = path.read_bytes(), np.random.default_rng(1)
    places = rng.choice(len(data), size=min(n_tried, len(data)), replace=False)
    for place in (0, len(MAGIC), len(data) - 1, len(data) - 65, *places.tolist()):
        path.write_bytes(flipped(data, place, int(rng.integers(8))))
        with pytest.raises(FileFormatError):
            read_bundle(path)
    for end in (0, 3, len(MAGIC), len(data) // 2, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(FileFormatError):
            read_bundle(path)
    path.write_bytes(data + b"\n")
    with pytest.raises(FileFormatError):
        read_bundle(path)


def test_any_flipped_byte_is_found(home: Store, tmp_path: Path) -> None:
    assert_every_flip_is_found(home.bundles.export(SERIAL), tmp_path, 200)


@pytest.mark.long
def test_every_single_byte_flipped_is_found(home: Store, tmp_path: Path) -> None:
    assert_every_flip_is_found(home.bundles.export(SERIAL), tmp_path, 10**9)


def resealed(bundle: Bundle, folder: Path, old: bytes, new: bytes) -> Path:
    """A bundle that was changed together with the hash at its end."""
    data = sent(bundle, folder).read_bytes()
    text = zlib.decompress(data[len(MAGIC) : -65])
    assert old in text
    body = MAGIC + zlib.compress(text.replace(old, new, 1))
    path = folder / "resealed.calib-bundle"
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode() + b"\n")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"a loose cable", b"a loose table", "match its hash|match the hash in the log"),
        (b'"measured"', b'"sparse"', "do not match the hash in the log"),
        (b'"ordinal":3', b'"ordinal":4', "does not match its hash"),
        (b'"kind":"entry"', b'"kind":"other"', "a line of the kind 'other'"),
        (b'"loose":false', b'"loose":true', "are missing"),
        (b'"recorded_at":{', b'"recorded_at":7,"x":{', "missing or misshapen"),
        (b'"serial":"24-0107"', b'"serial":"24-0108"', "does not follow"),
        (b'{"kind":"bundle"', b'[{"kind":"bundle"', "cannot be unpacked"),
    ],
)
def test_a_bundle_changed_with_its_final_hash_is_refused(
    home: Store, tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_bundle(resealed(home.bundles.export(SERIAL), tmp_path, old, new))


def test_missing_rows_or_entries_are_found(home: Store) -> None:
    bundle = home.bundles.export(SERIAL)
    for index in range(len(bundle.rows)):
        left = replace(bundle, rows=bundle.rows[:index] + bundle.rows[index + 1 :])
        with pytest.raises(FileFormatError, match="are missing"):
            left.verify()
    for index in range(1, len(bundle.entries) - 1):
        left = replace(bundle, entries=bundle.entries[:index] + bundle.entries[index + 1 :])
        with pytest.raises(FileFormatError):
            left.verify()


def loose(table: str, **columns: tuple[object, ...]) -> BundleRows:
    """Rows that an earlier change had recorded, whose own hash is all that verifies them."""
    return BundleRows(table, 0, columns, loose=True)


FILES = json.dumps(["ab" * 32])
DATASET = content_id({"format": "calib/dataset/1", "sha256": ["ab" * 32]})
X, Y = (hashlib.sha256(content).hexdigest() for content in (b"x", b"y"))


def test_rows_of_earlier_changes_that_match_their_own_hash_are_accepted(home: Store) -> None:
    bundle = home.bundles.export(SERIAL)
    artifacts = loose("artifact", sha256=(X, Y), content=(b"x", b"y"))
    datasets = loose("dataset", id=(DATASET,), sha256=(FILES,))
    replace(bundle, rows=(artifacts, *bundle.rows, datasets)).verify()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (loose("artifact", sha256=(X, Y), content=(b"x", b"z")), "match their own hash"),
        (loose("artifact", sha256=(X, Y), content=(b"x",)), "cannot be read"),
        (loose("artifact", sha256=(X,), content=(b"x", b"y")), "cannot be read"),
        (loose("dataset", id=(X,), sha256=(FILES,)), "match their own hash"),
        (loose("dataset", id=(DATASET, DATASET), sha256=(FILES,)), "cannot be read"),
        (loose("dataset", id=(DATASET,), sha256=(FILES, FILES)), "cannot be read"),
        (loose("panel", panel=(1,)), "belong to no change"),
    ],
)
def test_forged_rows_of_earlier_changes_are_refused(
    home: Store, rows: BundleRows, message: str
) -> None:
    bundle = home.bundles.export(SERIAL)
    with pytest.raises(FileFormatError, match=message):
        replace(bundle, rows=(*bundle.rows, rows)).verify()


def test_a_bundle_must_begin_with_the_registration_of_its_detector(home: Store) -> None:
    bundle = home.bundles.export(SERIAL)
    for entries in ((), bundle.entries[1:]):
        with pytest.raises(FileFormatError, match="does not begin with the registration"):
            replace(bundle, entries=entries, rows=()).verify()


@pytest.mark.parametrize(
    ("text", "times"),
    [(bytes(2**20), 600), (b"{}," * 2**18, 6), (b"[]," * 2**18, 6), (b"1," * 2**18, 10)],
    ids=["nothing", "objects", "lists", "numbers"],
)
def test_a_decompression_bomb_is_refused_in_time(tmp_path: Path, text: bytes, times: int) -> None:
    packer, out = zlib.compressobj(9), io.BytesIO(b"")
    out.write(MAGIC)
    out.write(packer.compress(b'{"kind": ['))
    for _ in range(times):
        out.write(packer.compress(text))
    out.write(packer.flush())
    body = out.getvalue()
    assert len(body) < 2**20
    path = tmp_path / "bomb.calib-bundle"
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode() + b"\n")
    with pytest.raises(FileFormatError, match="would unpack to more than"):
        read_bundle(path)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("calibration", "report", True),
        ("calibration", "report", "{"),
        ("calibration", "report", "[true]"),
        ("calibration", "report", '{"overall": 7}'),
        ("calibration", "report", ...),
        ("calibration", "version", "first"),
        ("calibration", "distances_mm", "7"),
        ("calibration", "distances_mm", "[" * 5000 + "]" * 5000),
        ("calibration", "parameters", "[]"),
        ("calibration", "accepted", 2**70),
        ("calibration", "freedom", "none"),
        ("dataset", "name", None),
        ("dataset", "name", "a\0b"),
        ("dataset", "started", 7),
        ("panel", "n_reflections", 1.5),
        ("panel", "n_reflections", 2**63),
        ("panel", "dx", "left"),
        ("panel", "dx", True),
        ("detector", "layout", "{}"),
        ("detector", "layout", None),
        ("certification", "distance_max_mm", "far"),
        ("certification", "distance_max_mm", -1.0),
        ("certification", "valid_from", 0),
        ("placement", "beamline", 4),
        ("withdrawal", "reason", 4),
        ("withdrawal", "certification", 2**64),
        ("provenance", "environment", "[]"),
        ("provenance", "paths", "[7]"),
        ("provenance", "paths", '{"ab": 7}'),
        ("provenance", "environment", '{"python": 3}'),
        ("application", "output_names", "7"),
        ("application", "output_names", 7),
        ("artifact", "content", ...),
        ("calibration", "position", ...),
        ("calibration_dataset", "ordinal", ...),
        ("artifact", "content", "text"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_forged_bundle_with_a_forged_log_is_refused_and_nothing_is_written(
    home: Store, place: str, store: Store, table: str, column: str, value: object
) -> None:
    bundle = forged(home.bundles.export(SERIAL, with_usage=True), table, column, value)
    before = everything(place)
    with pytest.raises(CalibError) as caught:
        store.bundles.load(bundle, BY_CLEO, adopt=True)
    assert caught.value.exit_code == 2
    assert everything(place) == before


def test_a_file_that_is_not_a_bundle_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"PK\x03\x04", MAGIC, MAGIC + bytes(100)):
        path = tmp_path / "no.calib-bundle"
        path.write_bytes(data)
        with pytest.raises(FileFormatError) as caught:
            read_bundle(path)
        assert caught.value.code == "no-bundle"
