"""What a certification or a withdrawal changes: where another calibration answers, and who is
concerned."""

from __future__ import annotations

from dataclasses import dataclass

from calib.model.assertion import Change


@dataclass(frozen=True, slots=True)
class Consequences:
    """What held before, what holds afterwards, and for how many files it matters."""

    changes: tuple[Change, ...]
    """Where the answer changes, in order of time and distance."""
    affected: int
    """Recorded applications of what held before, at points whose answer changes."""
