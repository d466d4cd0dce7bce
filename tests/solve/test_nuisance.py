"""Nuisance parameters that are free with priors: what they prevent, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, SimulatedScan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import Tolerance, random_correction
from calib.solve.algebra.priors import BeamPrior, ChangePrior, PosePrior, complement
from calib.solve.algebra.rigid_motion import (
    gauge_directions,
    tangents_from_parameters,
)
from calib.solve.dataset.crystal_equations import crystal_equations
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.normal_equations import TAIL_COLUMNS, Blocks
from calib.solve.options import Crystals, SolveOptions
from calib.solve.panels.solution import Solution
from calib.solve.prior import PanelPrior
from support.scenes import options, solution, started

LAYOUT = known_layout("PILATUS 1M")
TRUTH = random_correction(
    np.random.default_rng(3), LAYOUT, Tolerance(shift_mm=0.02, normal_mm=0.01, tilt_rad=2e-4)
)
RANGE_RAD = np.radians(80.0)
DISTANCES_MM = (200.0, 120.0)
HARDLY_MORE = 1.02
FREE: dict[str, Any] = {
    "free_beam": True,
    "free_strain": True,
    "free_shift": True,
    "crystals": Crystals.AUTO,
}
EFFECTS = {
    "beam tilted towards the spindle": 0.5,
    "cell that lacks its symmetry": 0.5,
    "crystal that drifts": 0.5,
    "spots that shift": 0.75,
}
"""Each with the fraction of the narrow model's error that is left at most."""


@cache
def scans(effect: str) -> tuple[SimulatedScan, ...]:
    """Scans of one crystal each at two distances."""
    found = []
    for seed, distance_mm in enumerate(DISTANCES_MM):
        cell = (57.8, 57.8 * (1.0005 if "symmetry" in effect else 1.0), 150.2)
        plan = ScanPlan(
            7000,
            range_rad=RANGE_RAD,
            cell_angstrom=cell,
            drift_rad=2e-3 if "drifts" in effect else 0.0,
        )
        pose = facing_pose(LAYOUT, distance_mm, beam_centre_mm=(1.5, -2.0))
        rng = np.random.default_rng(5 + seed)
        found.append(simulated_scan(rng, LAYOUT, TRUTH, pose, plan, f"scan{seed}"))
    return tuple(found)


def changed(dataset: Dataset, effect: str) -> Dataset:
    models, table = dataset.experiments, dataset.reflections
    if "tilted" in effect:
        (beam,) = models.beams
        turn = rotation_from_vector(np.array([0.0, 1e-3, 0.0]))
        beams = (replace(beam, direction=turn @ beam.direction),)
        return replace(dataset, experiments=replace(models, beams=beams))
    if "spots" in effect:
        centroid = table.centroid_mm.copy()
        time = centroid[:, 2] / RANGE_RAD
        centroid[:, 0] += 0.3 * time
        centroid[:, 1] += 0.2 * np.sin(3.0 * time)
        return replace(dataset, reflections=replace(table, centroid_mm=centroid))
    return dataset


@cache
def solved(effect: str, *, wide: bool) -> Solution:
    data = [changed(one.dataset, effect) for one in scans(effect)]
    return solution(data, LAYOUT, options(**(FREE if wide else {})))


def error_um(effect: str, *, wide: bool) -> float:
    """In the plane and along the normal, added in quadrature."""
    pose: RigidMotion = scans(effect)[-1].true_pose
    correction = solved(effect, wide=wide).estimate.correction
    found = corner_errors(LAYOUT, correction, TRUTH, pose)
    return float(np.hypot(found.in_plane_um, found.normal_um))


def deviation_in_sigma(effect: str) -> float:
    """Root mean square of the panels' errors in sigma, rigid motions of all panels removed."""
    estimate = solved(effect, wide=True).estimate
    frames = estimate.correction.frames(LAYOUT)
    gauge = gauge_directions(
        frames.rotation,
        frames.points(0.5 * LAYOUT.size_mm[:, None, :])[:, 0],
        tangents_from_parameters(estimate.correction),
        Freedom.FULL,
    )
    sigma = estimate.sigma.ravel()
    error = (estimate.correction.values - TRUTH.values).ravel() / sigma
    rigid, _ = np.linalg.qr(gauge / sigma[:, None])
    left = error - rigid @ (rigid.T @ error)
    return float(np.sqrt((left @ left) / (len(left) - gauge.shape[1])))


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_effect_that_is_free_does_not_shift_the_panels(effect: str) -> None:
    assert error_um(effect, wide=True) < EFFECTS[effect] * error_um(effect, wide=False)
    assert error_um(effect, wide=True) < 1.5 * error_um("none", wide=True)
    assert deviation_in_sigma(effect) < 1.5
    assert solved(effect, wide=True).report.convergence.converged


