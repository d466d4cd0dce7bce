"""Detectors in groups: all levels in one solve, and who moves with whom."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import fit_rigid
from calib.model.detector.layout import Layout, PanelGroup
from calib.model.experiment.pose import facing_pose
from calib.simulate.cspad import assembled, cspad
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.still import StillsPlan, simulated_stills
from calib.simulate.truth import Tolerance
from calib.solve.panels.solution import Solution
from calib.solve.prior import PanelPrior, group_moves
from support.errors import deviations, errors_of
from support.misindexed import every_tenth, misindexed
from support.scenes import barrel, options, solution

ONE_MICROMETRE_MM = 1e-3
THREE_SD = 3.0
SECOND_ORDER_MM = 2e-3
"""Of 5 mrad over a row's half length."""
EMPTY = 7
ROWS = tuple(PanelGroup(f"row {row}", 1, (2 * row, 2 * row + 1)) for row in range(5))
LAYOUT = replace(known_layout("PILATUS 1M"), groups=ROWS)
IN_PLANE = Freedom.IN_PLANE
MOUNTED = (
    Tolerance(shift_mm=1.0, normal_mm=0.0, tilt_rad=0.0, spin_rad=5e-3),
    Tolerance(shift_mm=0.0, normal_mm=0.0, tilt_rad=0.0),
)


@cache
def rows_displaced(
    levels: int | None = None, *, grouped: bool = True
) -> tuple[Correction, Solution]:
    """Rows off by 1 mm and 5 mrad, one of two panels of a row in shadow."""
    truth = assembled(np.random.default_rng(4), LAYOUT, MOUNTED)
    pose = facing_pose(LAYOUT, 150.0, beam_centre_mm=(2.0, -3.0))
    plan = ScanPlan(n_reflections=6000, shadowed=((EMPTY, 0),), cell_angstrom=(31.0, 31.0, 74.0))
    scan = simulated_scan(np.random.default_rng(5), LAYOUT, truth, pose, plan, "rows")
    layout = LAYOUT if grouped else replace(LAYOUT, groups=())
    prior = PanelPrior(levels=levels)
    return truth, solution([scan.dataset], layout, options(IN_PLANE, prior=prior))


def as_estimated(found: Solution, truth: Correction) -> Correction:
    """The truth seen from where the estimate of the measured panels stands."""
    others = np.arange(len(LAYOUT)) != EMPTY
    corners = LAYOUT.corners_panel_mm()
    here = found.estimate.correction.frames(LAYOUT).points(corners)[others].reshape(-1, 3)
    there = truth.frames(LAYOUT).points(corners)[others].reshape(-1, 3)
    pose = fit_rigid(there, here, np.ones(len(here)))
    return Correction.between(LAYOUT, truth.frames(LAYOUT).moved(pose))


def error_um(found: Solution, truth: Correction, panel: int) -> float:
    miss = found.estimate.correction.values - as_estimated(found, truth).values
    return float(1e3 * np.linalg.norm(miss[panel, :2]))


def test_an_empty_panel_moves_with_its_group() -> None:
    truth, found = rows_displaced()
    _, alone = rows_displaced(grouped=False)
    assert found.report.convergence.converged
    assert found.estimate.n_reflections[EMPTY] == 0
    assert error_um(found, truth, EMPTY) < 200.0
    assert error_um(alone, truth, EMPTY) > 500.0


def test_errors_of_a_grouped_detector_scatter_as_claimed() -> None:
    truth, found = rows_displaced()
    chosen = np.arange(len(LAYOUT)) != EMPTY
    errors = errors_of(LAYOUT, found.estimate, truth)
    free = len(found.estimate.freedom.free)
    relative = errors.relative.reshape(-1, free)[chosen]
    assert np.sqrt(np.mean(relative**2)) < 1.5
    assert abs(deviations(float((relative**2).sum()), relative.size)) < 2 * THREE_SD


def test_levels_that_are_not_refined_move_with_their_group() -> None:
    _, found = rows_displaced(levels=1)
    corners = LAYOUT.corners_panel_mm()
    drawn, moved = (
        frames.points(corners)
        for frames in (LAYOUT.frames, found.estimate.correction.frames(LAYOUT))
    )
    for group in ROWS:
        here, there = (points[list(group.panels)].reshape(-1, 3) for points in (drawn, moved))
        miss = fit_rigid(here, there, np.ones(len(here))).points(here) - there
        assert np.abs(miss).max() < SECOND_ORDER_MM


