"""Acceptance of a derivation: criteria that every useful calibration meets, with reasons."""

from __future__ import annotations

import numpy as np

from calib.model.detector.correction import CorrectionEstimate, PanelStatus
from calib.model.result.report import METHOD, Acceptance, BeforeAfter, Report
from calib.solve.panels.disagreement import disagreements_in_words
from calib.solve.panels.residual_reasons import outlier_reasons, scale_reasons

_SHELL_TOLERANCE = 1.02
"""A resolution shell may get worse by this factor, which is within its statistical scatter."""
_MIN_MEASURED_FRACTION = 0.1
"""Fraction of the panels that must be measured."""
_MAX_REPEAT_UM = 5.0
"""Repeatability of a detector of which one calibration can be used on several occasions."""
_MAX_REPEAT_RATIO = 3.0
"""The same, relative to what was known before."""
_MAX_SCATTER_PX = 1.5
"""Median residual of a dataset; correctly indexed crystals reach a tenth of it."""


def check_acceptance(report: Report, estimate: CorrectionEstimate) -> Acceptance:
    """Acceptance of a solution, with the reasons.

    A solution is accepted if all of these hold; otherwise there is a reason for each that fails:

    - the iteration converged;
    - the median residual of each dataset is at most 1.5 px;
    - the RMSD of held-out reflections decreased in x and in y;
    - solutions from two halves of the data agree better than the corrections are large;
    - no resolution shell got worse by more than 2 %;
    - cross-validation: no dataset fits worse with corrections from the other datasets than with
      the nominal geometry;
    - no part of the data disagrees with the others (``calib.solve.panels.comparisons``);
    - panels repeat from one occasion to another to 5 um and to three times what was known before;
    - no dataset has twice as many outliers as may be rejected, nor on more than a tenth of the
      panels;
    - observed over stated standard deviations of no coordinate are three times those of the others,
      and of no dataset three times those of the other datasets, if its residuals are, too;
    - a tenth of the panels is measured;
    - all datasets were refined with the current version of the method.
    """
    reasons = [
        *_convergence(report),
        *_scatter(report),
        *_held_out(report),
        *_halves(report, estimate),
        *_shells(report),
        *_cross_validation(report),
        *disagreements_in_words(report),
        *_repeatability(report),
        *outlier_reasons(report.datasets, len(report.panels)),
        *scale_reasons(report.datasets),
        *_coverage(estimate),
        *_method(report),
    ]
    if reasons:
        return Acceptance(False, tuple(reasons))
    return Acceptance(True, (_accepted(report),))


def _convergence(report: Report) -> list[str]:
    found = report.convergence
    if found.converged:
        return []
    return [
        f"Not converged after {found.iterations} iterations: the last step was "
        f"{found.last_shift_sigma:.2g} sigma."
    ]


def _scatter(report: Report) -> list[str]:
    return [
        f"{dataset.name}: the median residual after refinement is {scatter:.1f} px, which suggests "
        "that most of its crystals are misindexed. Index it again, or exclude it."
        for dataset in report.datasets
        if (scatter := dataset.rmsd.after.scatter_px) > _MAX_SCATTER_PX
    ]


def _held_out(report: Report) -> list[str]:
    held = report.overall.held_out
    if held is None:
        return ["There are no held-out reflections to test the corrections with."]
    return [
        f"Held-out RMSD in {axis} did not decrease: {before:.3f} px before, {after:.3f} px after."
        for axis, before, after in _axes(held)
        if after >= before
    ]


def _halves(report: Report, estimate: CorrectionEstimate) -> list[str]:
    halves = report.halves
    if halves is None:
        return [
            "Half-dataset agreement is unknown: fewer than two panels have 100 reflections in each "
            "half."
        ]
    measured = np.array([status is PanelStatus.MEASURED for status in estimate.status])
    if not measured.any():
        return []
    size_um = 1e3 * float(np.sqrt(np.mean(estimate.correction.values[measured, :2] ** 2)))
    if halves.rms_in_plane_um < size_um:
        return []
    return [
        f"Half-dataset agreement is {halves.rms_in_plane_um:.1f} um rms in the plane, no better "
        f"than the size of the corrections ({size_um:.1f} um)."
    ]


def _shells(report: Report) -> list[str]:
    return [
        f"Held-out RMSD in {axis} increased from {before:.3f} to {after:.3f} px between "
        f"{shell.d_max_angstrom:.2f} and {shell.d_min_angstrom:.2f} Angstrom."
        for shell in report.shells
        for axis, before, after in _axes(shell.held_out)
        if after > _SHELL_TOLERANCE * before
    ]


def _cross_validation(report: Report) -> list[str]:
    return [
        f"Cross-validation: {dataset.name} fits worse with corrections from the other datasets "
        f"than with the nominal geometry (RMSD in {axis} {after:.3f} px, nominal {before:.3f} px)."
        for dataset in report.datasets
        if dataset.left_out is not None
        for axis, before, after in _axes(dataset.left_out)
        if after > before
    ]


def _repeatability(report: Report) -> list[str]:
    found = report.repeatability
    if found is None:
        return []
    most = min(_MAX_REPEAT_UM, _MAX_REPEAT_RATIO * found.before_um)
    if found.at_least_um <= most:
        return []
    return [
        f"Panels move by {found.estimated_um:.1f} um from one occasion to another (1 sigma, at "
        f"least {found.at_least_um:.1f} um), more than {most:.1f} um: the mean over "
        f"{found.n_occasions} occasions describes none of them. Derive a calibration for each "
        "occasion, and certify each for its own time."
    ]


def _coverage(estimate: CorrectionEstimate) -> list[str]:
    measured = sum(status is PanelStatus.MEASURED for status in estimate.status)
    if measured >= _MIN_MEASURED_FRACTION * len(estimate.status):
        return []
    return [f"Only {measured} of {len(estimate.status)} panels are measured."]


def _method(report: Report) -> list[str]:
    return [
        f"{dataset.name} was refined with version {dataset.method} of the method, whose errors may "
        f"exceed its sigma; the current version is {METHOD}. Read it again with --relinearise."
        for dataset in report.datasets
        if dataset.method < METHOD
    ]


def _axes(both: BeforeAfter) -> list[tuple[str, float, float]]:
    return [
        ("x", both.before.rms_x_px, both.after.rms_x_px),
        ("y", both.before.rms_y_px, both.after.rms_y_px),
    ]


def _accepted(report: Report) -> str:
    held = report.overall.held_out
    assert held is not None  # noqa: S101 - a report without held-out reflections is not accepted
    (_, x0, x1), (_, y0, y1) = _axes(held)
    return (
        f"Held-out RMSD decreased from {x0:.3f} to {x1:.3f} px in x and from {y0:.3f} to {y1:.3f} "
        "px in y."
    )
