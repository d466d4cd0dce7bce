"""What should be looked at in a calibration, accepted or not: a code for each kind of cause."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot
from typing import Any

from calib.model.result.report import DatasetUse, Report, Spread
from calib.model.store.record import CalibrationRecord
from calib.report.calibration.comparisons import comparison_warnings
from calib.report.calibration.structure import structure_warnings
from calib.report.calibration.what_if import what_if_warnings
from calib.report.scalar import number

WARNING_CODES = {
    "halves-disagree": "um",
    "datasets-disagree": "um",
    "distances-disagree": "um",
    "occasions-disagree": "um",
    "panel-structure": "px",
    "pixel-size": "ppm",
    "correlated-noise": "factor on sigma",
    "disputed-panels": "panels",
    "many-rejected": "fraction",
    "heavy-tails": "ratio",
    "variances": "ratio",
    "slip": "degrees",
    "misindexed": "reflections",
    "partial-coverage": "fraction",
    "sparse-panel": "reflections",
    "depends-on-symmetry": "um",
    "depends-on-beam": "um",
    "depends-on-shift": "um",
    "depends-on-crystals": "um",
    "depends-on-heights": "um",
    "depends-on-phi": "um",
}
"""All codes, and the unit of their sizes; ``docs/reference/warnings.md`` describes each."""
_MANY = 0.12
"""Fraction of the reflections of a dataset that are outliers: twice what may be rejected."""
_HEAVY = 1.6
"""RMSD over the standard deviation by the median; centroids of real data reach 1.4."""
_PER_MEDIAN = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""
_ABSURD = 30.0
"""Observed over stated standard deviation, or its inverse, that no integration program states."""
_FEW = 5
"""Reflections below which a panel follows the prior and the others."""


def warning_views(record: CalibrationRecord) -> list[dict[str, Any]]:
    """Each warning: code, dataset, panel (each None where it concerns no single one) and size."""
    report = record.report
    return [
        *comparison_warnings(report),
        *structure_warnings(report),
        *(one for use in report.datasets for one in _of_dataset(use)),
        *_misindexed(report),
        *_of_panels(record),
        *what_if_warnings(report),
    ]


def _of_dataset(use: DatasetUse) -> Iterator[dict[str, Any]]:
    disputed = use.disputed_panels
    if disputed:
        yield _warning("disputed-panels", use.name, disputed[0], len(disputed))
    outliers, n = use.n_rejected + use.n_outliers_kept, use.n_rejected + use.n_reflections
    if use.n_outliers_kept and outliers >= _MANY * n:
        yield _warning("many-rejected", use.name, None, outliers / n)
    tails = _tails(use.rmsd.after)
    if tails >= _HEAVY:
        yield _warning("heavy-tails", use.name, None, tails)
    scale = max(use.weight_scale[:2])
    if not 1.0 / _ABSURD < scale < _ABSURD:
        yield _warning("variances", use.name, None, scale)
    for angle in use.slips_deg:
        yield _warning("slip", use.name, None, angle)


def _tails(spread: Spread) -> float:
    robust = _PER_MEDIAN * spread.scatter_px
    return hypot(spread.rms_x_px, spread.rms_y_px) / robust if robust else 0.0


def _misindexed(report: Report) -> Iterator[dict[str, Any]]:
    for one in report.misfits:
        yield _warning("misindexed", one.name, None, one.n_reflections)


def _of_panels(record: CalibrationRecord) -> Iterator[dict[str, Any]]:
    estimate = record.estimate
    if record.acceptance.accepted and estimate.is_partial:
        share = float(estimate.measured.mean())
        yield _warning("partial-coverage", None, None, share)
    counts = estimate.n_reflections.tolist()
    few = [panel for panel, n in enumerate(counts) if 0 < n < _FEW]
    if few:
        panel = min(few, key=lambda one: counts[one])
        yield _warning("sparse-panel", None, panel, counts[panel])


def _warning(code: str, dataset: str | None, panel: int | None, size: float) -> dict[str, Any]:
    return {"code": code, "dataset": dataset, "panel": panel, "size": number(float(size))}
