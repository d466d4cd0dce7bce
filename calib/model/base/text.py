"""Names and reasons that people type or files contain, checked, and lists as English text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from calib.errors import InputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

LONGEST_NAME = 200
"""Characters of a name: of a person, a host, a beamline, a panel or a file."""
LONGEST_TEXT = 2000
"""Characters of a reason or a description."""
_MOST_NAMED = 10
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, surrogates, line and paragraph separators."""
_NUMBER = re.compile(r"(?<![\w:.-])\d+(\.\d+)?(?![\w:-])")
"""A number that stands alone, and not in a date or a name."""
_SERIAL = re.compile(r"(?!-)[^\s:]{1,80}")


def checked_words(text: object, called: str, most: int = LONGEST_TEXT) -> str:
    """The text itself; raises ``InputError`` (``bad-text``) if it is none, if it contains control
    characters, which would stay in the record for ever and could control a terminal, or is longer
    than ``most`` characters."""
    if not isinstance(text, str):
        raise InputError(
            "bad-text",
            f"{called} is {str(text)[:40]!r}, which is not text.",
            remedy="plain text on one line.",
        )
    if len(text) > most:
        raise InputError(
            "bad-text",
            f"{called} has {len(text)} characters, more than {most}.",
            remedy=f"at most {most} characters.",
        )
    if text.isascii() and text.isprintable():
        return text
    found = next((one for one in text if unicodedata.category(one) in _CONTROLS), None)
    if found is not None:
        raise InputError(
            "bad-text",
            f"{called} contains the control character {found!r}.",
            remedy="plain text on one line.",
        )
    return text


def checked_name(text: str, called: str) -> str:
    """The name itself; raises ``InputError`` (``bad-text``) for an empty one, one that begins with
    a dash, which a command would take for an option, and what ``checked_words`` refuses."""
    if not text.strip() or text.startswith("-"):
        found = "begins with a dash" if text.strip() else "is empty"
        raise InputError(
            "bad-text", f"{called} {found}: {text[:40]!r}.", remedy="a name without a leading dash."
        )
    return checked_words(text, called, LONGEST_NAME)


def checked_serial(serial: str) -> str:
    """The serial itself; raises ``InputError`` where it could not stand in ``SERIAL:VERSION``."""
    if not _SERIAL.fullmatch(serial) or not serial.isprintable():
        raise InputError(
            "bad-serial",
            f"{serial[:100]!r} cannot be a serial number: it begins with a dash, or has white "
            "space, a colon, a control character, or more than 80 characters.",
            remedy="give the number on the detector, such as 24-0107.",
        )
    return serial


def zone_named(name: str) -> ZoneInfo:
    """The time zone of an IANA name, such as ``Europe/London``."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            "bad-time-zone",
            f"{name[:100]!r} is not a time zone.",
            remedy="give an IANA name such as Europe/London, or UTC.",
        ) from error


def joined(words: Sequence[str], most: int | None = None) -> str:
    """``a``, ``a and b``, ``a, b and c``; of more than ``most`` words ``a, b and 3 more``."""
    if most is not None and len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def counted(sentences: Iterable[str]) -> tuple[str, ...]:
    """Each sentence once, in the order of the first of them, with how often it occurs; those that
    differ in numbers only count as one."""
    found: dict[str, list[str]] = {}
    for sentence in sentences:
        found.setdefault(_NUMBER.sub("#", sentence), []).append(sentence)
    return tuple(_with_count(same) for same in found.values())


def _with_count(same: Sequence[str]) -> str:
    if len(same) == 1:
        return same[0]
    count = f"{len(same)} times"
    if len(set(same)) > 1:
        count = f"and {len(same) - 1} more that differ in numbers only"
    return f"{same[0].removesuffix('.')} ({count})."


def panel_numbers(panels: Sequence[int]) -> str:
    """Panels by number, at most ten of them: ``panel 3``, ``panels 3, 7``."""
    named = ", ".join(str(panel) for panel in panels[:_MOST_NAMED])
    if len(panels) > _MOST_NAMED:
        named += f" and {len(panels) - _MOST_NAMED} others"
    return f"panel {named}" if len(panels) == 1 else f"panels {named}"
