"""Names and reasons that people type, checked, and lists as English text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from calib.errors import InputError

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, surrogates, line and paragraph separators."""


def checked_words(text: str, called: str) -> str:
    """The text itself; raises ``InputError`` (``bad-text``) if it contains control characters,
    which would stay in the record for ever and could control a terminal."""
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
