"""diff: compare two calibrations of a detector, and test whether it changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.detector.layout import Layout
from calib.model.experiment.occasions import independent_occasions
from calib.model.result.drift import Drift, Verdict
from calib.model.store.protocol import StoreLike
from calib.model.store.record import CalibrationRecord, StoredCalibration
from calib.solve.dataset.outliers import covariance_inflation
from calib.solve.drift.difference import ComparedCalibration
from calib.solve.drift.significance import drift
from calib.solve.panels.repeatability import DEFAULT_REPEAT_MM
from calib.solve.prior import PanelPrior

_LARGEST_REPEAT_UM = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Two calibrations of one detector, and how they differ."""

    first: StoredCalibration
    second: StoredCalibration
    layout: Layout
    drift: Drift


def diff(
    store: StoreLike, first: str, second: str, *, serial: str | None, repeat_um: float | None
) -> Difference:
    """Compare the second calibration with the first one.

    ``repeat_um`` is the repeatability of the detector from one occasion to another; None: the
    default. Raises ``InputError`` where they are of different detectors.
    """
    repeat_mm = checked_repeat_mm(repeat_um)
    one, other = store.calibrations.get(first, serial), store.calibrations.get(second, serial)
    if one.record.serial != other.record.serial:
        raise InputError(
            "several-detectors",
            f"{one.name} and {other.name} are of different detectors.",
            remedy="compare calibrations of one detector.",
        )
    layout = store.detectors.get(one.record.serial).layout
    return Difference(one, other, layout, between(layout, one, other, repeat_mm))


def between(
    layout: Layout, one: StoredCalibration, other: StoredCalibration, repeat_mm: float
) -> Drift:
    """The drift from one calibration to the other; without a verdict on the detector where they
    were derived with different versions of the method."""
    shared = shared_data(one.record, other.record)
    found = drift(layout, _compared(one), _compared(other), shared, repeat_mm)
    methods = one.record.method, other.record.method
    if methods[0] == methods[1]:
        return found
    note = (
        f"The first calibration was derived with version {methods[0]} of the method, the second "
        f"with version {methods[1]}: a difference may come from the method, and says nothing of "
        "the detector. Derive the older one again from its files to compare them."
    )
    return replace(found, verdict=Verdict.METHOD, moved=(), notes=(note, *found.notes))


def shared_data(one: CalibrationRecord, other: CalibrationRecord) -> tuple[float, float]:
    """The fraction of each calibration's reflections in datasets common to both.

    Datasets are the same if their files are.
    """
    counts = [
        {use.sha256: use.n_reflections for use in record.report.datasets} for record in (one, other)
    ]
    common = counts[0].keys() & counts[1].keys()
    first, second = (
        1.0
        if common == mine.keys()
        else sum(mine[name] for name in common) / max(sum(mine.values()), 1)
        for mine in counts
    )
    return first, second


def checked_repeat_mm(repeat_um: float | None) -> float:
    """The repeatability in mm, or the default; raises ``InputError`` outside the allowed range."""
    if repeat_um is None:
        return DEFAULT_REPEAT_MM
    if not 0.0 <= repeat_um <= _LARGEST_REPEAT_UM:
        raise InputError(
            "bad-repeatability",
            f"the repeatability is {repeat_um:g} um, outside the allowed range.",
            remedy=f"use --repeat-um 0 to {_LARGEST_REPEAT_UM:g}.",
        )
    return repeat_um / 1e3


def _compared(stored: StoredCalibration) -> ComparedCalibration:
    record = stored.record
    achieved = record.report.convergence.chi_square_per_degree
    datasets = record.report.datasets
    n_all = max(sum(use.n_reflections for use in datasets), 1)
    seen_from = tuple(
        (use.sample_root_mm, use.n_reflections / n_all)
        for use in datasets
        if use.sample_root_mm is not None
    )
    return ComparedCalibration(
        record.estimate,
        replace(PanelPrior.from_content(record.parameters), learned=record.report.prior),
        achieved * covariance_inflation(),
        seen_from if len(seen_from) == len(datasets) else (),
        independent_occasions(stored.starts),
        _model(record),
    )


def _model(record: CalibrationRecord) -> Floats | None:
    """The covariance that comes from the choice of model; None: not estimated."""
    found = record.report.what_if
    return None if found is None else found.covariance(len(record.estimate.covariance))
