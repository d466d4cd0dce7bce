"""The verdict: each gate fails for its own reason, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Correction, CorrectionEstimate, PanelStatus
from calib.model.result.comparison import Agreement, Compared
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


def with_held_out(x: float, y: float, medians: float = 1.0) -> Report:
    """RMSD in x and y after correction over those before; medians likewise, of both."""
    report = good().report
    held = worse(worse(report.overall.held_out, "x", x), "y", y)
    middle = {k: medians * getattr(held.before, k) for k in ("median_abs_x_px", "median_abs_y_px")}
    held = replace(held, after=replace(held.after, **middle))
    return replace(report, overall=replace(report.overall, held_out=held))


@pytest.mark.parametrize("better", ["x", "y"])
def test_held_out_residuals_must_fall_in_both_coordinates_together(better: str) -> None:
    """One of them may stay within chance."""
    one, other = (0.9, 1.02) if better == "x" else (1.02, 0.9)
    assert verdict(with_held_out(one, other)).accepted
    for x, y in ((1.0, 1.0), (1.001, 1.001)):
        (reason,) = verdict(with_held_out(x, y)).reasons
        assert reason.startswith("Held-out RMSD in x and y together did not decrease: ")
    one, other = (0.5, 1.4) if better == "x" else (1.4, 0.5)
    worst = "y" if better == "x" else "x"
    assert any(
        reason.startswith(f"Held-out RMSD in {worst} increased")
        for reason in verdict(with_held_out(one, other)).reasons
    )


def test_medians_decide_where_few_reflections_determine_the_rmsd() -> None:
    report = with_held_out(1.001, 1.001, medians=0.9)
    held = report.overall.held_out
    assert held is not None
    for heavy in (1.25, 1.35):
        spread = heavy * 1.4826 * held.before.scatter_px / np.sqrt(2.0)
        before = replace(held.before, rms_x_px=spread, rms_y_px=spread)
        after = replace(held.after, rms_x_px=1.001 * spread, rms_y_px=1.001 * spread)
        both = replace(held, before=before, after=after)
        found = verdict(replace(report, overall=replace(report.overall, held_out=both)))
        assert found.accepted is (heavy > 1.3)


def test_without_held_out_reflections_nothing_is_accepted() -> None:
    report = good().report
    none = replace(report, overall=replace(report.overall, held_out=None))
    assert verdict(none).reasons == (
        "There are no held-out reflections to test the corrections with.",
    )


def test_corrections_must_be_nearer_to_the_truth_than_the_nominal_geometry() -> None:
    """Their error is half of the difference of halves, and the squares of error and true
    displacement add up to that of the corrections."""
    report, estimate = good().report, good().estimate
    assert report.halves is not None
    size_um = 1e3 * np.sqrt(np.mean(estimate.correction.values[:, :2] ** 2))
    limit_um = np.sqrt(2.0) * size_um
    apart = replace(report, halves=replace(report.halves, rms_in_plane_um=1.01 * limit_um))
    near = replace(report, halves=replace(report.halves, rms_in_plane_um=0.99 * limit_um))
    assert verdict(near).accepted
    (reason,) = verdict(apart).reasons
    assert reason.startswith(f"Half-dataset agreement is {1.01 * limit_um:.1f} um rms")


def test_without_halves_the_stated_uncertainty_takes_their_place() -> None:
    report, estimate = replace(good().report, halves=None), good().estimate
    assert verdict(report).accepted
    size = float(np.sqrt(np.mean(estimate.correction.values[:, :2] ** 2)))
    sigma = float(np.sqrt(np.mean(estimate.sigma[:, :2] ** 2)))
    for factor, accepted in ((0.99, True), (1.01, False)):
        wide = estimate.covariance * (factor * np.sqrt(0.5) * size / sigma) ** 2
        found = verdict(report, replace(estimate, covariance=wide))
        assert found.accepted is accepted
        assert accepted or found.reasons[0].startswith("The standard uncertainty of the corr")


def with_shell(factor: float, chance: tuple[float, float] | None, before_px: float) -> Report:
    """The good report with the second shell worse in y by this factor."""
    report = good().report
    shells = list(report.shells)
    held = shells[1].held_out
    held = replace(held, before=with_axis(held.before, "y", before_px))
    shells[1] = replace(shells[1], held_out=replace(worse(held, "y", factor), chance=chance))
    return replace(report, shells=tuple(shells))


def test_a_shell_is_worse_by_its_size_and_beyond_chance() -> None:
    """By 5 %, by 0.01 px, and with a probability of 0.001 over all shells and axes."""
    n = 2 * len(good().report.shells)
    assert n >= 4
    sure = (1.0, 0.9e-3 / n)
    bad = with_shell(1.06, sure, 0.5)
    (reason,) = verdict(bad).reasons
    assert reason.startswith("Held-out RMSD in y increased from 0.500 to 0.530 px between ")
    shell = bad.shells[1]
    assert f"{shell.d_max_angstrom:.2f} and {shell.d_min_angstrom:.2f} Angstrom" in reason
    for factor, chance, before_px in (
        (1.04, sure, 0.5),
        (1.06, sure, 0.15),
        (1.06, (1.0, 1.1e-3 / n), 0.5),
    ):
        assert verdict(with_shell(factor, chance, before_px)).accepted


def test_without_single_reflections_a_shell_is_worse_beyond_their_independent_scatter() -> None:
    n = good().report.shells[1].held_out.after.n
    sigma = np.sqrt(1.0 / n)
    assert verdict(with_shell(1.0 + 2.0 * sigma, None, 0.5)).accepted
    (reason,) = verdict(with_shell(1.0 + 8.0 * sigma, None, 0.5)).reasons
    assert reason.startswith("Held-out RMSD in y increased")


def test_a_dataset_that_the_others_describe_worse_than_no_correction_is_named() -> None:
    report = good().report
    datasets = list(report.datasets)
    bad = worse(datasets[1].left_out, "x", 1.1)
    datasets[1] = replace(datasets[1], left_out=replace(bad, chance=(0.01, 1.0)))
    assert verdict(replace(report, datasets=tuple(datasets))).accepted
    datasets[1] = replace(datasets[1], left_out=replace(bad, chance=(1e-4, 1.0)))
    (reason,) = verdict(replace(report, datasets=tuple(datasets))).reasons
    assert reason.startswith(
        "Cross-validation: seed2 fits worse with corrections from the other datasets"
    )


def test_a_tenth_of_the_panels_must_be_measured() -> None:
    estimate = good().estimate
    nothing = replace(estimate, status=(PanelStatus.SPARSE,) * 10)
    assert verdict(good().report, nothing).reasons == (
        "Only 0 of 10 panels are measured. Add data on the others.",
    )
    one = replace(estimate, status=(PanelStatus.MEASURED, *nothing.status[1:]))
    large = replace(one, correction=Correction(np.full((10, 6), 0.1)))
    found = verdict(good().report, large)
    assert found.accepted
    assert found.reasons[1].startswith(
        "Accepted for 1 of 10 panels; the others are determined mainly"
    )


def test_every_gate_that_failed_gives_its_reason() -> None:
    report = good().report
    bad = replace(
        report,
        halves=replace(report.halves, rms_in_plane_um=1e6) if report.halves else None,
        convergence=replace(report.convergence, converged=False),
        overall=with_held_out(1.0, 1.0).overall,
    )
    assert len(verdict(bad).reasons) == 3


def test_noise_alone_is_not_accepted() -> None:
    """A detector at its nominal geometry needs no correction."""
    layout, _, scan = simulation(seed=3, n_reflections=2000, truth_seed=-1)
    found = solution([scan.dataset], layout, options())
    assert not found.acceptance.accepted


def distorted(report: Report, size_px: float) -> Report:
    """The report with parts of all panels displaced so much."""
    found = report.structure
    assert found is not None
    sizes, panels = (size_px,) * 10, tuple(range(10))
    return replace(report, structure=replace(found, sizes_px=sizes, significant=panels))


def test_large_residuals_of_distorted_panels_are_not_called_misindexing() -> None:
    report = good().report
    first, *others = report.datasets
    after = replace(first.rmsd.after, median_abs_x_px=1.6, median_abs_y_px=0.0)
    first = replace(first, rmsd=replace(first.rmsd, after=after))
    large = replace(report, datasets=(first, *others))
    (reason,) = verdict(large).reasons
    assert "misindexed" in reason
    assert "distortion" not in reason
    (reason,) = verdict(distorted(large, 1.2)).reasons
    assert reason.startswith("seed1: the median residual after refinement is 1.6 px, and parts of")
    assert "1.2 px" in reason
    assert "misindexed" not in reason


def test_distorted_panels_have_no_position() -> None:
    nothing = replace(good().estimate, status=(PanelStatus.SPARSE,) * 10)
    (reason,) = verdict(distorted(good().report, 0.5), nothing).reasons
    assert reason.startswith("Only 0 of 10 panels are measured: parts of the panels are displaced")


def test_parts_of_data_that_see_distorted_panels_differently_did_not_move() -> None:
    report = good().report
    (one,) = (each for each in report.comparisons if each.kind is Compared.DATASET)
    found = replace(one, agreement=Agreement.DISAGREES, panels=(3,), worst_um=40.0)
    apart = replace(report, comparisons=(found,))
    (reason,) = verdict(apart).reasons
    assert "A panel moved between the datasets" in reason
    (reason,) = verdict(distorted(apart, 0.2)).reasons
    assert "Parts of the panels are displaced by 0.20 px" in reason
    assert "moved" not in reason