def test_the_motion_of_a_group_is_that_of_its_panels() -> None:
    truth, found = rows_displaced()
    messages = {group.name: group for group in found.report.groups}
    assert list(messages) == [group.name for group in ROWS]
    true = as_estimated(found, truth).values
    for group in ROWS:
        if EMPTY in group.panels:
            continue
        rows = true[list(group.panels)][:, list(IN_PLANE.free)].ravel()
        motion = np.linalg.pinv(group_moves(LAYOUT, group, IN_PLANE.free)) @ rows
        mine = np.array(messages[group.name].values)[list(IN_PLANE.free)]
        assert np.abs(motion[:2]).max() > 0.1
        assert np.abs(mine - motion)[:2].max() < 5 * ONE_MICROMETRE_MM
    assert messages["row 0"].sigma[2] is None


def test_without_groups_the_prior_is_the_tolerance_of_each_panel() -> None:
    layout = replace(LAYOUT, groups=())
    prior = PanelPrior()
    precision = prior.precision(layout, Freedom.FULL.free)
    expected = np.diag(np.tile(prior.sigma() ** -2.0, len(layout)))
    np.testing.assert_allclose(precision, expected, rtol=1e-14, atol=0.0)


@pytest.mark.parametrize("freedom", list(Freedom))
@pytest.mark.parametrize("layout", [LAYOUT, cspad(), barrel()], ids=["rows", "cspad", "barrel"])
def test_the_prior_is_a_covariance_and_its_inverse(layout: Layout, freedom: Freedom) -> None:
    if not layout.groups:
        rows = tuple(
            PanelGroup(f"row {k}", 1, tuple(range(3 * k, 3 * k + 3)))
            for k in range(len(layout) // 3)
        )
        layout = replace(layout, groups=rows)
    prior = PanelPrior()
    covariance = prior.covariance(layout, freedom.free)
    assert np.linalg.eigvalsh(covariance).min() > 0.0
    product = prior.precision(layout, freedom.free) @ covariance
    assert np.abs(product - np.eye(len(product))).max() < 1e-6


def test_a_prior_is_read_back_from_what_a_calibration_records() -> None:
    prior = PanelPrior(shift_mm=0.25, normal_mm=0.125, tilt_rad=0.002, ratio=4.0, levels=1)
    assert PanelPrior.from_content(prior.content(cspad())) == prior
    ungrouped = replace(prior, ratio=PanelPrior().ratio, levels=None)
    assert PanelPrior.from_content(prior.content(known_layout("PILATUS 300K"))) == ungrouped
    assert PanelPrior.from_content({}) == PanelPrior()


def test_groups_survive_the_record_and_do_not_change_what_a_layout_is() -> None:
    layout = cspad()
    again = Layout.from_content(layout.content())
    assert again.groups == layout.groups
    bare = replace(layout, groups=())
    assert "groups" not in bare.content()
    identity = (bare.identity(), layout.identity())
    assert all(np.array_equal(identity[0][key], identity[1][key]) for key in identity[0])


@pytest.mark.long
@pytest.mark.parametrize("spoilt", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cspad_is_recovered_from_300_stills(seed: int, spoilt: bool) -> None:
    """Quadrants off by 1 mm and 5 mrad, sensors by 0.1 mm: within 5 micrometres in the plane, also
    where a tenth of the crystals is indexed wrongly."""
    layout, rng = cspad(), np.random.default_rng(seed)
    tolerances = [Tolerance(1.0, 0.0, 0.0, 5e-3), Tolerance(0.1, 0.0, 0.0, 1e-3)]
    truth = assembled(rng, layout, tolerances)
    pose = facing_pose(layout, 105.0)
    plan = StillsPlan()
    made = simulated_stills(rng, layout, truth, pose, plan, "cspad").dataset
    wrong = every_tenth(plan.n_crystals).tolist() if spoilt else []
    found = solution([misindexed(made, wrong)], layout, options(IN_PLANE))
    assert [one.experiment for one in found.report.misfits] == wrong
    counts = found.estimate.n_reflections
    chosen = np.zeros(len(layout), dtype=np.bool_)
    for group in layout.groups:
        if group.level == 2 and counts[list(group.panels)].sum() >= 200:
            chosen[list(group.panels)] = True
    assert chosen.sum() >= 60
    errors = corner_errors(layout, found.estimate.correction, truth, pose, chosen)
    assert errors.in_plane_um < 5.0
