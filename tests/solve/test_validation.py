"""What a derivation says of itself: held-out residuals, halves, datasets left out, convergence."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.base.arrays import Bools, Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.model.result.report import BeforeAfter, Report
from calib.model.result.summary import Part
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.residuals import Residuals, held_out_residuals
from calib.solve.joint.dataset_state import DatasetState
from calib.solve.joint.refinement import Refinement
from calib.solve.joint.validation import step_of_part
from calib.solve.panels.halves import aligned
from calib.solve.panels.system import PanelStep, PanelSystem
from calib.solve.parallel.executor import LocalExecutor
from calib.solve.prior import PanelPrior
from support.scenes import fits, options, quiet, simulation, solution, started
from support.scenes import refined as jointly

PIXEL_MM = 0.172
ONE_SIGMA = 1.0
NOISE_PX = 0.1


@cache
def plain() -> tuple[Layout, Correction, Dataset]:
    layout, truth, scan = simulation(n_reflections=6000, outlier_share=0.02)
    return layout, truth, scan.dataset


@cache
def report(freedom: Freedom = Freedom.FULL) -> Report:
    layout, _, dataset = plain()
    return solution([dataset], layout, options(freedom)).report


def refined(dataset: Dataset, freedom: Freedom = Freedom.FULL) -> tuple[Refinement, PanelSystem]:
    system = PanelSystem(plain()[0], freedom, PanelPrior())
    found = jointly([dataset], system, options(freedom), quiet)
    return found, found.system


def with_fit(found: Refinement, fit: DatasetFit) -> Refinement:
    """The same solution with its only dataset in another state."""
    state = DatasetState(fit, fit, fit.blocks(found.correction)[0])
    return replace(found, executor=LocalExecutor([state]))


def held_out_rows(dataset: Dataset) -> Bools:
    """(n,) which rows of the table are held out."""
    seen = started(dataset, plain()[0], options()).seen
    held = {tuple(c) for c in seen.observed[:, seen.held_out].T.tolist()}
    return np.array([tuple(row) in held for row in dataset.reflections.centroid_mm.tolist()])


def moved(dataset: Dataset, rows: Bools, by_px: Floats) -> Dataset:
    """Some rows seen elsewhere in the plane."""
    table = dataset.reflections
    centroid = table.centroid_mm.copy()
    centroid[rows, :2] += PIXEL_MM * by_px
    return replace(dataset, reflections=replace(table, centroid_mm=centroid))


def farthest_sigma(one: PanelStep, other: PanelStep, free: tuple[int, ...]) -> float:
    sigma = np.sqrt(np.diag(one.covariance)).reshape(-1, len(free))
    difference = (one.correction.values - other.correction.values)[:, free]
    return float(np.abs(difference / sigma).max())


# Held out.


@pytest.mark.parametrize("freedom", list(Freedom))
@pytest.mark.parametrize("size_px", [1.0, 5.0, 100.0])
def test_held_out_reflections_hardly_touch_the_solution_that_they_test(
    freedom: Freedom, size_px: float
) -> None:
    """However wild they are: only which of the others are rejected can change, at the margin.
    The solution with them moves by more."""
    dataset = plain()[2]
    rows = held_out_rows(dataset)
    noise = size_px * np.random.default_rng(0).normal(size=(int(rows.sum()), 2))
    found, system = refined(dataset, freedom)
    spoilt, _ = refined(moved(dataset, rows, noise), freedom)
    working, after = (step_of_part(r, system, Part.WORKING) for r in (found, spoilt))
    assert farthest_sigma(working, after, freedom.free) < ONE_SIGMA
    full = (found.correction.values - spoilt.correction.values)[:, freedom.free]
    sigma = np.sqrt(np.diag(working.covariance)).reshape(-1, len(freedom.free))
    assert np.abs(full / sigma).max() > 1.5 * farthest_sigma(working, after, freedom.free)


def test_with_fixed_rejection_held_out_reflections_do_not_affect_the_solution() -> None:
    """What they say goes into their own blocks: the same working solution to the last bits."""
    dataset = plain()[2]
    found, system = refined(dataset)
    (fit,) = fits(found)
    held = fit.seen.held_out
    observed = fit.seen.observed.copy()
    observed[:2, held] += np.random.default_rng(1).normal(size=(2, int(held.sum())))
    spoilt = replace(fit, seen=replace(fit.seen, observed=observed))
    plain_step, spoilt_step = (
        step_of_part(with_fit(found, one), system, Part.WORKING) for one in (fit, spoilt)
    )
    assert np.array_equal(plain_step.correction.values, spoilt_step.correction.values)
    one, other = (step_of_part(with_fit(found, one), system, Part.WHOLE) for one in (fit, spoilt))
    assert farthest_sigma(one, other, Freedom.FULL.free) > 1.0


def test_one_step_to_the_working_solution_is_enough() -> None:
    """A full refinement without the held-out reflections, the rejection standing, ends there."""
    layout, _, dataset = plain()
    found, system = refined(dataset)
    working = step_of_part(found, system, Part.WORKING)
    (fit,) = fits(found)
    fit = replace(fit, keep=fit.keep & ~fit.seen.held_out)
    correction = Correction.none(len(layout))
    for _ in range(12):
        reduced = fit.eliminate(fit.blocks(correction)[0], correction)
        step = system.step(correction, [reduced])
        correction = step.correction
        fit = fit.moved(reduced.nuisance_step(step.tangent))
    difference = (correction.values - working.correction.values).ravel()
    assert np.abs(difference / np.sqrt(np.diag(working.covariance))).max() < 0.02


def test_held_out_residuals_rise_to_the_noise_and_not_above() -> None:
    held = report().overall.held_out
    used = report().overall.used
    assert held is not None
    assert used is not None
    assert held.before.rms_x_px > 3.0 * NOISE_PX
    for value in (held.after.rms_x_px, held.after.rms_y_px):
        assert value == pytest.approx(NOISE_PX, rel=0.1)
    assert held.after.median_abs_x_px == pytest.approx(0.6745 * NOISE_PX, rel=0.1)
    assert held.before.n == held.after.n == pytest.approx(0.2 * 6000, rel=0.05)
    assert used.after.n > 5500


def test_held_out_residuals_are_larger_than_those_that_were_fitted() -> None:
    """On few reflections it shows: 29 parameters take up a twentieth of what 250 say."""
    fitted, unseen = [], []
    loose = options(prior=PanelPrior(10.0, 10.0, 0.1))
    for seed in range(16):
        layout, _, scan = simulation("PILATUS 300K", n_reflections=250, seed=seed)
        found = solution([scan.dataset], layout, loose).report.overall
        assert found.used is not None
        assert found.held_out is not None
        fitted.append(found.used.after.rms_x_px**2 + found.used.after.rms_y_px**2)
        unseen.append(found.held_out.after.rms_x_px**2 + found.held_out.after.rms_y_px**2)
    assert 1.04 < np.mean(unseen) / np.mean(fitted) < 1.3


def test_the_share_of_wild_held_out_reflections_is_reported() -> None:
    assert report().held_out_dropped == pytest.approx(0.02, abs=0.01)


def residuals_of(dataset: Dataset, layout: Layout) -> tuple[DatasetFit, Floats]:
    fit = started(dataset, layout, options())
    return fit, np.random.default_rng(2).normal(size=(3, len(fit.seen))) * fit.seen.sigma


def test_held_out_reflections_that_are_wild_in_either_model_are_left_out_of_both() -> None:
    layout, _, dataset = plain()
    fit, good = residuals_of(dataset, layout)
    held = fit.where(fit.seen.held_out)
    before, after = (good[:, fit.seen.held_out] for _ in range(2))
    before[0, 0] = 5.0
    after[1, 1] = -5.0
    after[2, 2] = np.nan
    found, wild = held_out_residuals(held, before, after)
    assert wild == 3
    assert found.before.shape[1] == found.after.shape[1] == len(held.seen) - 3


def test_residuals_are_shown_in_pixels_and_milliradians() -> None:
    layout, _, dataset = plain()
    fit, good = residuals_of(dataset, layout)
    everything = np.ones(len(fit.seen), dtype=np.bool_)
    both = Residuals(fit, good.copy(), 2.0 * good, everything).compared()
    assert both is not None
    assert both.before.rms_x_px == pytest.approx(np.sqrt((good[0] ** 2).mean()) / PIXEL_MM)
    assert both.before.rms_phi_mrad == pytest.approx(1e3 * np.sqrt((good[2] ** 2).mean()))
    assert both.after.median_abs_y_px == pytest.approx(2 * np.median(np.abs(good[1])) / PIXEL_MM)
    assert Residuals(fit, good.copy(), good.copy(), ~everything).compared() is None


# Shells.


def test_shells_are_filled_alike_and_leave_nothing_out() -> None:
    found = report()
    held = found.overall.held_out
    assert held is not None
    counts = [shell.held_out.after.n for shell in found.shells]
    assert len(counts) == min(8, held.after.n // 200)
    assert len(counts) > 3
    assert sum(counts) == held.after.n
    assert max(counts) - min(counts) <= 1
    edges = [(shell.d_max_angstrom, shell.d_min_angstrom) for shell in found.shells]
    assert all(high > low for high, low in edges)
    assert [low for _, low in edges[:-1]] == [high for high, _ in edges[1:]]


def test_resolution_is_that_of_the_miller_indices() -> None:
    layout, _, dataset = plain()
    fit, good = residuals_of(dataset, layout)
    everything = np.ones(len(fit.seen), dtype=np.bool_)
    found = Residuals(fit, good.copy(), good.copy(), everything).d_angstrom
    h, k, m = fit.seen.hkl
    expected = 1.0 / np.sqrt((h**2 + k**2) / 57.8**2 + m**2 / 150.2**2)
    assert found == pytest.approx(expected, rel=5e-3)


# Halves.


def test_halves_are_of_independent_reflections() -> None:
    """Spoiling one half leaves the solution of the other where it was, to the last bits."""
    dataset = plain()[2]
    found, system = refined(dataset)
    (fit,) = fits(found)
    second = fit.seen.fold // 2 % 2 == 1
    observed = fit.seen.observed.copy()
    observed[:2, second] += 0.1
    spoilt = replace(fit, seen=replace(fit.seen, observed=observed))
    halves = [
        [step_of_part(with_fit(found, one), system, part) for part in (Part.HALF_A, Part.HALF_B)]
        for one in (fit, spoilt)
    ]
    assert np.array_equal(halves[0][0].correction.values, halves[1][0].correction.values)
    assert not np.array_equal(halves[0][1].correction.values, halves[1][1].correction.values)


def test_halves_are_compared_after_alignment() -> None:
    found, system = refined(plain()[2])
    a, b = (step_of_part(found, system, part) for part in (Part.HALF_A, Part.HALF_B))
    variance = sum(np.diag(step.covariance).reshape(10, 6) for step in (a, b))
    gauge = found.last.gauge.reshape(10, 6, -1)
    apart = 1e3 * aligned(a.correction.values - b.correction.values, gauge, np.asarray(variance))
    halves = report().halves
    assert halves is not None
    assert halves.rms_in_plane_um == pytest.approx(np.sqrt(np.mean(apart[:, :2] ** 2)), rel=1e-6)
    assert halves.rms_normal_um == pytest.approx(np.sqrt(np.mean(apart[:, 2] ** 2)), rel=1e-6)


def test_halves_differ_by_what_their_uncertainties_say() -> None:
    halves = report().halves
    assert halves is not None
    assert halves.n_panels == 10
    assert 0.5 < halves.chi_square_per_degree < 1.6
    assert halves.rms_normal_um is not None
    in_plane = report(Freedom.IN_PLANE).halves
    assert in_plane is not None
    assert in_plane.rms_normal_um is None


def test_panels_without_a_hundred_reflections_in_both_halves_are_not_compared() -> None:
    layout, _, dataset = plain()
    table = dataset.reflections
    thin = np.ones(len(table), dtype=np.bool_)
    thin[np.flatnonzero(table.panel == 2)[150:]] = False
    few = replace(dataset, reflections=table.where(thin))
    halves = solution([few], layout).report.halves
    assert halves is not None
    assert halves.n_panels == 9
    every = solution([replace(dataset, reflections=table.where(np.arange(0, 6000, 5)))], layout)
    assert every.report.halves is None
    assert every.acceptance.accepted


def test_alignment_takes_out_a_rigid_motion_and_nothing_else() -> None:
    found, _ = refined(plain()[2])
    gauge = found.last.gauge.reshape(10, 6, -1)
    rng = np.random.default_rng(3)
    variance = rng.uniform(0.5, 2.0, size=(10, 6)) * [1e-6, 1e-6, 1e-5, 1e-9, 1e-9, 1e-9]
    own = rng.normal(size=(10, 6)) * np.sqrt(variance)
    moved_rigidly = own + gauge @ rng.normal(size=6)
    one, other = aligned(own, gauge, variance), aligned(moved_rigidly, gauge, variance)
    assert np.abs((one - other) / np.sqrt(variance)).max() < 1e-6
    assert (one**2 / variance).sum() <= (own**2 / variance).sum()
    assert aligned(gauge @ np.ones(6), gauge, variance) == pytest.approx(0.0, abs=1e-9)


# Datasets left out.


@cache
def two_datasets(moved_px: float) -> Report:
    """Two scans of one detector; in the second, one panel stands elsewhere."""
    layout, _, near = simulation(seed=1, n_reflections=3000)
    _, _, far = simulation(seed=2, distance_mm=400.0, n_reflections=3000)
    other = moved(far.dataset, far.dataset.reflections.panel == 4, np.array([moved_px, 0.0]))
    return solution([near.dataset, other], layout, options(Freedom.IN_PLANE)).report


def rms(both: BeforeAfter | None) -> tuple[float, float]:
    assert both is not None
    return (
        float(np.hypot(both.before.rms_x_px, both.before.rms_y_px)),
        float(np.hypot(both.after.rms_x_px, both.after.rms_y_px)),
    )


def test_a_dataset_left_out_is_described_by_the_corrections_of_the_others() -> None:
    for use in two_datasets(0.0).datasets:
        before, after = rms(use.left_out)
        assert after < 0.5 * before
        assert after > 0.95 * rms(use.rmsd)[1]
        assert before == pytest.approx(rms(use.rmsd)[0])


def test_a_panel_that_moved_between_two_datasets_shows_when_one_is_left_out() -> None:
    same, other = two_datasets(0.0), two_datasets(3.0)
    for quiet_use, loud_use in zip(same.datasets, other.datasets, strict=True):
        assert rms(loud_use.left_out)[1] > 3.0 * rms(quiet_use.left_out)[1]


def test_a_dataset_by_itself_has_nothing_to_be_left_out_from() -> None:
    assert report().datasets[0].left_out is None


# Convergence and counts.


def test_the_numbers_add_up() -> None:
    found = report()
    (use,) = found.datasets
    seen = started(plain()[2], plain()[0], options()).seen
    assert use.n_reflections + use.n_rejected == len(seen)
    assert sum(found.rejected_on_panel) == use.n_rejected
    panels = [panel.used.after.n for panel in found.panels if panel.used]
    assert sum(panels) == use.n_reflections
    convergence = found.convergence
    n_parameters = 60 - 6 + 6 + 3 + 2
    # What the prior says of well-measured panels is next to nothing.
    assert 3 * use.n_reflections - convergence.degrees_of_freedom == pytest.approx(
        n_parameters, abs=2
    )
    assert convergence.chi_square == pytest.approx(convergence.degrees_of_freedom, rel=0.01)
    assert convergence.converged
    assert convergence.last_shift_sigma < 0.02


def test_panels_are_reported_each_by_itself() -> None:
    layout, _, dataset = plain()
    found = report()
    assert len(found.panels) == len(layout)
    counts = np.bincount(dataset.reflections.panel, minlength=10)
    for index, panel in enumerate(found.panels):
        assert panel.used is not None
        assert panel.used.after.n <= counts[index]
        assert panel.used.after.rms_x_px == pytest.approx(NOISE_PX, rel=0.2)
        assert panel.held_out is not None


def test_distances_wavelengths_and_scales_are_those_of_the_data() -> None:
    (use,) = report().datasets
    assert use.distance_mm == pytest.approx(150.0, abs=0.1)
    assert use.wavelength_angstrom == 0.97625
    assert use.weight_scale == pytest.approx((1.0, 1.0, 1.0), abs=0.03)
