"""JSON text with the offsets of its values, so that single numbers can be replaced.

Values are scanned by Python's own C scanner; only the objects and lists on the way to a wanted
number are walked by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from calib.errors import FileFormatError

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_BEGUN = ("null", "true", "false", "NaN", "Infinity", "-Infinity", '"', ".", "e+", "e-", "E+", "E-")
_AGAIN = "copy or write it again with DIALS."


class Member(NamedTuple):
    """One value of an object or a list."""

    key: str | int
    value: Any
    start: int
    """The offset of the value's text."""
    end: int
    """The offset of its end."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """The text of a JSON file; errors name the file and the place in it."""

    text: str
    file: str

    @staticmethod
    def decode(data: bytes, file: str) -> JsonText:
        """From the bytes of a file, which must be UTF-8."""
        try:
            return JsonText(data.decode("utf-8"), file)
        except UnicodeDecodeError as error:
            raise FileFormatError(
                "not-json",
                f"byte {error.start} is not UTF-8 text, expected JSON.",
                place=file,
                remedy="give a .expt file written by DIALS.",
            ) from error

    def value(self, start: int) -> tuple[Any, int]:
        """The value whose text begins at ``start``, and the offset of its end."""
        try:
            return _DECODER.raw_decode(self.text, start)
        except json.JSONDecodeError as error:
            raise self.bad(error.pos, error.msg.removeprefix("Expecting ")) from None
        except (RecursionError, ValueError) as error:
            raise FileFormatError(
                "not-json", f"this JSON cannot be read ({error}).", place=self.file, remedy=_AGAIN
            ) from error

    def skip_space(self, start: int) -> int:
        """The first position at or after ``start`` that is not white space."""
        found = _SPACE.match(self.text, start)
        return found.end() if found else start

    def members(self, start: int) -> Iterator[Member]:
        """The values of the object or list whose text begins at ``start``, in order.

        Raises ``FileFormatError`` where the text is no object and no list, or ends too soon.
        """
        opening = self.text[start : start + 1]
        if opening not in ("{", "[") or not opening:
            raise self.bad(start, "an object or a list")
        closing = "}" if opening == "{" else "]"
        at = self.skip_space(start + 1)
        if self.text[at : at + 1] == closing:
            return
        index = 0
        while True:
            key: str | int = index
            if opening == "{":
                name, at = self.value(at)
                if not isinstance(name, str):
                    raise self.bad(at, "a key in quotes")
                key, at = name, self._past(":", at)
            value, end = self.value(at)
            yield Member(key, value, at, end)
            at = self.skip_space(end)
            if self.text[at : at + 1] == closing:
                return
            at = self._past(",", at)
            index += 1

    def end_of(self, start: int, last_end: int) -> int:
        """Where the object or list beginning at ``start`` ends, its last value at ``last_end``."""
        at = self.skip_space(last_end if last_end > start else start + 1)
        return at + 1

    def bad(self, position: int, expected: str) -> FileFormatError:
        """The error for text that is not JSON; ``truncated`` where the text ends."""
        if self._ends_within(position, expected):
            return FileFormatError(
                "truncated",
                f"the JSON is cut off after {len(self.text)} characters.",
                place=self.file,
                remedy=_AGAIN,
            )
        line = self.text.count("\n", 0, position) + 1
        column = position - self.text.rfind("\n", 0, position)
        found = self.text[position : position + 20]
        return FileFormatError(
            "not-json",
            f"found {found!r}, expected {expected}.",
            place=f"{self.file}, line {line} column {column}",
            remedy=_AGAIN,
        )

    def _ends_within(self, position: int, expected: str) -> bool:
        """Whether the text ends before the value expected at a position does."""
        rest = self.text[position : position + 10].rstrip()
        at_end = position + 10 >= len(self.text)
        within_word = any(word.startswith(rest) for word in _BEGUN)
        within_escape = "escape" in expected
        return expected.startswith("Unterminated") or (at_end and (within_word or within_escape))

    def _past(self, mark: str, start: int) -> int:
        at = self.skip_space(start)
        if self.text[at : at + 1] != mark:
            raise self.bad(at, f"{mark!r}")
        return self.skip_space(at + 1)


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text with pieces (start, end, new text) replaced."""
    parts: list[str] = []
    done = 0
    for start, end, new in sorted(edits):
        parts += (text[done:start], new)
        done = end
    parts.append(text[done:])
    return "".join(parts)
