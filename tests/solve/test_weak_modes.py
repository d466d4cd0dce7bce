"""Directions that data hardly determine, and distances that contradict one another."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom, PanelStatus
from calib.model.detector.families import known_layout
from calib.model.detector.layout import Layout, PanelFrames
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, SimulatedScan, simulated_scan
from calib.simulate.truth import random_correction
from calib.solve.datasets import solve_in_process
from calib.solve.options import Crystals, SolveOptions
from calib.solve.panels.solution import Solution
from calib.solve.panels.weak_modes import _words, named_patterns, weak_modes
from calib.solve.prior import PanelPrior
from support.scenes import options, solution

LAYOUT = known_layout("PILATUS 1M")
TRUTH = random_correction(np.random.default_rng(3), LAYOUT)
MOVED_PANEL = 4
MOVED_MM = 0.03
REPEATS = 40
UNLIKELY = 0.1
THREE_SD = 3.0


def estimate_with(pattern: Floats, amplitude_mm: float) -> CorrectionEstimate:
    """Panels known to a micrometre but for one pattern (n, 6) of their parameters."""
    n = len(LAYOUT)
    direction = pattern.ravel() / np.linalg.norm(pattern)
    covariance = 1e-6 * np.eye(6 * n) + n * amplitude_mm**2 * np.outer(direction, direction)
    return CorrectionEstimate(
        Correction.none(n),
        Freedom.FULL,
        covariance,
        (PanelStatus.MEASURED,) * n,
        np.full(n, 1000),
    )


def centred(axis: int) -> Floats:
    place = LAYOUT.centre_root_mm[:, axis]
    return np.asarray(place - place.mean())


def row(number: int) -> Floats:
    """1 on the panels of one row, counted along the root's second axis."""
    place = np.round(LAYOUT.centre_root_mm[:, 1], 1)
    return np.asarray(place == np.unique(place)[number], dtype=np.float64)


@pytest.mark.parametrize(
    ("words", "column", "values"),
    [
        ("bending about fast", 2, centred(1) ** 2 - (centred(1) ** 2).mean()),
        ("twist", 2, centred(0) * centred(1)),
        ("panel 3 (slow)", 1, np.eye(len(LAYOUT))[3]),
        ("row 2 relative to the others (fast)", 0, row(2) - row(2).mean()),
    ],
)
def test_a_pattern_is_called_by_its_name(words: str, column: int, values: Floats) -> None:
    pattern = np.zeros((len(LAYOUT), 6))
    pattern[:, column] = values
    worst = weak_modes(LAYOUT, estimate_with(pattern, 0.02), np.ones(len(LAYOUT), dtype=bool))[0]
    assert worst.words == words
    assert worst.sigma_um == pytest.approx(20.0, rel=0.02)


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (0, 9)])
@pytest.mark.parametrize("along", [0, 1, 2])
def test_two_panels_have_one_pattern_and_a_mode_that_both_share_alike_has_words(
    pair: tuple[int, int], along: int
) -> None:
    """They can change their distance; all other motions of their centres are rigid."""
    chosen, seen = np.array(pair), np.isin(np.arange(len(LAYOUT)), pair)
    apart = np.diff(LAYOUT.centre_root_mm[chosen], axis=0)[0]
    expected = np.stack([apart, -apart]).ravel() / np.hypot(*apart[:2]) / np.sqrt(2.0)
    patterns = dict(named_patterns(LAYOUT, chosen))
    for found in patterns.values():
        assert abs(found @ expected) == pytest.approx(1.0)
    assert "overall scale" in patterns
    pattern = np.zeros((len(LAYOUT), 6))
    pattern[chosen, along] = 1.0, -1.0
    worst = weak_modes(LAYOUT, estimate_with(pattern, 0.02), seen)[0]
    assert worst.words


def test_two_panels_one_behind_the_other_have_no_pattern_and_modes_with_words() -> None:
    frames = LAYOUT.frames
    origin = frames.origin_mm[[0, 0]] + 50.0 * np.outer([0.0, 1.0], frames.rotation[0][:, 2])
    stacked = Layout(LAYOUT.panels[:2], PanelFrames(frames.rotation[[0, 0]], origin))
    names = named_patterns(stacked, np.arange(2))
    assert names == []
    mode = np.array([0.7, 0.0, 0.0, -0.7, 0.0, 0.0])
    assert _words(mode, names, np.arange(2)) == "combined mode, largest on panel 0 (fast)"


