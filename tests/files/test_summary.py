"""Summaries as files: read back unchanged, or refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.errors import CalibError, FileFormatError, InputError, MissingFileError
from calib.files.native.container import npy_bytes, zip_bytes
from calib.files.native.summary import (
    MANIFEST,
    read_summary,
    summary_bytes,
    summary_from_bytes,
)
from calib.model.result.summary import Additional, Part
from support.summaries import NOON, members_of, resealed, summary, written

LARGEST_STATIC = 100_000
"""Bytes for ten panels; most of it grows with the panels."""
LATER = Additional(
    {"wide/border": np.arange(6.0).reshape(2, 3), "cells": np.arange(4, dtype=np.int32)},
    {"wide": {"classes": ["pose", "crystal"], "n": 3}, "method": 2.5},
)
"""What a later version of the program may add."""


@pytest.mark.parametrize("started", [NOON, None])
def test_a_summary_comes_back_to_the_last_bit(tmp_path: Path, started: datetime | None) -> None:
    path = tmp_path / "night1.calib.npz"
    path.write_bytes(summary_bytes(summary(started)))
    again = read_summary(path)
    assert again.checksum == summary(started).checksum
    assert again.id == summary(started).id
    assert again.started == started
    for part in Part:
        one, other = again.statement.part(part), summary(started).statement.part(part)
        assert np.array_equal(one.information, other.information)
        assert np.array_equal(one.vector, other.vector)
    assert summary_bytes(again) == path.read_bytes()


def test_the_id_does_not_depend_on_the_name_of_the_dataset() -> None:
    assert summary(NOON).id == summary(None).id
    assert summary(NOON).checksum != summary(None).checksum


def test_a_summary_is_small() -> None:
    assert len(written()) < LARGEST_STATIC


def test_the_manifest_states_every_member(tmp_path: Path) -> None:
    path = tmp_path / "night1.calib.npz"
    path.write_bytes(written())
    with np.load(path, allow_pickle=False) as loaded:
        manifest = json.loads(loaded[MANIFEST])
        assert [entry["name"] for entry in manifest["members"]] == [
            f"{name}.npy" for name in loaded.files if name != MANIFEST
        ]
        for entry in manifest["members"]:
            values = loaded[entry["name"].removesuffix(".npy")]
            assert (entry["dtype"], entry["shape"]) == (values.dtype.str, list(values.shape))
    assert (manifest["format"], manifest["id"]) == ("calib/summary/2", summary().id)


def test_what_a_later_version_added_is_kept_and_hashed() -> None:
    later = replace(summary(), additional=LATER)
    content = summary_bytes(later)
    found = summary_from_bytes(content, "x.npz")
    assert found.id == later.id != summary().id
    assert found.additional.values == LATER.values
    assert list(found.additional.arrays) == ["cells", "wide/border"]
    assert summary_bytes(found) == content
    assert np.array_equal(found.statement.whole.own, summary().statement.whole.own)


@pytest.mark.parametrize(
    "other",
    [
        replace(LATER, values={**LATER.values, "method": 3}),
        replace(LATER, values={}),
        replace(LATER, arrays={**LATER.arrays, "cells": np.arange(4, dtype=np.int64)}),
        replace(LATER, arrays={**LATER.arrays, "cells": np.arange(4, dtype=np.int32)[::-1]}),
        replace(LATER, arrays={"wide/border": LATER.arrays["wide/border"]}),
    ],
)
def test_the_id_depends_on_everything_that_was_added(other: Additional) -> None:
    assert replace(summary(), additional=other).id != replace(summary(), additional=LATER).id


@pytest.mark.parametrize(
    "additional", [Additional({"point": np.zeros(3)}), Additional(values={"serial": "x"})]
)
def test_nothing_can_be_added_under_a_name_that_is_taken(additional: Additional) -> None:
    with pytest.raises(InputError, match="cannot have the name of other content"):
        summary_bytes(replace(summary(), additional=additional))


@given(st.integers(0, len(written()) - 1), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_changed_bit_is_detected(place: int, bit: int) -> None:
    changed = bytearray(written())
    changed[place] ^= 1 << bit
    with pytest.raises(FileFormatError) as caught:
        summary_from_bytes(bytes(changed), "night1.calib.npz")
    assert caught.value.place == "night1.calib.npz"
    assert caught.value.remedy


@given(st.integers(0, len(written()) - 1))
@settings(max_examples=25, deadline=None)
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(FileFormatError):
        summary_from_bytes(written()[:length], "night1.calib.npz")


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = zip_bytes({"point.npy": npy_bytes(np.zeros(3))})
    foreign = zip_bytes({MANIFEST: b'{"format": "other"}'})
    unknown = zip_bytes({MANIFEST: b'{"format": "calib/summary/\\u001b[2J"}'})
    for content in (b"", b"{}", other, foreign, unknown):
        with pytest.raises(FileFormatError) as caught:
            summary_from_bytes(content, "x.npz")
        assert caught.value.code == "not-a-summary"
    with pytest.raises(MissingFileError):
        read_summary(tmp_path / "gone.calib.npz")


def test_a_file_that_is_too_large_is_not_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.calib.npz"
    with path.open("wb") as file:
        file.write(written())
        file.truncate(2**40)
    with pytest.raises(FileFormatError, match=f"it has {2**28 + 1} bytes"):
        read_summary(path)


def test_a_newer_format_asks_for_a_newer_program() -> None:
    with pytest.raises(FileFormatError) as caught:
        summary_from_bytes(changed("format", "calib/summary/3"), "x.npz")
    assert caught.value.code == "summary-newer"
    assert "upgrade" in caught.value.remedy


def changed(key: str, value: Any) -> bytes:
    """The file with another value in its manifest."""
    return resealed(members_of(written()), lambda manifest: manifest.update({key: value}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("serial", "24-0108"),
        ("layout", "cd" * 32),
        ("n_data", 5.0),
        ("kept", ""),
        ("started", None),
        ("checksum", "00"),
        ("id", "00"),
        ("unknown", 1),
        ("serial", 5),
        ("n_nuisance", 5.5),
        ("n_nuisance", True),
        ("chi_square", math.nan),
        ("chi_square", math.inf),
        ("chi_square", "5"),
        ("started", "2026-03-01"),
        ("started", "0001-01-01T00:00:00+14:00"),
        ("members", []),
        ("members", None),
        ("members", [{}]),
    ],
)
def test_every_value_of_the_manifest_is_under_the_checksum(key: str, value: object) -> None:
    with pytest.raises(FileFormatError) as caught:
        summary_from_bytes(changed(key, value), "x.npz")
    assert (caught.value.code, caught.value.place) == ("damaged-summary", "x.npz")


@pytest.mark.parametrize("name", [name for name in members_of(written()) if name != MANIFEST])
def test_every_array_is_needed_and_under_the_checksum(name: str) -> None:
    members = members_of(written())
    data = members[name]
    other = data[:-1] + bytes([data[-1] ^ 1])
    without = {key: value for key, value in members.items() if key != name}
    for content in (
        resealed({**members, name: other}),
        resealed(without, lambda manifest: _drop(manifest, name)),
        resealed(without),
        zip_bytes({**members, name: other}),
        zip_bytes({**members, "more.npy": data}),
    ):
        with pytest.raises(FileFormatError) as caught:
            summary_from_bytes(content, "x.npz")
        assert caught.value.code == "damaged-summary"


def _drop(manifest: dict[str, Any], name: str) -> None:
    manifest["members"] = [entry for entry in manifest["members"] if entry["name"] != name]


@pytest.mark.parametrize("kind", ["dtype", "shape"])
def test_the_manifest_and_the_member_state_the_same_array(kind: str) -> None:
    def change(manifest: dict[str, Any]) -> None:
        entry = next(one for one in manifest["members"] if one["name"] == "point.npy")
        entry[kind] = {"dtype": "<i8", "shape": [6, 10]}[kind]

    with pytest.raises(FileFormatError, match="is not an array of"):
        summary_from_bytes(resealed(members_of(written()), change), "x.npz")


@pytest.mark.parametrize("shape", [(10, 5), (9, 6), (60,), (0, 6), (5000, 6)])
def test_arrays_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    def change(manifest: dict[str, Any]) -> None:
        entry = next(one for one in manifest["members"] if one["name"] == "point.npy")
        entry["shape"] = list(shape)

    members = {**members_of(written()), "point.npy": npy_bytes(np.zeros(shape))}
    with pytest.raises(FileFormatError) as caught:
        summary_from_bytes(resealed(members, change), "x.npz")
    assert caught.value.code == "damaged-summary"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe{}",
        b'{"format": "calib/summary/2"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": "calib/summary/2", "format": "calib/summary/2"}',
        b'{"format": "calib/summary/2", "members": ' + b"9" * 5000 + b"}",
        b" " * (2**22 + 1),
    ],
    ids=range(11),
)
def test_any_manifest_is_read_or_refused(text: bytes) -> None:
    with pytest.raises(FileFormatError):
        summary_from_bytes(zip_bytes({**members_of(written()), MANIFEST: text}), "x.npz")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists), st.data())
@settings(max_examples=100, deadline=None)
def test_any_value_in_the_manifest_is_read_or_refused(value: object, data: st.DataObject) -> None:
    manifest = json.loads(members_of(written())[MANIFEST])
    key = data.draw(st.sampled_from(sorted(manifest)))
    try:
        found = summary_from_bytes(changed(key, value), "x.npz")
    except CalibError as error:
        assert error.exit_code == 2
    else:
        assert manifest[key] == value
        assert found.checksum == summary().checksum
