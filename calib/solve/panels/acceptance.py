"""The verdict on a derivation: gates that any useful calibration passes, with reasons."""

from __future__ import annotations

import numpy as np

from calib.model.detector.correction import CorrectionEstimate, PanelStatus
from calib.model.result.report import Acceptance, BeforeAfter, Report

_SHELL_SLACK = 1.02
"""A resolution shell may get worse by this factor before it counts: that is its scatter."""
_FEWEST_MEASURED = 0.1
"""Share of the panels that must be measured."""
_WIDEST_PX = 1.5
"""Median residual of a dataset: crystals that were indexed rightly scatter by tenths of this."""


def check_acceptance(report: Report, estimate: CorrectionEstimate) -> Acceptance:
    """Accepted where every gate holds; each gate that fails gives its reason.

    Gates: the iteration converged; no dataset scatters by pixels with the panels refined; held-out
    RMSD fell in x and in y; independent halves agree better than the corrections are large; no
    resolution shell got worse; no dataset, left out, is described worse by the others' corrections
    than by the panels as drawn; a tenth of the panels is measured.
    """
    reasons = [
        *_convergence(report),
        *_scatter(report),
        *_held_out(report),
        *_halves(report, estimate),
        *_shells(report),
        *_cross_validation(report),
        *_coverage(estimate),
    ]
    if reasons:
        return Acceptance(False, tuple(reasons))
    return Acceptance(True, (_accepted(report),))


def _convergence(report: Report) -> list[str]:
    found = report.convergence
    if found.converged:
        return []
    return [
        f"Not converged after {found.iterations} iterations: the last step was still "
        f"{found.last_shift_sigma:.2g} sigma."
    ]


def _scatter(report: Report) -> list[str]:
    return [
        f"{dataset.name} fits nothing: its median residual is {scatter:.1f} px with the panels "
        "refined, as if most of its crystals were indexed wrongly. Index it again, or leave it out."
        for dataset in report.datasets
        if (scatter := dataset.rmsd.after.scatter_px) > _WIDEST_PX
    ]


def _held_out(report: Report) -> list[str]:
    held = report.overall.held_out
    if held is None:
        return ["There is no held-out reflection to test the corrections with."]
    return [
        f"Held-out RMSD in {axis} did not fall: {before:.3f} px before, {after:.3f} px after."
        for axis, before, after in _axes(held)
        if after >= before
    ]


def _halves(report: Report, estimate: CorrectionEstimate) -> list[str]:
    halves = report.halves
    if halves is None:
        return ["No two panels have the 100 reflections needed to compare independent halves."]
    measured = np.array([status is PanelStatus.MEASURED for status in estimate.status])
    if not measured.any():
        return []
    size_um = 1e3 * float(np.sqrt(np.mean(estimate.correction.values[measured, :2] ** 2)))
    if halves.rms_in_plane_um < size_um:
        return []
    return [
        f"Independent halves differ by {halves.rms_in_plane_um:.1f} um in the plane, as much as "
        f"the corrections themselves ({size_um:.1f} um)."
    ]


def _shells(report: Report) -> list[str]:
    return [
        f"Held-out RMSD in {axis} rose from {before:.3f} to {after:.3f} px between "
        f"{shell.d_max_angstrom:.2f} and {shell.d_min_angstrom:.2f} Angstrom."
        for shell in report.shells
        for axis, before, after in _axes(shell.held_out)
        if after > _SHELL_SLACK * before
    ]


def _cross_validation(report: Report) -> list[str]:
    return [
        f"{dataset.name}, left out, is described worse by the other datasets' corrections than by "
        f"the panels as drawn: RMSD in {axis} {before:.3f} px before, {after:.3f} px after."
        for dataset in report.datasets
        if dataset.left_out is not None
        for axis, before, after in _axes(dataset.left_out)
        if after > before
    ]


def _coverage(estimate: CorrectionEstimate) -> list[str]:
    measured = sum(status is PanelStatus.MEASURED for status in estimate.status)
    if measured >= _FEWEST_MEASURED * len(estimate.status):
        return []
    return [f"Only {measured} of {len(estimate.status)} panels are measured."]


def _axes(both: BeforeAfter) -> list[tuple[str, float, float]]:
    return [
        ("x", both.before.rms_x_px, both.after.rms_x_px),
        ("y", both.before.rms_y_px, both.after.rms_y_px),
    ]


def _accepted(report: Report) -> str:
    held = report.overall.held_out
    assert held is not None  # noqa: S101 - a report without held-out reflections was refused
    (_, x0, x1), (_, y0, y1) = _axes(held)
    return f"Held-out RMSD fell from {x0:.3f} to {x1:.3f} px in x and {y0:.3f} to {y1:.3f} in y."
