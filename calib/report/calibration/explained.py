"""Which calibration a file carries, and whether it still holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from calib.model.store.record import State
from calib.model.store.validity import shown_instant
from calib.report.scalar import instant


class Line(Protocol):
    """A line in the history of a file."""

    @property
    def at(self) -> datetime:
        """When a calibration was applied."""

    @property
    def program(self) -> str:
        """The command that applied it."""

    @property
    def version(self) -> str:
        """Of calib."""

    @property
    def calibration(self) -> str:
        """The first digits of its id."""


class Found(Protocol):
    """A calibration that a file carries."""

    @property
    def line(self) -> Line:
        """Where the file states it."""

    @property
    def name(self) -> str:
        """``SERIAL:VERSION``, or empty."""

    @property
    def then(self) -> State | None:
        """Its state when it was applied."""

    @property
    def now(self) -> State | None:
        """Its state now."""

    @property
    def reprocess(self) -> bool:
        """Whether the data should be processed again."""

    @property
    def advice(self) -> str:
        """What to do."""


def explained_view(found: Found) -> dict[str, Any]:
    """A calibration in the history of a file, for JSON."""
    return {
        "applied_at": instant(found.line.at),
        "program": found.line.program,
        "code_version": found.line.version,
        "calibration_id": found.line.calibration,
        "calibration": found.name or None,
        "state_then": None if found.then is None else found.then.value,
        "state_now": None if found.now is None else found.now.value,
        "reprocess": found.reprocess,
        "advice": found.advice,
    }


def explained_text(found: Found) -> str:
    """The same as a sentence."""
    named = found.name or f"calibration {found.line.calibration}"
    states = ""
    if found.now is not None:
        then = "unknown" if found.then is None else found.then.value
        states = f", {then} then and {found.now.value} now"
    return f"{shown_instant(found.line.at)} {found.line.program}: {named}{states}; {found.advice}"
