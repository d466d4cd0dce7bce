"""Certifications, placements, applications and what they come to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from calib.model.store.application import AffectedFile, AppliedDetector
from calib.model.store.certification_rules import Change, Region
from calib.model.store.placement import BeamlinePlacement
from calib.model.store.record import (
    Application,
    CalibrationLine,
    Certification,
    ChangeStamp,
    State,
    StoredCalibration,
)
from calib.model.store.resolution import (
    Candidate,
    DistancePolicy,
    Query,
    Resolution,
    ResolvedCalibration,
    TimePolicy,
)
from calib.model.store.validity import DistanceRange, Validity
from support.asymmetric import calibrations
from support.asymmetric.numbers import Numbers


def instant(month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """A moment of 2026."""
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


PERIOD = Validity(instant(4, 1), instant(4, 17, 6))


def certifications() -> tuple[Certification, Certification, Certification]:
    """One without an end, one that was withdrawn, one against the verdict that is not recorded."""
    wide, narrow = calibrations.stored_wide(), calibrations.stored_narrow()
    first = Certification(
        number=7,
        calibration_id=wide.id,
        serial=wide.record.serial,
        version=wide.version,
        validity=Validity(instant(3, 2, 8, 30), None),
        distances=DistanceRange(143.5, 421.25),
        reason="after the module swap",
        override="",
        recorded=ChangeStamp(instant(3, 8, 9, 10, 11), "carol", "console-1"),
        withdrawn=None,
        withdrawn_reason="",
        gap_mm=12.5,
    )
    second = Certification(
        number=5,
        calibration_id="3c" * 32,
        serial=wide.record.serial,
        version=3,
        validity=Validity(instant(1, 4, 6, 8), instant(2, 5, 7, 9)),
        distances=DistanceRange(211.75, 333.125),
        reason="first commissioning",
        override="",
        recorded=ChangeStamp(instant(1, 6, 17, 18, 19), "dave", "console-2"),
        withdrawn=ChangeStamp(instant(2, 9, 20, 21, 22), "erin", "console-4"),
        withdrawn_reason="panel 6 had slipped",
        gap_mm=3.25,
    )
    third = Certification(
        number=0,
        calibration_id=narrow.id,
        serial=narrow.record.serial,
        version=narrow.version,
        validity=Validity(instant(4, 10), instant(5, 20, 3)),
        distances=DistanceRange(171.5, 195.0),
        reason="nothing better",
        override="urgent beam time",
        recorded=ChangeStamp(instant(4, 11, 1, 2, 3), "frank", "console-5"),
        withdrawn=None,
        withdrawn_reason="",
    )
    return first, second, third


def changes() -> tuple[Change, ...]:
    """A calibration takes over, one is lost."""
    first, second, third = certifications()
    return (
        Change(Region(PERIOD, DistanceRange(150.5, 190.75)), second, first),
        Change(Region(Validity(instant(6, 7), None), DistanceRange(31.0, 77.5)), first, None),
        Change(Region(PERIOD, DistanceRange(81.5, 97.5)), None, third),
    )


def placements() -> tuple[BeamlinePlacement, ...]:
    """At two beamlines, the second not recorded yet."""
    return (
        BeamlinePlacement(
            3, "W-14", "P11", instant(2, 1, 12), "moved for the upgrade",
            ChangeStamp(instant(2, 2, 13, 14, 15), "grace", "rack-6"),
        ),
        BeamlinePlacement(
            0, "W-14", "I04", instant(5, 3, 16), "",
            ChangeStamp(instant(5, 4, 17, 18, 19), "heidi", "rack-9"),
        ),
    )  # fmt: skip


def applications() -> tuple[Application, ...]:
    """Two files, one whose data bear no time."""
    numbers = Numbers(5000)
    wide = calibrations.stored_wide()
    return (
        Application(
            wide.record.serial, wide.id, wide.version, (numbers.name(), numbers.name()),
            (numbers.name(), numbers.name()), ("lyso.expt", "lyso.refl"),
            instant(3, 15, 16, 17, 18), 262.87, "certified for this time and distance",
            ChangeStamp(instant(3, 16, 19, 20, 21), "ivan", "node-11"),
        ),
        Application(
            wide.record.serial, wide.id, 3, (numbers.name(),), (numbers.name(),), ("insulin.expt",),
            None, 401.43, "named on the command line",
            ChangeStamp(instant(3, 19, 22, 23, 24), "judy", "node-12"),
        ),
    )  # fmt: skip


def affected() -> tuple[AffectedFile, ...]:
    """One whose answer changed, one that has none."""
    one, other = applications()
    first, second, third = certifications()
    return AffectedFile(one, third, second), AffectedFile(other, first, None)


def applied() -> tuple[AppliedDetector, ...]:
    """Two detectors."""
    return (
        AppliedDetector(
            0, "W-14", "W-14:4", "4d" * 32, 4, State.CERTIFIED, 262.87, instant(3, 15, 16, 17, 18),
            "certified for this time and distance", 0.0173, "W-14:3",
        ),
        AppliedDetector(
            1, "N-05", "N-05:2", "2e" * 32, 2, State.DRAFT, 187.36, None, "named", 1.249, "",
        ),
    )  # fmt: skip


def lines() -> tuple[CalibrationLine, ...]:
    """Calibrations as a list has them."""
    return (
        CalibrationLine(
            "W-14", 4, "4d" * 32, State.CERTIFIED, (151.87, 263.41, 402.19), "full", 312_457,
            calibrations.STORED, accepted=True,
        ),
        CalibrationLine(
            "N-05", 2, "2e" * 32, State.DRAFT, (187.36,), "in-plane", 98_761, calibrations.LATER,
            accepted=False,
        ),
    )  # fmt: skip


def resolved(stored: StoredCalibration) -> ResolvedCalibration:
    """A stored calibration as the resolver gives it."""
    record = stored.record
    return ResolvedCalibration(
        serial=record.serial,
        version=stored.version,
        id=stored.id,
        layout_id=record.layout_id,
        distances_mm=record.distances_mm,
        freedom=record.estimate.freedom,
        panel_names=record.panel_names,
        status=record.estimate.status,
        n_reflections=record.estimate.n_reflections,
        correction=record.estimate.correction,
        sigma=record.estimate.sigma,
        acceptance=record.acceptance,
        stored=stored.stored,
        last_started=stored.starts[-1],
    )


def resolution() -> Resolution:
    """An answer outside the distances, with two that lost."""
    first, second, third = certifications()
    return Resolution(
        query=Query("W-14", instant(3, 15, 16, 17, 18), 427.5, 41, DistancePolicy.NEAREST),
        position=41,
        recorded_at=instant(3, 20, 2, 3, 4),
        calibration=resolved(calibrations.stored_wide()),
        certification=first,
        age=timedelta(days=29, hours=6),
        distance_gap_mm=6.25,
        time_gap=timedelta(0),
        candidates=(Candidate(second, "withdrawn"), Candidate(third, "begins later")),
        warnings=("the distance lies 6.25 mm beyond the certified ones",),
    )


def resolution_from_the_future() -> Resolution:
    """The answer is younger than the data, and nothing lost."""
    second = certifications()[1]
    return Resolution(
        query=Query("N-05", instant(1, 2, 3), 187.5, None, time_policy=TimePolicy.CLOSEST),
        position=43,
        recorded_at=instant(3, 21, 4, 5, 6),
        calibration=resolved(calibrations.stored_narrow()),
        certification=second,
        age=timedelta(days=-43, hours=-6),
        distance_gap_mm=0.0,
        time_gap=timedelta(days=59, hours=12),
        candidates=(),
        warnings=(),
    )