def test_a_scale_is_called_a_scale() -> None:
    pattern = np.zeros((len(LAYOUT), 6))
    pattern[:, 0], pattern[:, 1] = centred(0), centred(1)
    worst = weak_modes(LAYOUT, estimate_with(pattern, 0.02), np.ones(len(LAYOUT), dtype=bool))[0]
    assert worst.words == "overall scale"


def scan(distance_mm: float, truth: Correction, seed: int) -> SimulatedScan:
    plan = ScanPlan(n_reflections=12_000)
    pose = facing_pose(LAYOUT, distance_mm, beam_centre_mm=(1.5, -2.0))
    rng = np.random.default_rng(seed)
    return simulated_scan(rng, LAYOUT, truth, pose, plan, f"scan_{distance_mm:.0f}")


def solve(*scans: SimulatedScan) -> Solution:
    starts = []
    for one in scans:
        pose = one.dataset.detector.lab_from_root
        assert pose is not None
        starts.append((one.dataset, pose))
    options = SolveOptions(Freedom.FULL, PanelPrior(), crystals=Crystals.STATIC)
    return solve_in_process(starts, LAYOUT, options, lambda *_: None)


def test_distances_of_one_detector_agree_and_a_panel_that_moved_between_them_is_named() -> None:
    far, near = scan(200.0, TRUTH, 5), scan(80.0, TRUTH, 6)
    (same,) = solve(far, near).report.disagreements
    assert same.p_value > 1e-3
    values = TRUTH.values.copy()
    values[MOVED_PANEL, 0] += MOVED_MM
    (moved,) = solve(far, scan(80.0, Correction(values), 6)).report.disagreements
    assert moved.p_value < 1e-6
    assert int(np.argmin(moved.panel_p_values)) == MOVED_PANEL


def test_one_distance_has_nothing_to_disagree_with() -> None:
    assert solve(scan(200.0, TRUTH, 5)).report.disagreements == ()


@pytest.mark.long
def test_distances_that_agree_are_seldom_reported_to_disagree() -> None:
    """p-values of one detector at two distances spread evenly from 0 to 1."""
    layout, found = known_layout("PILATUS 300K"), []
    for seed in range(REPEATS):
        rng = np.random.default_rng(400 + seed)
        truth = random_correction(rng, layout)
        plan = ScanPlan(n_reflections=1500, cell_angstrom=(31.0, 31.0, 74.0))
        scans = [
            simulated_scan(rng, layout, truth, facing_pose(layout, distance), plan, "scan").dataset
            for distance in (150.0, 80.0)
        ]
        (one,) = solution(scans, layout, options()).report.disagreements
        found.append((one.p_value, *one.panel_p_values))
    low = np.mean(np.array(found) < UNLIKELY, axis=0)
    assert low[0] <= UNLIKELY + THREE_SD * np.sqrt(UNLIKELY * (1.0 - UNLIKELY) / REPEATS)
    assert low[1:].mean() <= UNLIKELY + THREE_SD * np.sqrt(UNLIKELY / len(layout) / REPEATS)


def test_every_pattern_is_a_unit_vector_without_any_rigid_motion() -> None:
    centre = LAYOUT.centre_root_mm - LAYOUT.centre_root_mm.mean(axis=0)
    motions = [np.tile(axis, (len(LAYOUT), 1)) for axis in np.eye(3)]
    motions += [np.cross(axis, centre * [1.0, 1.0, 0.0]) for axis in np.eye(3)]
    for _, pattern in named_patterns(LAYOUT, np.arange(len(LAYOUT))):
        assert np.linalg.norm(pattern) == pytest.approx(1.0)
        for motion in motions:
            assert abs(pattern @ motion.ravel()) < 1e-9 * np.linalg.norm(motion)


def test_a_barrel_distortion_grows_with_the_cube_of_the_radius() -> None:
    x, y = centred(0), centred(1)
    field = np.stack([x * (x**2 + y**2), y * (x**2 + y**2), 0.0 * x], axis=1).ravel()
    shifts = np.array([np.tile(axis, len(LAYOUT)) for axis in np.eye(3)[:2]])
    turn = np.stack([-y, x, 0.0 * x], axis=1).ravel()
    rigid, _ = np.linalg.qr(np.vstack([shifts, turn]).T)
    field = field - rigid @ (rigid.T @ field)
    pattern = dict(named_patterns(LAYOUT, np.arange(len(LAYOUT))))["barrel distortion"]
    assert pattern == pytest.approx(field / np.linalg.norm(field), abs=1e-9)
