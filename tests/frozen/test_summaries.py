"""Summaries in the format ``calib/summary/2`` keep their bytes and ids.

``summary_2`` holds the frozen HDF5 summaries, converted once by the program that introduced the
format.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.files.native.summary import read_summary, summary_bytes

HERE = Path(__file__).parent
IDS = {
    "small_far": "fc6c677eb1451f63a96d96d28dbe2b3dc66677e2dbcbcdc6bd24346d31fe47fd",
    "small_near": "84bd77bb467222a14b8037c6856e5f4cb4630751f9b00ad928a0055a29912f21",
}
"""Of the HDF5 files."""


@pytest.mark.parametrize("name", IDS)
def test_frozen_summaries_are_read_and_written_as_they_were(name: str) -> None:
    path = HERE / "summary_2" / f"{name}.calib.npz"
    found = read_summary(path)
    assert found.id == IDS[name]
    assert summary_bytes(found) == path.read_bytes()


@pytest.mark.parametrize("name", IDS)
def test_frozen_hdf5_is_converted_to_the_same_bytes(name: str) -> None:
    converted = read_summary(HERE / "files" / "summaries" / f"{name}.calib.h5")
    expected = HERE / "summary_2" / f"{name}.calib.npz"
    assert summary_bytes(converted) == expected.read_bytes()
