"""Serial numbers in panel identifiers."""

from __future__ import annotations

import pytest

from calib.files.serial import serial_from


@pytest.mark.parametrize(
    ("identifier", "serial"),
    [
        ("PILATUS 2M, S/N 24-0107 Diamond", "24-0107"),
        ("PILATUS3 6M S/N 60-0119", "60-0119"),
        ("PILATUS3 6M, S/N 60-0119, I04-1", "60-0119"),
        ("Dectris EIGER2 Si 16M, S/N E-32-0121", "E-32-0121"),
        ("PILATUS 6M, s/n: 60-0100.", "60-0100"),
        ("PILATUS 2M", None),
        ("S/N ", None),
        ("XS/N 5", None),
        ("", None),
    ],
)
def test_a_serial_is_what_follows_its_mark(identifier: str, serial: str | None) -> None:
    assert serial_from(identifier) == serial
