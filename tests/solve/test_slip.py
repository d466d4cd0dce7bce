"""Crystals that slip in the middle of a scan, and ones that only drift."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.experiment.experiment import Scan
from calib.model.experiment.pose import facing_pose
from calib.model.result.report import DatasetUse
from calib.simulate.scan import ScanPlan, SimulatedScan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import random_correction
from calib.solve.dataset.parameters import Slip
from calib.solve.dataset.prediction import PANEL_COLUMNS
from calib.solve.dataset.slip import (
    HeldOutLosses,
    _by_itself,
    _parted,
    _steepest,
    is_kept,
    slips_of,
    split,
)
from calib.solve.options import Crystals, SolveOptions
from calib.solve.panels.solution import Solution
from calib.solve.prior import PanelPrior
from support.scenes import options, solution, started

LAYOUT = known_layout("PILATUS 1M")
TRUTH = random_correction(np.random.default_rng(3), LAYOUT)
SLIP_RAD = np.radians(0.3)
SHORT_RAD, LONG_RAD = np.radians(60.0), np.radians(180.0)
A_FEW_IMAGES_DEG = 0.3
A_DEGREE = 1.0
"""In which a weak scan has some ten reflections."""
HARDLY_WORSE = 1.25
ROUNDING = 1e-9


@cache
def scan(range_rad: float, slip_rad: float, drift_rad: float = 0.0) -> SimulatedScan:
    plan = ScanPlan(8000, range_rad=range_rad, slip_rad=slip_rad, drift_rad=drift_rad)
    pose = facing_pose(LAYOUT, 200.0, beam_centre_mm=(1.5, -2.0))
    return simulated_scan(np.random.default_rng(5), LAYOUT, TRUTH, pose, plan, "scan")


@cache
def solved(data: SimulatedScan, crystals: Crystals) -> Solution:
    free = crystals is not Crystals.STATIC
    chosen = SolveOptions(
        Freedom.FULL, PanelPrior(), free_beam=free, free_strain=free, crystals=crystals
    )
    return solution([data.dataset], LAYOUT, chosen)


def use_of(data: SimulatedScan) -> DatasetUse:
    return solved(data, Crystals.AUTO).report.datasets[0]


def seen_um(data: SimulatedScan, crystals: Crystals) -> float:
    found = solved(data, crystals).estimate.correction
    return corner_errors(LAYOUT, found, TRUTH, data.true_pose).seen_um


@pytest.mark.parametrize("range_rad", [SHORT_RAD, pytest.param(LONG_RAD, marks=pytest.mark.long)])
def test_a_slip_is_found_where_it_was_and_spoils_nothing(range_rad: float) -> None:
    slipped, sound = scan(range_rad, SLIP_RAD), scan(range_rad, 0.0)
    use = use_of(slipped)
    assert use.slips_deg == pytest.approx([0.5 * np.degrees(range_rad)], abs=A_FEW_IMAGES_DEG)
    assert use.n_crystals == 2
    assert use.n_rejected < 0.02 * use.n_reflections
    assert seen_um(slipped, Crystals.AUTO) < HARDLY_WORSE * seen_um(sound, Crystals.AUTO)


def test_a_slip_is_found_though_few_reflections_share_a_panel() -> None:
    plan = ScanPlan(280, range_rad=SHORT_RAD)
    pose = facing_pose(LAYOUT, 200.0, beam_centre_mm=(1.5, -2.0))
    scans = []
    for seed, slip_rad in ((1, 0.0), (2, SLIP_RAD), (3, 0.0)):
        rng, own = np.random.default_rng(seed), replace(plan, slip_rad=slip_rad)
        scans.append(simulated_scan(rng, LAYOUT, TRUTH, pose, own, f"scan{seed}").dataset)
    chosen = options(crystals=Crystals.AUTO)
    assert all(started(dataset, LAYOUT, chosen).is_batched for dataset in scans)
    slips = [use.slips_deg for use in solution(scans, LAYOUT, chosen).report.datasets]
    here = pytest.approx((0.5 * np.degrees(SHORT_RAD),), abs=A_DEGREE)
    assert slips == [(), here, ()]


def test_a_slip_that_is_held_to_be_none_spoils_the_panels() -> None:
    """The test above can fail."""
    slipped, sound = scan(SHORT_RAD, SLIP_RAD), scan(SHORT_RAD, 0.0)
    assert seen_um(slipped, Crystals.STATIC) > 5.0 * seen_um(sound, Crystals.AUTO)


@pytest.mark.parametrize(
    ("range_rad", "drift_rad"),
    [
        (SHORT_RAD, 0.0),
        (SHORT_RAD, 1e-3),
        pytest.param(SHORT_RAD, 3e-4, marks=pytest.mark.long),
        pytest.param(LONG_RAD, 3e-3, marks=pytest.mark.long),
    ],
)
def test_a_crystal_that_stands_still_or_drifts_has_not_slipped(
    range_rad: float, drift_rad: float
) -> None:
    assert use_of(scan(range_rad, 0.0, drift_rad)).slips_deg == ()


@pytest.mark.parametrize("pose_per_experiment", [False, True])
def test_a_slip_by_nothing_changes_no_prediction(pose_per_experiment: bool) -> None:
    chosen = options(pose_per_experiment=pose_per_experiment)
    fit = started(scan(SHORT_RAD, 0.0).dataset, LAYOUT, chosen)
    parted = split(fit, Slip(0, 0.4, (0.0, 0.0, 0.0)))
    none = Correction.none(len(LAYOUT))
    for one, other in zip(
        np.sort(fit.residuals(none), axis=1), np.sort(parted.residuals(none), axis=1), strict=True
    ):
        assert np.abs(one - other).max() < ROUNDING
    early, late = (parted.seen.observed[2, parted.seen.experiment == k] for k in (0, 1))
    assert early.max() <= 0.4 < late.min()
    scans, entries = parted.dataset.experiments.scans, parted.dataset.experiments.experiments
    one, two = (scans[entry.scan or 0] for entry in entries)
    assert one.end_rad == pytest.approx(two.start_rad)
    assert one.n_images + two.n_images == scans[0].n_images
    assert parted.n_parameters == fit.n_parameters + 5 + 6 * pose_per_experiment


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("share", "n_early"), [(0.3, 30), (0.0, 1), (1.0, 99)])
def test_the_images_of_a_scan_are_shared_by_its_parts_as_the_crystal_slipped(
    sign: float, share: float, n_early: int
) -> None:
    """Each part has an image at least, and keeps the angles that its images had."""
    width = sign * np.radians(0.5)
    models = scan(SHORT_RAD, 0.0).dataset.experiments
    whole = Scan((11, 110), 0.2, width, None)
    models = replace(models, scans=(whole,))
    found = _parted(models, Slip(0, 0.2 + share * 100 * width, (0.0, 0.0, 0.0)))
    kept, other = (found.scans[found.experiments[place].scan or 0] for place in (0, 1))
    early, late = (kept, other) if sign > 0.0 else (other, kept)
    assert early.image_range == (11, 10 + n_early)
    assert late.image_range == (11 + n_early, 110)
    assert early.start_rad == 0.2
    assert early.end_rad == pytest.approx(late.start_rad)
    assert late.end_rad == pytest.approx(whole.end_rad)
    assert (early.width_rad, late.width_rad) == (width, width)


def test_a_step_that_explains_little_of_the_scatter_is_no_slip() -> None:
    """However unlikely by chance: a thousand times as many reflections do not make it striking."""
    rng = np.random.default_rng(1)
    verdicts = []
    for size in (0.05, 3.0):
        n = 20_000
        phi = np.linspace(0.0, 1.0, n)
        jacobian = np.zeros((3, PANEL_COLUMNS + 12, n))
        jacobian[:, PANEL_COLUMNS : PANEL_COLUMNS + 3] = rng.normal(size=(3, 3, n))
        turn = np.array([size, -size, size])
        step = np.einsum("kin,i->kn", jacobian[:, PANEL_COLUMNS : PANEL_COLUMNS + 3], turn)
        jacobian[:, -1] = rng.normal(size=(3, n)) + step * (phi > 0.4)
        verdicts.append(_steepest(0, phi, jacobian, np.ones((3, n))))
    assert verdicts[0] is None
    assert verdicts[1] is not None
    _, slip = verdicts[1]
    assert slip.phi_rad == pytest.approx(0.4, abs=1e-3)
    assert slip.turn_rad == pytest.approx((3.0, -3.0, 3.0), abs=0.1)


def test_the_smaller_part_of_a_scan_that_slipped_far_is_not_distrusted() -> None:
    """A crystal refined without it would make outliers of most of its reflections."""
    half_rad = 0.5 * SHORT_RAD
    plan = ScanPlan(2000, range_rad=SHORT_RAD, slip_rad=np.radians(3.0))
    pose = facing_pose(LAYOUT, 200.0, beam_centre_mm=(1.5, -2.0))
    data = simulated_scan(np.random.default_rng(5), LAYOUT, TRUTH, pose, plan, "scan").dataset
    table = data.reflections
    fewer = np.random.default_rng(1).random(len(table)) < 0.3
    data = replace(data, reflections=table.where((table.centroid_mm[:, 2] < half_rad) | fewer))
    fit = started(data, LAYOUT, options())
    fit = _by_itself(replace(fit, trust=np.full(len(fit.seen), 0.5)), TRUTH)
    early = fit.seen.observed[2] < half_rad
    trust = fit.keep * fit.trust
    assert trust[early].mean() > 0.9
    assert trust[~early].mean() > 0.6


BEST = HeldOutLosses(split=900.0, static=1500.0, smooth=1000.0)
MIDDLE = HeldOutLosses(split=1200.0, static=1500.0, smooth=1000.0)
WORST = HeldOutLosses(split=1600.0, static=1500.0, smooth=1000.0)


def test_a_slip_is_kept_if_it_is_best_somewhere_and_worst_nowhere() -> None:
    assert is_kept([BEST]) and is_kept([BEST, MIDDLE]) and is_kept([MIDDLE, BEST])
    assert not is_kept([MIDDLE])
    assert not is_kept([MIDDLE, MIDDLE])
    assert not is_kept([BEST, WORST])
    assert not is_kept([WORST, BEST])


@pytest.mark.parametrize(
    "losses",
    [
        HeldOutLosses(split=960.0, static=1500.0, smooth=1000.0),
        HeldOutLosses(split=96.0, static=110.0, smooth=110.0),
        HeldOutLosses(split=900.0, static=940.0, smooth=1000.0),
    ],
    ids=["little better than smooth", "few reflections", "little better than static"],
)
def test_a_slip_must_predict_clearly_better(losses: HeldOutLosses) -> None:
    assert not losses.is_best
    assert not losses.is_worst


@pytest.mark.long
def test_a_slip_that_the_panels_absorbed_is_found_where_they_were_drawn() -> None:
    """At panels that explain the residuals of a static crystal, a slip is not striking."""
    plan = ScanPlan(1500, range_rad=SHORT_RAD, slip_rad=5e-4)
    none = Correction.none(len(LAYOUT))
    pose = facing_pose(LAYOUT, 200.0, beam_centre_mm=(1.5, -2.0))
    made = simulated_scan(np.random.default_rng(6), LAYOUT, none, pose, plan, "scan")
    chosen = options(crystals=Crystals.AUTO)
    start = started(made.dataset, LAYOUT, chosen)
    nominal, _ = start.refined_at(none, robust=True, iterations=5)
    far = Correction(np.random.default_rng(7).normal(size=(10, 6)) * [2, 2, 0, 0, 0, 0])
    refined, _ = start.refined_at(far, robust=True, iterations=5)
    assert slips_of(refined, far, chosen) == ()
    (slip,) = slips_of(refined, far, chosen, nominal)
    assert np.degrees(slip.phi_rad) == pytest.approx(0.5 * np.degrees(SHORT_RAD), abs=A_DEGREE)
