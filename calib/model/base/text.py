"""Words: names and reasons that people give, on one line, and lists as they are read."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from calib.errors import InputError

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, lone surrogates, ends of lines and paragraphs, as Unicode calls them."""


def checked_words(text: str, called: str) -> str:
    """The text itself; raises ``InputError`` (``bad-text``) where it holds what would steer a
    terminal or break a line, and stay in the record for ever."""
    found = next((one for one in text if unicodedata.category(one) in _CONTROLS), None)
    if found is not None:
        raise InputError(
            "bad-text",
            f"{called} contains the control character {found!r}.",
            remedy="plain text on one line.",
        )
    return text


def joined(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
