"""The verdict: each gate fails for its own reason, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Correction, CorrectionEstimate, PanelStatus
from calib.model.result.report import Acceptance, BeforeAfter, Report, Spread
from calib.solve.panels.acceptance import check_acceptance
from calib.solve.panels.solution import Solution
from support.scenes import options, simulation, solution


@cache
def good() -> Solution:
    layout, _, near = simulation(seed=1, n_reflections=3000)
    _, _, far = simulation(seed=2, distance_mm=400.0, n_reflections=3000)
    return solution([near.dataset, far.dataset], layout, options())


def verdict(report: Report, estimate: CorrectionEstimate | None = None) -> Acceptance:
    return check_acceptance(report, estimate or good().estimate)


def with_axis(spread: Spread, axis: str, value: float) -> Spread:
    return replace(spread, rms_x_px=value) if axis == "x" else replace(spread, rms_y_px=value)


def worse(both: BeforeAfter | None, axis: str, factor: float) -> BeforeAfter:
    """After becomes so many times before in one coordinate."""
    assert both is not None
    before = both.before.rms_x_px if axis == "x" else both.before.rms_y_px
    return replace(both, after=with_axis(both.after, axis, factor * before))


def test_a_good_derivation_is_accepted_and_says_what_it_found() -> None:
    found = verdict(good().report)
    held = good().report.overall.held_out
    assert held is not None
    assert found.accepted
    assert found.reasons == (
        f"Held-out RMSD decreased from {held.before.rms_x_px:.3f} to {held.after.rms_x_px:.3f} px "
        f"in x and from {held.before.rms_y_px:.3f} to {held.after.rms_y_px:.3f} px in y.",
    )
    assert good().acceptance == found


def test_an_iteration_that_did_not_end_is_not_accepted() -> None:
    report = good().report
    open_end = replace(report.convergence, converged=False, iterations=25, last_shift_sigma=0.31)
    assert verdict(replace(report, convergence=open_end)).reasons == (
        "Not converged after 25 iterations: the last step was 0.31 sigma.",
    )


@pytest.mark.parametrize(("scatter_px", "accepted"), [(1.5, True), (np.nextafter(1.5, 2.0), False)])
def test_a_median_residual_of_one_and_a_half_pixels_is_the_largest_accepted(
    scatter_px: float, accepted: bool
) -> None:
    report = good().report
    first, *others = report.datasets
    after = replace(first.rmsd.after, median_abs_x_px=scatter_px, median_abs_y_px=0.0)
    first = replace(first, rmsd=replace(first.rmsd, after=after))
    found = verdict(replace(report, datasets=(first, *others)))
    assert found.accepted is accepted
    assert ("seed1: the median residual" in found.reasons[0]) is not accepted


def test_held_out_reflections_must_fall_in_both_coordinates() -> None:
    report = good().report
    for axis in ("x", "y"):
        held = worse(report.overall.held_out, axis, 1.0)
        found = verdict(replace(report, overall=replace(report.overall, held_out=held)))
        assert not found.accepted
        (reason,) = found.reasons
        assert reason.startswith(f"Held-out RMSD in {axis} did not decrease: ")
    none = replace(report, overall=replace(report.overall, held_out=None))
    assert verdict(none).reasons == (
        "There are no held-out reflections to test the corrections with.",
    )


def test_halves_must_agree_better_than_the_corrections_are_large() -> None:
    report, estimate = good().report, good().estimate
    assert report.halves is not None
    size_um = 1e3 * np.sqrt(np.mean(estimate.correction.values[:, :2] ** 2))
    apart = replace(report, halves=replace(report.halves, rms_in_plane_um=1.01 * size_um))
    near = replace(report, halves=replace(report.halves, rms_in_plane_um=0.99 * size_um))
    assert verdict(near).accepted
    (reason,) = verdict(apart).reasons
    assert reason.startswith(f"Half-dataset agreement is {1.01 * size_um:.1f} um rms")
    (reason,) = verdict(replace(report, halves=None)).reasons
    assert reason.startswith(
        "Half-dataset agreement is unknown: fewer than two panels have 100 reflections"
    )


def test_no_resolution_shell_may_get_worse_unnoticed() -> None:
    report = good().report
    shells = list(report.shells)
    shells[3] = replace(shells[3], held_out=worse(shells[3].held_out, "y", 1.03))
    (reason,) = verdict(replace(report, shells=tuple(shells))).reasons
    assert reason.startswith("Held-out RMSD in y increased from ")
    assert f"between {shells[3].d_max_angstrom:.2f} and {shells[3].d_min_angstrom:.2f}" in reason
    shells[3] = replace(shells[3], held_out=worse(shells[3].held_out, "y", 1.01))
    assert verdict(replace(report, shells=tuple(shells))).accepted


def test_a_dataset_that_the_others_describe_worse_than_no_correction_is_named() -> None:
    report = good().report
    datasets = list(report.datasets)
    datasets[1] = replace(datasets[1], left_out=worse(datasets[1].left_out, "x", 1.1))
    (reason,) = verdict(replace(report, datasets=tuple(datasets))).reasons
    assert reason.startswith(
        "Cross-validation: seed2 fits worse with corrections from the other datasets"
    )


def test_a_tenth_of_the_panels_must_be_measured() -> None:
    estimate = good().estimate
    nothing = replace(estimate, status=(PanelStatus.SPARSE,) * 10)
    assert verdict(good().report, nothing).reasons == ("Only 0 of 10 panels are measured.",)
    one = replace(estimate, status=(PanelStatus.MEASURED, *nothing.status[1:]))
    large = replace(one, correction=Correction(np.full((10, 6), 0.1)))
    assert verdict(good().report, large).accepted


def test_every_gate_that_failed_gives_its_reason() -> None:
    report = good().report
    bad = replace(
        report,
        halves=None,
        convergence=replace(report.convergence, converged=False),
        overall=replace(report.overall, held_out=worse(report.overall.held_out, "x", 1.2)),
    )
    assert len(verdict(bad).reasons) == 3


def test_noise_alone_is_not_accepted() -> None:
    """A detector at its nominal geometry needs no correction."""
    layout, _, scan = simulation(seed=3, n_reflections=2000, truth_seed=-1)
    found = solution([scan.dataset], layout, options())
    assert not found.acceptance.accepted
