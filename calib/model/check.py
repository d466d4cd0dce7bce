"""Checks of a store and of what it stands on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what was found."""

    name: str
    """What, in a word or two."""
    fine: bool
    """Whether it is as it should be."""
    said: str
    """What was found, in a sentence."""
    remedy: str = ""
    """What to do about it; empty where it is fine."""
