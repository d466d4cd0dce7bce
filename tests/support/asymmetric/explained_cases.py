"""Answers about the calibrations that files carry, with values that all differ."""

from __future__ import annotations

from datetime import UTC, datetime

from calib.files.exchange.history import HistoryLine
from calib.flows.exchange.explain import Explained
from calib.model.store.record import State
from calib.report.blocks import Sentences
from calib.report.calibration.explained import explained_text, explained_view
from support.asymmetric.case import Case


def _line(day: int, digits: str) -> HistoryLine:
    return HistoryLine(datetime(2026, 3, day, 14, 5, 9, tzinfo=UTC), "calib.apply", "0.3.0", digits)


def explained() -> Case:
    """One calibration that still holds, one that was withdrawn and one that is not known."""
    found = (
        Explained(_line(1, "4d" * 8), "24-0107:3", State.CERTIFIED, State.CERTIFIED, False),
        Explained(_line(2, "5e" * 8), "24-0107:2", None, State.WITHDRAWN, True),
        Explained(_line(3, "6f" * 8), "", None, None, False),
    )
    texts = tuple(explained_text(one) for one in found)
    return Case([explained_view(one) for one in found], [Sentences("", texts)])
