"""Changes and retirements of the wide detector, and a calibration under another serial."""

from __future__ import annotations

from calib.model.store.amendment import DetectorEdit, Relabelling, Retirement, edited
from calib.model.store.history import Event, ExplainedEvent
from calib.model.store.record import ChangeStamp
from calib.report.detector.amendments import (
    edit_view,
    relabelled_blocks,
    relabelled_table,
    relabelling_view,
    retirement_view,
)
from calib.report.detector.detectors import detector_blocks, detector_table, detector_view
from calib.report.history import history_blocks, history_view
from calib.report.scalar import moment_view
from support.asymmetric import detector, recorded
from support.asymmetric.case import Case
from support.asymmetric.certified import instant


def edits() -> tuple[DetectorEdit, ...]:
    """Newest first: one from a date on, and one that replaced what was registered."""
    return (
        DetectorEdit(
            9, "W-14", instant(4, 5, 6), "Asia/Seoul", None, "prototype 2", "lent",
            ChangeStamp(instant(4, 7, 8, 9, 10), "olga", "rack-2"),
        ),
        DetectorEdit(
            6, "W-14", None, "Europe/Rome", "wide, rebuilt", None, "was mistyped",
            ChangeStamp(instant(3, 11, 12, 13, 14), "pia", "rack-5"),
        ),
    )  # fmt: skip


def retirements() -> tuple[Retirement, ...]:
    """Newest first: retired, in use again, retired."""
    return (
        Retirement(
            17, "W-14", instant(6, 7, 8), "worn out",
            ChangeStamp(instant(6, 9, 10, 11, 12), "rosa", "rack-7"),
        ),
        Retirement(
            15, "W-14", None, "a spare",
            ChangeStamp(instant(6, 3, 4, 5, 6), "siri", "rack-8"),
        ),
        Retirement(
            12, "W-14", instant(5, 13, 14), "replaced",
            ChangeStamp(instant(5, 15, 16, 17, 18), "tess", "rack-1"),
        ),
    )  # fmt: skip


def relabelling() -> Relabelling:
    """A calibration that got its right serial."""
    return Relabelling(
        19, "8f" * 32, "3d" * 32, "W-41", "digits exchanged",
        ChangeStamp(instant(6, 19, 20, 21, 22), "uta", "rack-3"),
    )  # fmt: skip


def amended() -> Case:
    """calib detector show and list, calib history, calib detector relabel, calib show."""
    known, record = retirements(), edited(detector.wide(), edits())
    shown = {
        "as_known_at": moment_view(recorded.KNOWN_THEN),
        **detector_view(record, known),
        "panels": [],
        "calibrations": [],
        "certifications": [],
        "placements": [],
        "edits": [edit_view(one) for one in edits()],
        "retirements": [retirement_view(one) for one in known],
    }
    listed = [shown, detector_view(detector.narrow())]
    one = relabelling()
    events = [
        Event(one.recorded, relabelled=one),
        *(Event(each.recorded, retired=each) for each in known),
        *(Event(each.recorded, edited=each) for each in edits()),
    ]
    explained = [ExplainedEvent(event, None, "", None) for event in events]
    history = history_view("W-14", recorded.KNOWN_THEN, None, (), None, 31, explained, ())
    relabelled = {
        "wrong": "W-14:8",
        "calibration": "W-41:5",
        "relabelling": relabelling_view(one),
    }
    sentences = relabelled_blocks({"relabelled": relabelled["relabelling"], "replaces": "W-15:2"})
    blocks = [
        *detector_blocks(shown, all_panels=False),
        detector_table(listed),
        *history_blocks(history),
        relabelled_table(relabelled),
        *sentences,
    ]
    return Case({"detector": shown, "history": history, "relabelled": relabelled}, blocks)