def test_parameters_that_are_free_without_need_cost_the_panels_next_to_nothing() -> None:
    assert error_um("none", wide=True) < HARDLY_MORE * error_um("none", wide=False)
    sigmas = [solved("none", wide=wide).estimate.sigma for wide in (True, False)]
    assert np.median(sigmas[0] / sigmas[1]) < HARDLY_MORE


def test_the_default_is_the_wide_model() -> None:
    chosen = SolveOptions(Freedom.FULL, PanelPrior())
    assert {name: getattr(chosen, name) for name in FREE} == FREE
    fit = started(scans("none")[0].dataset, LAYOUT, chosen)
    assert fit.beam_prior == BeamPrior(1e-3)
    assert fit.penalty.forbidden == pytest.approx(1e-3)
    assert fit.instrument.forbidden[0].shape == (6, 4)


# The equations.


def shifting_fit() -> DatasetFit:
    """A scan whose spots shift, crystal and shift off their places."""
    dataset = changed(scans("none")[0].dataset, "spots that shift")
    fit = started(dataset, LAYOUT, options(**FREE)).varying()
    rng = np.random.default_rng(2)
    nuisance = fit.nuisance
    return replace(
        fit,
        nuisance=replace(
            nuisance,
            drift=1e-4 * rng.normal(size=nuisance.drift.shape),
            shift_mm=0.02 * rng.normal(size=nuisance.shift_mm.shape),
        ),
    )


def test_the_equations_of_a_shift_are_the_gradient_of_chi_square() -> None:
    fit, none = shifting_fit(), Correction.none(len(LAYOUT))
    blocks, _ = fit.blocks(none)
    assert isinstance(blocks, Blocks)
    sums = blocks.by_crystal(fit.instrument.crystal)[0]
    equations = crystal_equations(sums, 0, fit.instrument, fit.nuisance, len(LAYOUT), prior=None)
    found = (equations.basis @ equations.across[:, -1])[equations.columns.shift(0)]

    def chi_square(column: int, step_mm: float) -> float:
        shift_mm = fit.nuisance.shift_mm.copy()
        shift_mm[0].reshape(-1)[column] += step_mm
        moved = replace(fit, nuisance=replace(fit.nuisance, shift_mm=shift_mm))
        return float((fit.weights * moved.residuals(none) ** 2).sum())

    step = 1e-4
    expected = [
        -0.25 * (chi_square(k, step) - chi_square(k, -step)) / step for k in range(len(found))
    ]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * np.abs(expected).max())


def test_the_equations_of_a_crystal_that_has_changed_are_the_gradient_of_chi_square() -> None:
    """Of rotation and strain, however far the splines are from zero."""
    fit, none = shifting_fit(), Correction.none(len(LAYOUT))
    drift = 5e-3 * np.random.default_rng(3).normal(size=fit.nuisance.drift.shape)
    fit = replace(fit, nuisance=replace(fit.nuisance, drift=drift))
    blocks, _ = fit.blocks(none)
    assert isinstance(blocks, Blocks)
    sums = blocks.by_crystal(fit.instrument.crystal)[0][0]
    found = sums.crystal_detector[:, TAIL_COLUMNS - 1].reshape(-1, 9).T

    def chi_square(row: int, column: int, step: float) -> float:
        moved = drift.copy()
        moved[row, column] += step
        changed = replace(fit, nuisance=replace(fit.nuisance, drift=moved))
        return float(np.nansum(fit.weights * changed.residuals(none) ** 2))

    step, column = 1e-7, 4
    expected = [
        -0.25 * (chi_square(k, column, step) - chi_square(k, column, -step)) / step
        for k in range(9)
    ]
    assert found[:, column] == pytest.approx(expected, rel=1e-5, abs=1e-5 * np.abs(found).max())


def test_strains_that_the_symmetry_forbids_complete_those_it_allows() -> None:
    allowed: Floats = np.zeros((6, 2))
    allowed[:2, 0], allowed[2, 1] = np.sqrt(0.5), 1.0
    forbidden = complement(allowed)
    both = np.concatenate([allowed, forbidden], axis=1)
    assert both.T @ both == pytest.approx(np.eye(6), abs=1e-12)


def test_the_prior_of_a_change_grows_with_the_range_of_the_scan() -> None:
    prior = ChangePrior()
    assert prior.sigma(np.radians(90.0)) == pytest.approx([9e-3] * 3 + [4.5e-3] * 6)
    assert prior.sigma(np.radians(0.5)) == pytest.approx([2e-4] * 9)


def test_a_pose_prior_is_the_inverse_of_its_variances() -> None:
    prior = PosePrior(0.2, 1e-3)
    assert np.diag(prior.information()) == pytest.approx([25.0] * 3 + [1e6] * 3)
