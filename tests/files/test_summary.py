"""Summaries as files: they come back as they were written, or not at all."""

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
from calib.files.summary import read_summary, summary_bytes, summary_from_bytes
from calib.model.correction import Freedom
from calib.model.summary import Part, Summary
from support.scenes import options, simulation, solution

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LARGEST_STATIC = 100_000
"""Bytes for ten panels; most of it grows with the panels."""


@cache
def summary(started: datetime | None = NOON) -> Summary:
    layout, _, scan = simulation("PILATUS 1M", n_reflections=3000)
    said = solution([scan.dataset], layout, options(Freedom.IN_PLANE)).statements[0]
    return Summary(said, "24-0107", "ab" * 32, "0.1.0", started)


@cache
def written() -> bytes:
    return summary_bytes(summary())


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


def test_a_name_does_not_depend_on_what_people_call_the_dataset() -> None:
    assert summary(NOON).id == summary(None).id
    assert summary(NOON).checksum != summary(None).checksum


def test_a_summary_is_small() -> None:
    assert len(written()) < LARGEST_STATIC


@given(st.integers(0, len(written()) - 1), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_changed_bit_is_found_or_changes_nothing(place: int, bit: int) -> None:
    changed = bytearray(written())
    changed[place] ^= 1 << bit
    try:
        found = summary_from_bytes(bytes(changed), "night1.calib.h5")
    except FileFormatError as error:
        assert error.place == "night1.calib.h5"
        assert error.remedy
    else:
        assert found.checksum == summary().checksum


@given(st.integers(0, len(written()) - 1))
@settings(max_examples=25, deadline=None)
def test_a_file_that_was_cut_short_is_refused(length: int) -> None:
    with pytest.raises(FileFormatError):
        summary_from_bytes(written()[:length], "night1.calib.h5")


def test_other_files_are_refused_in_words(tmp_path: Path) -> None:
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


def test_arrays_of_absurd_shapes_are_not_loaded() -> None:
    """A small file can promise terabytes."""
    out = io.BytesIO(written())
    with h5py.File(out, "r+") as file:
        del file["whole/coupling"]
        file.create_dataset("whole/coupling", (10**9, 60), dtype="f8", chunks=(1024, 60))
    with pytest.raises(FileFormatError, match="shape"):
        summary_from_bytes(out.getvalue(), "x.h5")
