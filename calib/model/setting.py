"""Settings: what was set, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, and where it comes from."""

    name: str
    value: Any
    origin: str
    """A file, an environment variable, or ``default``."""
    shown: str
    """The value as people may see it, passwords hidden; empty where there is none."""
