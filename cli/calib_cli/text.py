"""Text that is safe to print on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with control characters replaced, so that it cannot control the terminal."""
    shown = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "".join(shown)
