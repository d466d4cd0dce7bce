"""Bounds of the numbers and instants that enter: from files, options, settings and library calls.

They are wider than any experiment and narrow enough for arithmetic: products and squares of values
within them are finite, so that numerical libraries end, and every database and every calendar can
hold them. They are checked where a value enters and where a record is written. What a store
already holds is not checked again when it is listed: an older program may have recorded it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from calib.errors import InputError
from calib.model.base.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range of a quantity: finite numbers from a minimum to a maximum, both included."""

    quantity: str
    """With its article, such as ``a length``."""
    minimum: float
    maximum: float
    unit: str = ""
    whole: bool = False
    """Whether only integers are admitted."""

    def __contains__(self, value: object) -> bool:
        """Whether a value is a number within the bounds; booleans, NaN and infinity are not."""
        kinds = int if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        return bool(self.minimum <= value <= self.maximum)

    def all_in(self, values: Floats | Ints) -> bool:
        """Whether all values of an array are within the bounds; NaN is not."""
        if not values.size:
            return True
        return bool(values.min() >= self.minimum and values.max() <= self.maximum)

    @property
    def expected(self) -> str:
        """Description of the values within, such as ``a length from -100000 to 100000 mm``."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.quantity} from {_shown(self.minimum)} to {_shown(self.maximum)}{unit}"

    def checked(self, value: Any, called: str, code: str = "out-of-bounds") -> Any:
        """The value itself; raises ``InputError`` unless it is within the bounds.

        ``called`` names the value in the message, such as ``--gap-mm``.
        """
        if value in self:
            return value
        raise InputError(
            code, f"{called} is {brief(value)}, which is out of range.", remedy=f"{self.expected}."
        )


_LONGEST_MM = 1e5
_MOST = 2**31 - 1
"""The largest integer in the columns of databases and in the arrays of reflections."""

LENGTH_MM = Bounds("a length", -_LONGEST_MM, _LONGEST_MM, "mm")
"""A coordinate, a shift or a position; 100 m."""
EXTENT_MM = Bounds("a length", 0.0, _LONGEST_MM, "mm")
"""A length that has no sign: a thickness, or the limit of a range of distances."""
DISTANCE_MM = Bounds("a distance", 1e-3, _LONGEST_MM, "mm")
"""Of a detector from the sample."""
PIXEL_MM = Bounds("a pixel size", 1e-6, 1e3, "mm")
ABSORPTION_PER_MM = Bounds("an absorption coefficient", 1e-9, 1e9, "per mm")
AREA_MM2 = Bounds("a variance", 0.0, _LONGEST_MM**2, "mm^2")
ANGLE_DEG = Bounds("an angle", -1e5, 1e5, "degrees")
"""Of a goniometer, which may make hundreds of revolutions."""
ANGLE_RAD = Bounds("an angle", math.radians(-1e5), math.radians(1e5), "rad")
WAVELENGTH_ANGSTROM = Bounds("a wavelength", 1e-4, 100.0, "Angstrom")
CELL_ANGSTROM = Bounds("a length", -1e6, 1e6, "Angstrom")
"""A component of an axis of a unit cell."""
RECIPROCAL = Bounds("a number", -1e4, 1e4, "per Angstrom")
"""A component of a reciprocal axis."""
DIRECTION = Bounds("a component of a direction", -1e6, 1e6)
UNIT = Bounds("an element of a rotation matrix", -1.001, 1.001)
PX = Bounds("a position", -1e7, 1e7, "px")
"""On a panel, or an image number."""
IMAGE_NUMBER = Bounds("an image number", -(10**8), 10**8, whole=True)
INDEX = Bounds("a Miller index", -(10**6), 10**6, whole=True)
PANEL_SIZE_PX = Bounds("a size", 1, 10**6, "px", whole=True)
N_PANELS = Bounds("a number of panels", 1, 4096, whole=True)
COUNT = Bounds("a number", 0, _MOST, whole=True)
VERSION = Bounds("a version", 1, _MOST, whole=True)
POSITION = Bounds("a position of the log", 0, 2**53, whole=True)
"""Exact in every JSON reader."""
ORDINAL = Bounds("an ordinal", 0, 2**53, whole=True)
"""Of an entry in its chain."""
WHOLE = Bounds("a whole number", -(2**53), 2**53, whole=True)
"""Any other integer."""
NUMBER = Bounds("a number", -1e30, 1e30)
"""Any other number: its square and sums of squares are finite."""

FIRST_INSTANT = datetime(1900, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(2200, 1, 1, tzinfo=UTC)
EXPECTED_INSTANT = "a time from 1900-01-01 to 2200-01-01"


def is_instant(value: object) -> bool:
    """Whether a value is an instant (with a time zone) of the years 1900 to 2199."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        return False
    return FIRST_INSTANT <= value <= LAST_INSTANT


def checked_instant(value: datetime, called: str) -> datetime:
    """The instant itself; raises ``InputError`` (``bad-time``) unless ``is_instant``."""
    if is_instant(value):
        return value
    raise InputError(
        "bad-time", f"{called} is {value.isoformat()}, which is out of range.",
        remedy=f"give {EXPECTED_INSTANT}, with a time zone.",
    )  # fmt: skip


def brief(value: object, most: int = 40) -> str:
    """A value for an error message, cut to a readable length."""
    try:
        text = f"{value:g}" if isinstance(value, float) else str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists in lists
        return f"{type(value).__name__} too large to show"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _shown(limit: float) -> str:
    number = int(limit) if float(limit).is_integer() and abs(limit) < 1e16 else limit
    return f"{number:g}" if isinstance(number, float) else str(number)
