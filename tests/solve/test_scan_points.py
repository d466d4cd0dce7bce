"""Crystals whose files say how they changed: what the refinement starts from."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from calib.model.detector.correction import Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import rotation_from_vector
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import Crystal
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, SimulatedScan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import random_correction
from calib.solve.dataset.scan_varying import following
from calib.solve.joint.dataset_state import DatasetState, free_scan_varying
from calib.solve.options import Crystals, SolveOptions
from calib.solve.panels.solution import Solution
from calib.solve.prior import PanelPrior
from support.scenes import options, solution, started

LAYOUT = known_layout("PILATUS 1M")
TRUTH = random_correction(np.random.default_rng(3), LAYOUT)
WIDE_RAD = 1.5e-2
"""As far as integrated data of real sweeps have turned from their static crystal."""
AS_INDEXED_RAD = 3e-4
WELL_UM = 5.0
A_HUNDREDTH_PX = 0.01


def scan(drift_rad: float, n_reflections: int = 8000) -> SimulatedScan:
    plan = ScanPlan(n_reflections, range_rad=np.pi, drift_rad=drift_rad)
    pose = facing_pose(LAYOUT, 200.0, beam_centre_mm=(1.5, -2.0))
    return simulated_scan(np.random.default_rng(5), LAYOUT, TRUTH, pose, plan, "scan")


def with_scan_points(data: SimulatedScan, off_rad: float) -> Dataset:
    """The dataset with the true scan points, each off by some noise, in its file."""
    points = data.true_crystal.a_at_scan_points
    assert points is not None
    rough = np.random.default_rng(1).normal(scale=off_rad, size=points.shape)
    points = points @ (np.eye(3) + rough)
    (static,) = data.dataset.experiments.crystals
    crystal = Crystal(static.real_space, static.hall_symbol, points)
    return replace(data.dataset, experiments=replace(data.dataset.experiments, crystals=(crystal,)))


def solved(dataset: Dataset) -> Solution:
    return solution([dataset], LAYOUT, SolveOptions(Freedom.FULL, PanelPrior()))


def in_plane_um(found: Solution, data: SimulatedScan) -> float:
    correction = found.estimate.correction
    return corner_errors(LAYOUT, correction, TRUTH, data.true_pose).in_plane_um


def test_scan_points_start_the_spline_where_the_crystal_was() -> None:
    data = scan(WIDE_RAD)
    pose = data.true_pose
    true = replace(data.dataset.detector, frames=LAYOUT.frames.moved(pose), lab_from_root=pose)
    dataset = replace(with_scan_points(data, 0.0), detector=true)
    chosen = options(crystals=Crystals.AUTO)
    fit = following(started(dataset, LAYOUT, chosen), chosen)
    assert fit.interval_deg == pytest.approx(15.0)
    px = fit.residuals(TRUTH)[:2] / fit.pixel_mm
    assert np.sqrt(np.mean(px**2)) < 0.1 + A_HUNDREDTH_PX


def test_a_scan_varying_beam_and_goniometer_start_from_the_mean_of_their_scan_points() -> None:
    """As far from the static models of the file as DIALS may leave them."""
    dataset = scan(0.0, 2000).dataset
    models = dataset.experiments
    (beam,), (gonio,) = models.beams, models.goniometers
    turns = [rotation_from_vector(np.array([0.0, k, 0.0])) for k in (0.0, 2e-3, 4e-3)]
    beam = replace(beam, s0_at_scan_points=np.array([turn @ beam.s0 for turn in turns]))
    gonio = replace(
        gonio, setting_at_scan_points=np.array([turn @ gonio.setting for turn in turns])
    )
    varying = replace(models, beams=(beam,), goniometers=(gonio,))
    static = started(dataset, LAYOUT, options())
    fit = started(replace(dataset, experiments=varying), LAYOUT, options())
    expected = turns[1] @ static.nuisance.s0
    np.testing.assert_allclose(fit.nuisance.s0, expected, rtol=0, atol=1e-12)
    expected = np.einsum("ij,jke->ike", turns[1], static.instrument.setting)
    np.testing.assert_allclose(fit.instrument.setting, expected, rtol=0, atol=1e-12)


def test_a_crystal_held_still_follows_nothing() -> None:
    chosen = options(crystals=Crystals.STATIC)
    fit = started(with_scan_points(scan(1e-3), 0.0), LAYOUT, chosen)
    assert following(fit, chosen) is fit


def test_a_wide_change_is_followed_sooner_from_what_the_file_says() -> None:
    data = scan(WIDE_RAD)
    found, without_scan_points = (
        solved(with_scan_points(data, AS_INDEXED_RAD)),
        solved(data.dataset),
    )
    assert found.report.convergence.converged
    assert found.report.datasets[0].crystal_interval_deg == pytest.approx(15.0)
    assert in_plane_um(found, data) < WELL_UM
    assert found.report.convergence.iterations < without_scan_points.report.convergence.iterations


def test_scan_points_of_several_crystals_start_the_spline_of_each() -> None:
    """The second of three has none, so that nothing is known of how it changed."""
    data = scan(WIDE_RAD)
    pose = data.true_pose
    true = replace(data.dataset.detector, frames=LAYOUT.frames.moved(pose), lab_from_root=pose)
    one = replace(with_scan_points(data, 0.0), detector=true)
    models, table = one.experiments, one.reflections
    (entry,), (crystal,) = models.experiments, models.crystals
    points = crystal.a_at_scan_points
    assert points is not None
    static = replace(crystal, a_at_scan_points=None)
    reversed_points = replace(crystal, a_at_scan_points=points[::-1].copy())
    crystals = (crystal, static, reversed_points)
    entries = tuple(replace(entry, crystal=k, identifier=str(k)) for k in range(3))
    experiment = np.repeat(np.arange(3), len(table))
    repeated = table.where(np.tile(np.arange(len(table)), 3))
    several = replace(
        one,
        experiments=replace(models, experiments=entries, crystals=crystals),
        reflections=replace(repeated, experiment=experiment),
    )
    chosen = options(crystals=Crystals.VARYING)
    alone = following(started(one, LAYOUT, chosen), chosen)
    fit = following(started(several, LAYOUT, chosen), chosen)
    n = alone.instrument.coefficients[0]
    assert n > 1
    offsets = np.cumsum([0, *fit.instrument.coefficients])
    parts = [fit.nuisance.drift[:, a:b] for a, b in pairwise(offsets.tolist())]
    assert parts[0] == pytest.approx(alone.nuisance.drift)
    assert not parts[1].any()
    assert np.abs(parts[2] - parts[0]).max() > 1e-3
    assert parts[2] == pytest.approx(parts[0][:, ::-1], abs=1e-3)


def three_experiments(data: Dataset, n_with_reflections: int = 3) -> Dataset:
    """The scan of ``data`` as experiments with a crystal each, the last ones without
    reflections."""
    models, table = data.experiments, data.reflections
    entries = tuple(replace(models.experiments[0], crystal=k, identifier=str(k)) for k in range(3))
    experiment = np.repeat(np.arange(n_with_reflections), len(table))
    repeated = table.where(np.tile(np.arange(len(table)), n_with_reflections))
    return replace(
        data,
        experiments=replace(models, experiments=entries, crystals=models.crystals * 3),
        reflections=replace(repeated, experiment=experiment),
    )


def test_the_interval_that_is_reported_is_the_shortest_of_crystals_that_vary() -> None:
    """Of 180 degrees k coefficients make k - 3 intervals; static crystals have none."""
    fit = started(three_experiments(scan(1e-3).dataset), LAYOUT, options())
    seen = replace(fit.seen, basis=np.zeros((4, len(fit.seen))))
    for coefficients, expected in (
        ((1, 1, 1), None),
        ((1, 9, 1), 30.0),
        ((9, 1, 18), 12.0),
        ((18, 9, 1), 12.0),
    ):
        held = replace(fit.instrument, coefficients=coefficients)
        varying = replace(fit, seen=seen, instrument=held)
        assert varying.interval_deg == pytest.approx(expected)


def test_experiments_without_reflections_have_no_influence_on_splines() -> None:
    """Neither their scan points nor the range of their scans."""
    chosen = options(crystals=Crystals.VARYING)
    data = with_scan_points(scan(WIDE_RAD), 0.0)
    alone = following(started(data, LAYOUT, chosen), chosen)
    several = three_experiments(data, n_with_reflections=1)
    models = several.experiments
    points = models.crystals[0].a_at_scan_points
    assert points is not None
    reversed_points = replace(models.crystals[0], a_at_scan_points=points[::-1].copy())
    shorter = replace(models.scans[0], width_rad=0.5 * models.scans[0].width_rad)
    several = replace(
        several,
        experiments=replace(
            models,
            crystals=(models.crystals[0], reversed_points, reversed_points),
            scans=(models.scans[0], shorter),
            experiments=(*models.experiments[:2], replace(models.experiments[2], scan=1)),
        ),
    )
    fit = following(started(several, LAYOUT, chosen), chosen)
    assert fit.nuisance.drift == pytest.approx(alone.nuisance.drift)
    assert fit.interval_deg == alone.interval_deg


def test_crystals_that_vary_already_are_not_freed_again() -> None:
    chosen = options(crystals=Crystals.VARYING)
    fit = following(started(with_scan_points(scan(1e-3), 0.0), LAYOUT, chosen), chosen)
    assert fit.seen.basis is not None
    state = DatasetState(fit, fit)
    again, changed = free_scan_varying(state, TRUTH, chosen)
    assert again is state
    assert changed is False


@pytest.mark.parametrize(("crystal", "scan_index"), [(None, 0), (0, None)])
def test_experiments_without_a_crystal_or_a_scan_do_not_disturb_those_with_both(
    crystal: int | None, scan_index: int | None
) -> None:
    """Such as images that were not indexed, and stills, in the file of a sweep."""
    one = with_scan_points(scan(WIDE_RAD, 2000), 0.0)
    models = one.experiments
    (entry,) = models.experiments
    other = replace(entry, identifier="other", crystal=crystal, scan=scan_index)
    both = replace(one, experiments=replace(models, experiments=(entry, other)))
    chosen = options(crystals=Crystals.VARYING)
    alone, beside = (following(started(data, LAYOUT, chosen), chosen) for data in (one, both))
    assert alone.nuisance.drift.any()
    assert np.array_equal(beside.nuisance.drift, alone.nuisance.drift)
