"""Acceptance of a derivation: criteria that every useful calibration meets, with reasons."""

from __future__ import annotations

import numpy as np

from calib.model.detector.correction import CorrectionEstimate
from calib.model.result.report import METHOD, NAMED_PX, Acceptance, BeforeAfter, Report, Spread
from calib.solve.algebra.statistics import SIGMA_PER_MAD
from calib.solve.panels.disagreement import disagreements_in_words, distortion_px
from calib.solve.panels.residual_reasons import (
    axis_reasons,
    left_out_reasons,
    outlier_reasons,
    scale_reasons,
    shell_reasons,
)
from calib.solve.panels.solution import MEASURED_FROM

_MOSTLY_STRUCTURE = 0.3
"""Displacements of parts of panels, relative to the median residual, that explain it."""
_HEAVY = 1.3
"""Ratio of RMSD to the standard deviation by the median from which on tails are heavy."""
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
    - the RMSD of held-out reflections in x and y together decreased or, if their tails are heavy,
      the median, and it did not increase in x or in y in the sense of the next but one;
    - the error of the corrections, half the difference of the solutions from two halves of the data
      or, if these are too small, the stated one, is smaller than that of the nominal geometry;
    - no resolution shell of held-out reflections fits worse than with the nominal geometry, by more
      than 5 % and 0.01 px and with a probability below 0.001 by chance;
    - cross-validation: in the same sense, no dataset fits worse with corrections from the other
      datasets;
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
        *axis_reasons(report.overall.held_out),
        *shell_reasons(report.shells),
        *left_out_reasons(report.datasets),
        *disagreements_in_words(report),
        *_repeatability(report),
        *outlier_reasons(report.datasets, len(report.panels)),
        *scale_reasons(report.datasets),
        *_coverage(report, estimate),
        *_method(report),
    ]
    if reasons:
        return Acceptance(False, tuple(reasons))
    return Acceptance(True, (_accepted(report), *_unmeasured(estimate)))


def _convergence(report: Report) -> list[str]:
    found = report.convergence
    if found.converged:
        return []
    return [
        f"Not converged after {found.iterations} iterations: the last step was "
        f"{found.last_shift_sigma:.2g} sigma."
    ]


def _scatter(report: Report) -> list[str]:
    structure = distortion_px(report)
    return [
        f"{dataset.name}: the median residual after refinement is {scatter:.1f} px, "
        + (
            f"and parts of the panels are displaced by {structure:.1f} px: rigid panels do not "
            "describe this detector. Correct positions with its distortion map first."
            if structure > _MOSTLY_STRUCTURE * scatter
            else "which suggests that most of its crystals are misindexed. Index it again, or "
            "exclude it."
        )
        for dataset in report.datasets
        if (scatter := dataset.rmsd.after.scatter_px) > _MAX_SCATTER_PX
    ]


def _held_out(report: Report) -> list[str]:
    held = report.overall.held_out
    if held is None:
        return ["There are no held-out reflections to test the corrections with."]
    words = "x and y together"
    before, after = (_residual_px(one, _is_heavy(held.before)) for one in (held.before, held.after))
    if after < before:
        return []
    if _is_heavy(held.before):
        words += ", from medians since their tails are heavy,"
    return [
        f"Held-out RMSD in {words} did not decrease: {before:.3f} px before, {after:.3f} px after. "
        "The corrections are within the noise of these data. Add data, or use the nominal geometry."
    ]


def _is_heavy(spread: Spread) -> bool:
    """Whether few reflections determine the RMSD, so that it says little about the others."""
    return _residual_px(spread, robust=False) > _HEAVY * _residual_px(spread, robust=True)


def _residual_px(spread: Spread, robust: bool) -> float:
    """The RMSD of x and y added in quadrature, or the standard deviation of a normal distribution
    with the same medians."""
    if robust:
        return SIGMA_PER_MAD * spread.scatter_px
    return float(np.hypot(spread.rms_x_px, spread.rms_y_px))


def _halves(report: Report, estimate: CorrectionEstimate) -> list[str]:
    measured = estimate.measured
    if not measured.any():
        return []
    halves = report.halves
    size_um = 1e3 * float(np.sqrt(np.mean(estimate.correction.values[measured, :2] ** 2)))
    if halves is None:
        error_um = 1e3 * float(np.sqrt(np.mean(estimate.sigma[measured, :2] ** 2)))
        found = f"The standard uncertainty of the corrections is {error_um:.1f} um rms"
    else:
        error_um = 0.5 * halves.rms_in_plane_um
        found = f"Half-dataset agreement is {halves.rms_in_plane_um:.1f} um rms"
    # The square of the corrections is that of the true displacements plus that of the error.
    if 2.0 * error_um**2 < size_um**2:
        return []
    return [
        f"{found} in the plane: corrections of {size_um:.1f} um rms with an error of "
        f"{error_um:.1f} um are no nearer to the truth than the nominal geometry. Add data."
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


def _coverage(report: Report, estimate: CorrectionEstimate) -> list[str]:
    measured = int(estimate.measured.sum())
    if measured >= _MIN_MEASURED_FRACTION * len(estimate.status):
        return []
    found = f"Only {measured} of {len(estimate.status)} panels are measured"
    structure = distortion_px(report)
    if structure >= NAMED_PX and (estimate.n_reflections >= MEASURED_FROM).any():
        return [
            f"{found}: parts of the panels are displaced by {structure:.2f} px, so that rigid "
            "panels have no position. Correct positions with a distortion map first."
        ]
    return [f"{found}. Add data on the others."]


def _unmeasured(estimate: CorrectionEstimate) -> list[str]:
    """For how many panels a solution is accepted, unless for all."""
    measured, n = int(estimate.measured.sum()), len(estimate.status)
    if measured == n:
        return []
    return [
        f"Accepted for {measured} of {n} panels; the others are determined mainly by the prior and "
        "follow the panels and groups that are measured."
    ]


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
