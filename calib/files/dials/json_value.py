"""Values of a JSON file with their JSON paths, read by type."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from calib.errors import FileFormatError, InputError
from calib.model.base.bounds import Bounds
from calib.model.base.text import LONGEST_NAME, checked_words

_BEYOND = 2**63
"""Integers in these files have at most 64 bits, as arrays do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value, its file and its JSON path (such as ``detector[0].panels[3].origin``)."""

    value: Any
    file: str
    path: str

    def bad(self, *, expected: str) -> FileFormatError:
        """The error for a value of another type."""
        shown = _shown(self.value)
        return FileFormatError(
            "bad-value",
            f"found {shown}, expected {expected}.",
            place=f"{self.file}, {self.path}",
            remedy="write the file again with DIALS.",
        )

    def find(self, key: str) -> Node | None:
        """The member ``key`` of this object, or None where it is absent or null."""
        if not isinstance(self.value, dict):
            raise self.bad(expected="an object")
        value = self.value.get(key)
        return None if value is None else Node(value, self.file, self._to(key))

    def at(self, key: str) -> Node:
        """The member ``key`` of this object, which is required."""
        found = self.find(key)
        if found is None:
            raise FileFormatError(
                "missing-key",
                f"there is no {key!r}, expected one.",
                place=f"{self.file}, {self.path or 'top level'}",
                remedy="write the file again with DIALS.",
            )
        return found

    def elements(self) -> list[Node]:
        """The elements of this list."""
        if not isinstance(self.value, list):
            raise self.bad(expected="a list")
        return [
            Node(value, self.file, f"{self.path}[{index}]")
            for index, value in enumerate(self.value)
        ]

    def number(self) -> float:
        """This finite number."""
        if not _is_number(self.value):
            raise self.bad(expected="a finite number")
        return float(self.value)

    def number_within(self, bounds: Bounds) -> float:
        """This number, which must be within its physical bounds."""
        value = self.number()
        if value not in bounds:
            raise self.bad(expected=bounds.expected)
        return value

    def is_finite(self) -> bool:
        """Whether this is a finite number, or anything that is no number."""
        is_number = isinstance(self.value, float | int) and not isinstance(self.value, bool)
        return not is_number or _is_finite(self.value)

    def integer(self) -> int:
        """This whole number."""
        if not _is_whole(self.value):
            raise self.bad(expected="a whole number of at most 64 bits")
        return int(self.value)

    def text(self) -> str:
        """This text."""
        if not isinstance(self.value, str):
            raise self.bad(expected="text")
        return self.value

    def name(self, most: int = LONGEST_NAME) -> str:
        """This text of one line, with at most this many characters."""
        text = self.text()
        try:
            return checked_words(text, "this text", most)
        except InputError:
            raise self.bad(
                expected=f"text of at most {most} characters without control characters"
            ) from None

    def numbers_within(self, count: int, bounds: Bounds) -> list[float]:
        """This list of a given number of numbers, each within its physical bounds."""
        values = self.numbers(count)
        if not all(bounds.minimum <= value <= bounds.maximum for value in values):
            raise self.bad(expected=f"{count} numbers, each {bounds.expected}")
        return values

    def integers_within(self, count: int, bounds: Bounds) -> list[int]:
        """This list of a given number of whole numbers, each within its bounds."""
        values = self.integers(count)
        if not all(value in bounds for value in values):
            raise self.bad(expected=f"{count} whole numbers, each {bounds.expected}")
        return values

    def numbers(self, count: int) -> list[float]:
        """This list of a given number of finite numbers."""
        value = self.value
        if not isinstance(value, list) or len(value) != count:
            raise self.bad(expected=f"a list of {count} numbers")
        if all(type(item) is float for item in value) and all(map(math.isfinite, value)):
            return list(value)  # the common case, for up to a million lists
        if not all(_is_number(item) for item in value):
            raise self.bad(expected=f"a list of {count} finite numbers")
        return [float(item) for item in value]

    def integers(self, count: int) -> list[int]:
        """This list of a given number of whole numbers."""
        value = self.value
        if not isinstance(value, list) or len(value) != count or not all(map(_is_whole, value)):
            raise self.bad(expected=f"a list of {count} whole numbers")
        return list(value)

    def _to(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:
        return "something nested too deeply"
    return text if len(text) <= 60 else text[:57] + "..."


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_BEYOND <= value < _BEYOND


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and _is_finite(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False
