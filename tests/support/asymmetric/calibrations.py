"""Calibrations of the two detectors, with every part that a report can have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom, PanelStatus
from calib.model.result.comparison import Agreement, Compared, Comparison, Repeatability
from calib.model.result.drift import UncertaintyParts
from calib.model.result.report import (
    Acceptance,
    BeforeAfter,
    Convergence,
    DatasetUse,
    DataShare,
    Determined,
    Deviating,
    Disagreement,
    Fit,
    GroupMotion,
    Halves,
    Influence,
    LearnedPrior,
    Misfit,
    PriorWidths,
    Reason,
    Report,
    Shell,
    Spread,
    Structure,
    WeakMode,
)
from calib.model.result.what_if import Choice, WhatIf, WhatIfRow
from calib.model.store.record import CalibrationRecord, ChangeStamp, State, StoredCalibration
from support.asymmetric import detector
from support.asymmetric.numbers import Numbers

MEASURED, SPARSE, BLIND = PanelStatus.MEASURED, PanelStatus.SPARSE, PanelStatus.UNMEASURED
WIDE_STATUS = (
    MEASURED, SPARSE, BLIND, BLIND, BLIND, MEASURED, MEASURED, SPARSE, MEASURED, BLIND, MEASURED,
    MEASURED, BLIND, BLIND,
)  # fmt: skip
WIDE_BLIND_RANGES = ("2-4", "9", "12-13")
"""The unmeasured panels as runs of neighbouring numbers."""
DATA_TAKEN = (
    datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    datetime(2026, 2, 14, 15, 16, 17, 180_000, tzinfo=UTC),
)
STORED = ChangeStamp(datetime(2026, 3, 7, 11, 13, 19, tzinfo=UTC), "ada", "beamline-3")
LATER = ChangeStamp(STORED.at + timedelta(days=23, hours=5), "bob", "cluster-8")


def spread(numbers: Numbers, pixels: float) -> Spread:
    """Residuals of about this many px."""
    return Spread(
        numbers.count(9000),
        *(numbers.positive(pixels) for _ in range(4)),
        *(numbers.positive(3.0) for _ in range(2)),
    )


def before_after(numbers: Numbers) -> BeforeAfter:
    """Residuals that fall."""
    return BeforeAfter(spread(numbers, 2.0), spread(numbers, 0.4))


def fit(numbers: Numbers) -> Fit:
    """Residuals on used and on held-out reflections."""
    return Fit(before_after(numbers), before_after(numbers))


def estimate(
    numbers: Numbers, freedom: Freedom, status: tuple[PanelStatus, ...]
) -> CorrectionEstimate:
    """Values of some hundred um and mrad with uncertainties about thirty times smaller."""
    n, free = len(status), list(freedom.free)
    values = np.zeros((n, 6))
    values[:, free] = [[numbers.signed(0.3 if k < 3 else 4e-3) for k in free] for _ in range(n)]
    sigma = [[numbers.positive(0.02 if k < 3 else 1e-4) for k in free] for _ in range(n)]
    counts = [0 if one is BLIND else numbers.count(40_000) for one in status]
    covariance = np.diag(np.square(sigma).ravel())
    return CorrectionEstimate(Correction(values), freedom, covariance, status, np.array(counts))


def dataset(numbers: Numbers, name: str, distance_mm: float, *, alone: bool = False) -> DatasetUse:
    """What a dataset gave; every optional field is given unless it is the only one."""
    return DatasetUse(
        name=name,
        sha256=(numbers.name(), numbers.name()),
        n_reflections=numbers.count(200_000),
        n_rejected=numbers.count(900),
        n_flagged=numbers.count(500),
        n_crystals=numbers.count(40),
        distance_mm=distance_mm,
        wavelength_angstrom=numbers.positive(1.5),
        rmsd=before_after(numbers),
        left_out=None if alone else before_after(numbers),
        weight_scale=(numbers.positive(2.0), numbers.positive(2.0), numbers.positive(2.0)),
        crystal_interval_deg=None if alone else numbers.positive(20.0),
        slips_deg=() if alone else (numbers.signed(90.0), numbers.positive(90.0)),
        sample_root_mm=None
        if alone
        else (numbers.signed(99.0), numbers.signed(99.0), numbers.signed(300.0)),
        influence=None
        if alone
        else Influence(numbers.positive(2.0), numbers.positive(9.0), numbers.count(13)),
        linearisation_error_sigma=None if alone else numbers.positive(0.1),
        summary="" if alone else numbers.name(),
        still=not alone,
        n_readmitted=0 if alone else 37,
        n_outliers_kept=0 if alone else 211,
        limited_panels=() if alone else (3, 11),
        disputed_panels=() if alone else (2,),
        halves=None
        if alone
        else Comparison(
            Compared.HALVES,
            (),
            Agreement.AGREES,
            31.7 + distance_mm / 100.0,
            35,
            0.61,
            distance_mm / 300.0,
            distance_mm / 50.0,
            (),
            6,
            3.7,
        ),
    )


def misfits(numbers: Numbers) -> tuple[Misfit, ...]:
    """One that was left out for each of the reasons."""
    one = Misfit("night6", (numbers.name(),), 7.31, 0.42, 17, 2903, None, "", Reason.SCATTER)
    two = Misfit(
        "night8",
        (numbers.name(),),
        None,
        None,
        23,
        1871,
        5,
        "5eed1e55-77",
        Reason.ANGLE,
        9.17,
        1.38,
    )
    three = Misfit("night7", (numbers.name(),), None, None, 611, 733, 2, "", Reason.LOST)
    four = Misfit(
        "night9", (numbers.name(),), None, None, 31, 977, None, "", Reason.FAR, off_share=0.271
    )
    return one, two, three, four


def wide_report() -> Report:
    """Three datasets at three distances, with everything that a report can hold."""
    numbers = Numbers()
    groups = tuple(
        GroupMotion(
            group.name,
            group.level,
            group.panels,
            numbers.count(90_000),
            tuple(numbers.signed(0.5 if k < 3 else 2e-3) for k in range(6)),
            tuple(numbers.positive(0.03 if k < 3 else 2e-4) for k in range(6)),
        )
        for group in detector.wide().layout.groups
    )
    p_values = tuple(numbers.positive(0.9) for _ in range(28))
    first, second = list(p_values[:14]), list(p_values[14:])
    first[11], second[4] = 0.0017, 0.00023
    return Report(
        overall=fit(numbers),
        panels=tuple(Fit(None, None) if one is BLIND else fit(numbers) for one in WIDE_STATUS),
        shells=(
            Shell(41.7, 3.21, before_after(numbers)),
            Shell(3.21, 1.94, before_after(numbers)),
        ),
        halves=Halves(8, 1.73, 4.29, 1.137),
        convergence=Convergence(True, 6, 0.0041, 70_213.5, 65_432),
        datasets=(
            dataset(numbers, "night4", 263.41),
            dataset(numbers, "night2", 151.87),
            dataset(numbers, "night3", 402.19),
        ),
        held_out_dropped=0.0057,
        gauge=6,
        rejected_on_panel=tuple(numbers.count(300) for _ in range(14)),
        flagged_on_panel=tuple(numbers.count(200) for _ in range(13)),
        null_directions=("beam tilt about y", "scale of dataset night3"),
        weak_modes=(WeakMode("bow about fast", 8.43), WeakMode("twist of the right half", 5.16)),
        disagreements=(
            Disagreement((151.87, 263.41), 97.3, 84, 0.153, tuple(first)),
            Disagreement((263.41, 402.19), 141.8, 83, 0.00072, tuple(second)),
        ),
        misfits=misfits(numbers),
        groups=groups,
        comparisons=(
            Comparison(
                Compared.DATASET,
                (1,),
                Agreement.DISAGREES,
                371.9,
                37,
                3.1e-11,
                17.3,
                6.7,
                (5, 11),
                11,
                43.1,
            ),
            Comparison(
                Compared.OCCASION, (0, 1), Agreement.NOT_TESTED, 2.9, 3, 0.87, 0.0, None, (), 8, 1.3
            ),
        ),
        repeatability=Repeatability(4.39, 4.13, 3.71, 4.97, 7),
        determined=Determined(
            78,
            71,
            (0.9996, 0.9873, 0.8642, 0.7531, 0.6429, 0.9218),
            (DataShare("overall scale", 0.4387), DataShare("bow about slow", 0.0769)),
        ),
        structure=Structure(
            tuple(0.011 + 0.003 * k for k in range(14)), 0.0413, (11, 13, 12), (1.07, 3.61, 1.0)
        ),
        what_if=WhatIf(
            (
                WhatIfRow(
                    Choice.CRYSTALS_STATIC,
                    12.3,
                    20.7,
                    4,
                    33.1,
                    5.9,
                    871.3,
                    40,
                    2.3e-17,
                    prediction=0.0117,
                    prediction_sigma=0.0019,
                    weight=0.0003,
                ),
                WhatIfRow(
                    Choice.IN_PLANE,
                    7.7,
                    None,
                    9,
                    19.3,
                    2.1,
                    52.4,
                    31,
                    0.0094,
                    prediction=-0.0007,
                    prediction_sigma=0.0011,
                    weight=0.7377,
                ),
                WhatIfRow(
                    Choice.WITHOUT_DISTANCE, 3.3, 8.9, 2, 6.1, 1.3, 29.8, 35, 0.71, datasets=(0, 1)
                ),
            ),
            UncertaintyParts(2.97, 4.21, 1.13),
            ((0.0011,) * 84, (-0.0007,) * 84),
        ),
        prior=LearnedPrior(
            (
                PriorWidths(1, True, 18, 0.3127, 0.1564, 0.003127, (0.21, 0.22, 0.23)),
                PriorWidths(2, False, 60, 0.0173, 0.0092, 0.000416, (0.07, 0.31, 0.12)),
            ),
            (Deviating(True, 1, 2.19), Deviating(False, 5, 1.43), Deviating(False, 3, 11.7)),
        ),
    )


def wide(start: int = 1000) -> CalibrationRecord:
    """All six parameters of fourteen panels; accepted. Another start gives other values."""
    drawn = detector.wide()
    return CalibrationRecord(
        serial=drawn.serial,
        layout_id=drawn.layout_id,
        distances_mm=(151.87, 263.41, 402.19),
        panel_names=tuple(panel.name for panel in drawn.layout.panels),
        estimate=estimate(Numbers(start), Freedom.FULL, WIDE_STATUS),
        parameters={"loss": "huber", "prior_mm": 0.15, "free_beam": False, "space_group": None},
        code_version="0.9.1",
        report=wide_report(),
        acceptance=Acceptance(True, ("held-out RMSD falls from 0.63 to 0.21 px", "gate 2 passed")),
    )


def narrow() -> CalibrationRecord:
    """In the plane alone, from one dataset; not accepted."""
    numbers = Numbers(2000)
    drawn = detector.narrow()
    status = (SPARSE, MEASURED, MEASURED, BLIND, MEASURED)
    report = Report(
        overall=Fit(before_after(numbers), None),
        panels=tuple(Fit(None, None) if one is BLIND else fit(numbers) for one in status),
        shells=(),
        halves=None,
        convergence=Convergence(False, 40, 2.61, 1234.5, 1000),
        datasets=(dataset(numbers, "night5", 187.36, alone=True),),
        held_out_dropped=0.0,
        gauge=3,
        rejected_on_panel=(3, 1, 4, 0, 9),
        flagged_on_panel=(2, 7, 0, 1, 8),
        null_directions=(),
        determined=Determined(12, 11, (0.9984, 0.9752, None, None, None, 0.3219), ()),
    )
    return CalibrationRecord(
        serial=drawn.serial,
        layout_id=drawn.layout_id,
        distances_mm=(187.36,),
        panel_names=tuple(panel.name for panel in drawn.layout.panels),
        estimate=estimate(numbers, Freedom.IN_PLANE, status),
        parameters={"loss": "none", "free_beam": True},
        code_version="0.9.2",
        report=report,
        acceptance=Acceptance(False, ("panel 0 moved by 0.9 mm, more than 0.5 mm",)),
    )


def stored(record: CalibrationRecord, version: int, name: str, *, later: bool = False) -> (
    StoredCalibration
):  # fmt: skip
    """The record as a store would give it back."""
    by = LATER if later else STORED
    return StoredCalibration(record, name * 32, version, by, State.CERTIFIED, DATA_TAKEN)


def stored_wide() -> StoredCalibration:
    """W-14:4."""
    return stored(wide(), 4, "4d")


def stored_narrow() -> StoredCalibration:
    """N-05:2."""
    return stored(narrow(), 2, "2e", later=True)
