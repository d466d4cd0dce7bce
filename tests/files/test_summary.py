"""Summaries as files: read back unchanged, or refused."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.errors import FileFormatError, MissingFileError
from calib.files.native.summary import read_summary, summary_bytes, summary_from_bytes
from calib.model.detector.correction import Freedom
from calib.model.result.summary import Part, Summary
from support.scenes import options, simulation, solution

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUPERBLOCK, SEAL = 96, 73
"""Bytes: at the beginning of an HDF5 file, and of what stands behind it."""
LARGEST_STATIC = 100_000
"""Bytes for ten panels; most of it grows with the panels."""


@cache
def summary(started: datetime | None = NOON) -> Summary:
    layout, _, scan = simulation("PILATUS 1M", n_reflections=3000)
    made = solution([scan.dataset], layout, options(Freedom.IN_PLANE)).statements[0]
    return Summary(made, "24-0107", "ab" * 32, "0.1.0", started)


@cache
def written() -> bytes:
    return summary_bytes(summary())


def short_by(lost: int) -> int:
    return len(written()) - lost


@pytest.mark.parametrize("started", [NOON, None])
def test_a_summary_comes_back_to_the_last_bit(tmp_path: Path, started: datetime | None) -> None:
    path = tmp_path / "night1.calib.h5"
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


@given(st.integers(0, len(written()) - 1), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_changed_bit_is_detected_or_changes_nothing(place: int, bit: int) -> None:
    changed = bytearray(written())
    changed[place] ^= 1 << bit
    try:
        found = summary_from_bytes(bytes(changed), "night1.calib.h5")
    except FileFormatError as error:
        assert error.place == "night1.calib.h5"
        assert error.remedy
    else:
        assert found.checksum == summary().checksum


@given(st.integers(SUPERBLOCK, len(written()) - 1), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_damage_is_detected_before_hdf5_reads_it(place: int, by: int) -> None:
    """There are bytes on which HDF5 never comes to an end."""
    changed = bytearray(written())
    changed[place] ^= by
    with pytest.raises(FileFormatError, match="its bytes are not those that were written"):
        summary_from_bytes(bytes(changed), "night1.calib.h5")


def test_a_summary_without_a_trailing_hash_is_read() -> None:
    assert written()[-SEAL:].startswith(b"\nsha256 ")
    assert summary_from_bytes(written()[:-SEAL], "night1.calib.h5").checksum == summary().checksum


@given(st.integers(0, len(written()) - SEAL - 1) | st.integers(1, SEAL - 1).map(short_by))
@settings(max_examples=25, deadline=None)
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(FileFormatError):
        summary_from_bytes(written()[:length], "night1.calib.h5")


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = io.BytesIO()
    with h5py.File(other, "w") as file:
        file["entry/data"] = [1, 2, 3]
    for content in (b"", b"{}", other.getvalue()):
        with pytest.raises(FileFormatError) as caught:
            summary_from_bytes(content, "x.h5")
        assert caught.value.code == "not-a-summary"
    with pytest.raises(MissingFileError):
        read_summary(tmp_path / "gone.calib.h5")


def changed(name: str, value: object) -> bytes:
    out = io.BytesIO(written())
    with h5py.File(out, "r+") as file:
        file.attrs[name] = value
    return out.getvalue()


def test_a_newer_format_asks_for_a_newer_program() -> None:
    with pytest.raises(FileFormatError) as caught:
        summary_from_bytes(changed("format", "calib/summary/2"), "x.h5")
    assert caught.value.code == "summary-newer"
    assert "upgrade" in caught.value.remedy


@pytest.mark.parametrize("name", ["serial", "layout", "n_data", "kept", "started", "checksum"])
def test_every_attribute_is_under_the_checksum(name: str) -> None:
    with h5py.File(io.BytesIO(written())) as file:
        before = file.attrs[name]
    value = before + 1.0 if name == "n_data" else "2026-03-02T12:00:00+00:00"
    with pytest.raises(FileFormatError) as caught:
        summary_from_bytes(changed(name, value), "x.h5")
    assert caught.value.code == "damaged-summary"


@pytest.mark.parametrize("name", ["chi_square", "n_data"])
def test_values_that_are_not_finite_are_refused(name: str) -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(FileFormatError) as caught:
            summary_from_bytes(changed(name, value), "x.h5")
        assert (caught.value.code, caught.value.place) == ("damaged-summary", "x.h5")


def with_array(name: str, **made: object) -> bytes:
    """The file with an array that HDF5 makes in another way."""
    out = io.BytesIO(written())
    with h5py.File(out, "r+") as file:
        del file[name]
        file.create_dataset(name, **made)
    return out.getvalue()


def test_arrays_of_absurd_shapes_are_not_loaded() -> None:
    """A small file can promise terabytes."""
    long = with_array("whole/coupling", shape=(10**9, 60), dtype="f8", chunks=(1024, 60))
    with pytest.raises(FileFormatError, match="shape"):
        summary_from_bytes(long, "x.h5")


def test_arrays_too_large_for_their_file_are_not_loaded() -> None:
    for name, shape in (("report", (10**12,)), ("point", (10**10, 6))):
        large = with_array(name, shape=shape, dtype="u8", chunks=(1024, 6)[: len(shape)])
        with pytest.raises(FileFormatError, match="too large for this file"):
            summary_from_bytes(large, "x.h5")


@pytest.mark.parametrize("kind", ["S8", "c16", "V8", h5py.string_dtype()])
def test_arrays_that_are_not_numeric_are_refused(kind: object) -> None:
    with pytest.raises(FileFormatError, match="is of the type"):
        summary_from_bytes(with_array("point", shape=(10, 6), dtype=kind), "x.h5")


@pytest.mark.parametrize("name", ["point", "whole", "whole/own"])
def test_nothing_is_read_from_another_file(tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere.h5"
    elsewhere.write_bytes(written())
    for link in (h5py.ExternalLink(str(elsewhere), name), h5py.SoftLink("/half_a")):
        out = io.BytesIO(written())
        with h5py.File(out, "r+") as file:
            del file[name]
            file[name] = link
        with pytest.raises(FileFormatError, match="a link to somewhere else"):
            summary_from_bytes(out.getvalue(), "x.h5")


def test_no_raw_bytes_are_read_from_another_file(tmp_path: Path) -> None:
    raw = [(str(tmp_path / "raw"), 0, h5py.h5f.UNLIMITED)]
    virtual = h5py.VirtualLayout((10, 6), "f8")
    virtual[:] = h5py.VirtualSource(str(tmp_path / "elsewhere.h5"), "point", (10, 6))
    out = io.BytesIO(written())
    with h5py.File(out, "r+") as file:
        del file["point"]
        file.create_virtual_dataset("point", virtual)
    for content in (out.getvalue(), with_array("point", shape=(10, 6), dtype="f8", external=raw)):
        with pytest.raises(FileFormatError, match="lies in another file"):
            summary_from_bytes(content, "x.h5")
