"""Reflections that an earlier refinement flagged as outliers are judged anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Freedom
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.affected_scan import affected_scan
from calib.simulate.effects.flags import RigidFlags
from calib.simulate.scan import ScanPlan
from calib.simulate.truth import random_correction
from calib.solve.algebra.density import mode
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.outliers import OutlierClassification, classify_outliers
from support.judged import observations
from support.scenes import options, solution

N, PER_PANEL = 2000, 200
SHIFTED = 4
"""The panel whose reflections were flagged, since it was displaced."""


def noise(seed: int) -> tuple[np.random.Generator, Ints, Floats]:
    rng = np.random.default_rng(seed)
    panel = np.repeat(np.arange(N // PER_PANEL), PER_PANEL)
    return rng, panel, rng.normal(size=(3, N))


def classified(
    panel: Ints, flagged: Bools, residuals: Floats, *, in_place: bool = True
) -> OutlierClassification:
    seen: Observations = replace(observations(panel), flagged=flagged)
    return classify_outliers(seen, residuals, in_place=in_place)


def test_a_displaced_panel_gets_its_reflections_back() -> None:
    """Those that were not flagged are the tail next to where the panel was drawn."""
    _, panel, residuals = noise(1)
    mine = panel == SHIFTED
    flagged = mine & (residuals[0] > -1.5)
    residuals[0, mine] += 3.0
    found = classified(panel, flagged, residuals)
    assert found.keep[flagged].mean() > 0.98
    assert found.keep[mine & ~flagged].mean() > 0.8
    assert found.disputed == ()


def test_a_panel_all_of_whose_reflections_were_flagged_is_measured() -> None:
    _, panel, residuals = noise(2)
    mine = panel == SHIFTED
    residuals[:2, mine] += 30.0
    assert classified(panel, mine, residuals).keep[mine].mean() > 0.98


def test_flags_are_obeyed_until_panels_are_in_place() -> None:
    _, panel, residuals = noise(3)
    flagged = panel == SHIFTED
    assert not classified(panel, flagged, residuals, in_place=False).keep[flagged].any()


def test_true_outliers_stay_out() -> None:
    rng, panel, residuals = noise(4)
    flagged = rng.random(N) < 0.05
    residuals[:, flagged] += rng.choice([-1.0, 1.0], size=(3, int(flagged.sum()))) * 40.0
    found = classified(panel, flagged, residuals)
    assert not found.keep[flagged].any()
    assert found.keep[~flagged].mean() > 0.99


@pytest.mark.parametrize("share", [0.15, 0.35])
def test_a_second_mode_keeps_all_flagged_reflections_of_its_panel_out(share: float) -> None:
    """Of split spots, those that happen to agree are no better than the others."""
    rng, panel, residuals = noise(5)
    flagged = (panel == SHIFTED) & (rng.random(N) < share)
    split = flagged & (np.arange(N) % 4 > 0)
    residuals[0, split] += 8.0
    found = classified(panel, flagged, residuals)
    assert not found.keep[flagged].any()
    assert found.keep[(panel == SHIFTED) & ~flagged].mean() > 0.95
    whole = classified(panel, flagged & ~split, np.where(split, 40.0 * residuals, residuals))
    assert whole.keep[flagged & ~split].mean() > 0.95


def test_what_widens_a_panel_is_not_readmitted() -> None:
    rng, panel, residuals = noise(6)
    flagged = (panel == SHIFTED) & (np.arange(N) % 2 == 0)
    residuals[:2, flagged] = rng.uniform(-3.1, 3.1, size=(2, int(flagged.sum())))
    residuals[:2, (panel == SHIFTED) & ~flagged] *= 0.2
    found = classified(panel, flagged, residuals)
    assert found.keep[flagged].mean() > 0.9, "within 1.5 times the scatter of other panels"
    residuals[0, panel == SHIFTED] = np.where(
        flagged[panel == SHIFTED], 2.9 * np.sign(residuals[0, panel == SHIFTED]), 0.0
    )
    assert not classified(panel, flagged, residuals).keep[flagged].any()


def test_a_panel_of_which_less_than_half_agrees_is_disputed() -> None:
    rng, panel, residuals = noise(7)
    mine = panel == SHIFTED
    flagged = mine & (rng.random(N) < 0.6)
    residuals[:2, flagged] += rng.uniform(-90.0, 90.0, size=(2, int(flagged.sum())))
    found = classified(panel, flagged, residuals)
    assert found.disputed == (SHIFTED,)
    assert not found.keep[mine].any()
    assert found.keep[~mine].mean() > 0.98


def test_a_mode_is_not_moved_by_a_wider_majority() -> None:
    rng = np.random.default_rng(8)
    points = rng.normal(size=(2, 400))
    points[:, :240] += rng.uniform(-50.0, 90.0, size=(2, 240))
    assert mode(points) == pytest.approx(np.zeros((2, 1)), abs=0.4)
    assert mode(np.full((2, 3), np.nan)).tolist() == [[0.0], [0.0]]


def test_flags_of_a_rigid_refinement_cost_nothing() -> None:
    """Displaced panels lose most of their reflections to the flags, and get them back."""
    layout = known_layout("PILATUS 300K")
    rng = np.random.default_rng(9)
    truth = random_correction(rng, layout)
    plan = ScanPlan(n_reflections=2000, range_rad=1.5)
    pose = facing_pose(layout, 150.0)
    scan = affected_scan(rng, layout, truth, pose, plan, "rigid", (RigidFlags(),))
    anew, ignored, obeyed = (
        solution([scan.dataset], layout, options(Freedom.IN_PLANE, **flags)).estimate
        for flags in ({}, {"ignore_flags": True}, {"obey_flags": True})
    )
    sigma = ignored.sigma[:, :2]
    off, lost = (
        np.abs((one.correction.values - ignored.correction.values)[:, :2] / sigma).max()
        for one in (anew, obeyed)
    )
    assert anew.n_reflections.sum() > 0.98 * ignored.n_reflections.sum()
    assert off < 0.5
    assert lost > 3.0
