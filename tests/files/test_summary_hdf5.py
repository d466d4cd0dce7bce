"""Summaries as HDF5, which another process reads: read as written, or refused in time."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.errors import FileFormatError, InputError
from calib.files import hdf5_process
from calib.files.native.summary import read_summary, summary_bytes, summary_from_bytes
from calib.files.native.summary_hdf5 import hdf5_bytes
from calib.model.result.summary import Additional
from support import children
from support.commands import calib
from support.summaries import CRASHING, HANGING, LIMIT_S, NOON, hostile, summary

SUPERBLOCK, SEAL = 96, 73
"""Bytes: at the beginning of an HDF5 file, and of what stands behind it."""


@cache
def written() -> bytes:
    return hdf5_bytes(summary())


def short_by(lost: int) -> int:
    return len(written()) - lost


@pytest.mark.parametrize("started", [NOON, None])
def test_a_summary_comes_back_from_hdf5_to_the_last_bit(
    tmp_path: Path, started: datetime | None
) -> None:
    path = tmp_path / "night1.calib.h5"
    path.write_bytes(hdf5_bytes(summary(started)))
    again = read_summary(path)
    assert (again.id, again.checksum) == (summary(started).id, summary(started).checksum)
    assert summary_bytes(again) == summary_bytes(summary(started))
    assert hdf5_bytes(again) == path.read_bytes()


def test_hdf5_has_no_place_for_what_a_later_version_added() -> None:
    later = replace(summary(), additional=Additional({"cells": np.zeros(3)}))
    with pytest.raises(InputError, match="later version of calib"):
        hdf5_bytes(later)


@pytest.mark.parametrize("changes", [HANGING, CRASHING], ids=["hangs", "crashes"])
def test_a_hostile_file_ends_with_an_error_in_time_and_the_next_is_read(
    changes: dict[int, int],
) -> None:
    """HDF5 2.0 never returns from one of these, and crashes on the other; others refuse them."""
    begun = time.monotonic()
    with pytest.raises(FileFormatError) as caught:
        summary_from_bytes(hostile(changes), "x.h5")
    assert time.monotonic() - begun < LIMIT_S
    assert (caught.value.code, caught.value.place) == ("damaged-summary", "x.h5")
    assert caught.value.exit_code == 2
    assert summary_from_bytes(written(), "y.h5").checksum == summary().checksum


@pytest.mark.parametrize("changes", [HANGING, CRASHING], ids=["hangs", "crashes"])
def test_commands_refuse_a_hostile_file(
    tmp_path: Path, changes: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5_process, "SECONDS", 1.0)
    path = tmp_path / "hostile.calib.h5"
    path.write_bytes(hostile(changes))
    answer = calib("summary", "show", path, "--json")
    assert (answer.code, answer.error["code"]) == (2, "damaged-summary")
    assert answer.error["place"] == str(path)


def worker() -> int:
    """The process that reads HDF5."""
    summary_from_bytes(written(), "x.h5")
    process = hdf5_process._WORKER._process
    assert process is not None
    return process.pid


def test_one_process_reads_all_files() -> None:
    assert worker() == worker()


def test_a_process_that_was_killed_is_started_again() -> None:
    before = worker()
    os.kill(before, signal.SIGKILL)
    assert worker() != before


def test_a_process_that_is_stopped_while_it_reads_is_replaced() -> None:
    before = worker()
    os.kill(before, signal.SIGSTOP)
    begun = time.monotonic()
    with pytest.raises(FileFormatError, match="did not come to an end"):
        summary_from_bytes(written(), "x.h5")
    assert time.monotonic() - begun < LIMIT_S
    assert worker() != before


def test_several_threads_share_the_process() -> None:
    found: list[str] = []

    def read() -> None:
        found.append(summary_from_bytes(written(), "x.h5").checksum)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [summary().checksum] * 4


PROGRAM = """
import os, sys
from pathlib import Path
from calib.files.native.summary import read_summary
from calib.files import hdf5_process
path = Path(sys.argv[1])
first = read_summary(path).checksum
if sys.argv[2] == "fork" and os.fork() == 0:
    assert read_summary(path).checksum == first
    sys.exit(0)
if sys.argv[2] == "fork":
    assert os.wait()[1] == 0
assert read_summary(path).checksum == first
assert "h5py" not in sys.modules
print(hdf5_process._WORKER._process.pid, flush=True)
if sys.argv[2] == "die":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["end", "die", "fork"])
def test_the_process_ends_with_the_one_that_started_it(tmp_path: Path, how: str) -> None:
    (tmp_path / "night1.calib.h5").write_bytes(written())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "night1.calib.h5"), how],
        env=children.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if how == "die" else 0), done.stderr
    deadline = time.monotonic() + LIMIT_S
    while Path(f"/proc/{done.stdout.strip()}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


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


def test_other_files_are_refused() -> None:
    other = io.BytesIO()
    with h5py.File(other, "w") as file:
        file["entry/data"] = [1, 2, 3]
    with pytest.raises(FileFormatError) as caught:
        summary_from_bytes(other.getvalue(), "x.h5")
    assert caught.value.code == "not-a-summary"


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
