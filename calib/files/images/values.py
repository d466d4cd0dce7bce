"""Values of image headers: text turned into checked quantities.

Headers are typed by hand and written by many programs, so that a value that cannot be right (a
sensor of 1000 m) is taken as missing, and does not make the image useless.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from calib.errors import CalibError
from calib.model.base.bounds import (
    DISTANCE_MM,
    EXTENT_MM,
    LAST_INSTANT,
    PANEL_SIZE_PX,
    PIXEL_MM,
    PX,
    WAVELENGTH_ANGSTROM,
    Bounds,
)
from calib.model.base.text import checked_serial, checked_words
from calib.model.experiment.epochs import FIRST_DATA
from calib.model.experiment.image_header import ImageHeader

_LONGEST = 200
"""Characters of a text in a header."""
_LONGEST_TIME = 40
_MM_OF = {"m": 1e3, "mm": 1.0, "cm": 10.0, "um": 1e-3, "nm": 1e-6, "": 1e3}
_ANGSTROM_OF = {"a": 1.0, "angstrom": 1.0, "nm": 10.0, "pm": 0.01, "m": 1e10, "": 1.0}
_MATERIALS = {"silicon": "Si", "si": "Si", "cdte": "CdTe", "gaas": "GaAs", "cdznte": "CdZnTe"}
_MONTH = re.compile(r"(\d{4})/([A-Z][a-z]{2})/(\d{2})[ T](.*)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def number(value: Any) -> float | None:
    """A finite number, from a number or text; else None."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def within(value: float | None, bounds: Bounds) -> float | None:
    """The number itself within the bounds; else None."""
    return value if value in bounds else None


def length_mm(value: Any, unit: str = "") -> float | None:
    """A length in mm; without a unit it is in m, as in every standard."""
    found, scale = number(value), _MM_OF.get(unit.strip().lower())
    return None if found is None or scale is None else found * scale


def distance_mm(value: Any, unit: str = "") -> float | None:
    """A detector distance in mm."""
    return within(length_mm(value, unit), DISTANCE_MM)


def thickness_mm(value: Any, unit: str = "") -> float | None:
    """The thickness of a sensor in mm, above 0 and up to 10 mm."""
    found = within(length_mm(value, unit), EXTENT_MM)
    return found if found and found <= 10.0 else None


def wavelength_angstrom(value: Any, unit: str = "") -> float | None:
    """A wavelength in Angstrom."""
    found, scale = number(value), _ANGSTROM_OF.get(unit.strip().lower().rstrip("s"))
    return None if found is None or scale is None else within(found * scale, WAVELENGTH_ANGSTROM)


def pixel_pair(fast_mm: float | None, slow_mm: float | None) -> tuple[float, float] | None:
    """Two pixel sizes in mm, rounded to 1e-9 mm."""
    if fast_mm is None or slow_mm is None or fast_mm not in PIXEL_MM or slow_mm not in PIXEL_MM:
        return None
    return round(fast_mm, 9), round(slow_mm, 9)


def size_pair(fast: Any, slow: Any) -> tuple[int, int] | None:
    """Two image sizes in px."""
    found = [number(one) for one in (fast, slow)]
    whole = [int(one) for one in found if one is not None and one == int(one)]
    if len(whole) != 2 or not all(one in PANEL_SIZE_PX for one in whole):
        return None
    return whole[0], whole[1]


def centre_pair(fast: Any, slow: Any) -> tuple[float, float] | None:
    """A beam centre in px."""
    found = number(fast), number(slow)
    if found[0] is None or found[1] is None or found[0] not in PX or found[1] not in PX:
        return None
    return found[0], found[1]


def material(name: str) -> str:
    """The short name of a sensor's material, such as ``Si``; empty for an unknown one."""
    return _MATERIALS.get(name.strip().lower(), "")


def serial(value: str | None) -> str | None:
    """A serial number; None where it could not be one."""
    try:
        return checked_serial(value.strip()) if value else None
    except CalibError:
        return None


def words(value: str) -> str:
    """A text on one line; empty where it has control characters."""
    try:
        return checked_words(" ".join(value.split()), "the text", _LONGEST)
    except CalibError:
        return ""


def taken(value: str) -> datetime | None:
    """A time, as a header gives it: without a zone it is local time. None for other text, and for
    a time outside of the years in which data can have been taken."""
    text = value.strip()[:_LONGEST_TIME]
    named = _MONTH.fullmatch(text)
    if named is not None and named.group(2) in _MONTHS:
        month = _MONTHS.index(named.group(2)) + 1
        text = f"{named.group(1)}-{month:02}-{named.group(3)}T{named.group(4)}"
    try:
        found = datetime.fromisoformat(text)
        utc = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if not FIRST_DATA <= utc < LAST_INSTANT:
        return None
    return found if found.tzinfo is None else utc


def is_empty(header: ImageHeader) -> bool:
    """Whether a header states nothing by which a detector or its data could be known."""
    stated = (header.serial, header.distance_mm, header.wavelength_angstrom, header.taken)
    return not header.model and header.pixel_mm is None and not any(stated)
