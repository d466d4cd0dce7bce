"""Displacements inside panels and noise correlated in time: found, named and allowed for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.model.result.panel_sums import CELLS_ALONG, MEMBERS, MOST_BLOCKS, N_CELLS, PanelSums
from calib.simulate.affected_scan import affected_scan
from calib.simulate.effects.bias import EdgeBias
from calib.simulate.effects.chip import ChipOffsets, WideGaps
from calib.simulate.effects.effect import Effect
from calib.simulate.gauge_free import gauge_free_error, true_correction
from calib.simulate.scan import ScanPlan
from calib.simulate.truth import Tolerance, random_correction
from calib.solve.panels.solution import Solution
from calib.solve.panels.structure import _stretch as stretch_variance
from calib.solve.panels.structure import panel_structure, stretch_ppm
from support.scenes import options, solution

LAYOUT = known_layout("PILATUS 1M")
POSE = facing_pose(LAYOUT, 150.0, beam_centre_mm=(2.0, -3.0))
PLAN = ScanPlan(6000, cell_angstrom=(31.0, 31.0, 74.0))
CHIPS, EDGES, GAPS = ChipOffsets(0.2), EdgeBias(1.0), WideGaps(1.02)


@cache
def solved(effect: Effect | None = None) -> tuple[Correction, Solution]:
    """True panels and the solution, from one scan that an effect acts on."""
    rng = np.random.default_rng(1)
    panels = random_correction(rng, LAYOUT, Tolerance(0.02, 0.01, 2e-4))
    effects = () if effect is None else (effect,)
    scan = affected_scan(rng, LAYOUT, panels, POSE, PLAN, "one", effects)
    return true_correction(LAYOUT, panels, effects), solution([scan.dataset], LAYOUT, options())


def sums_of(effect: Effect | None = None) -> PanelSums:
    (statement,) = solved(effect)[1].statements
    assert statement.sums is not None
    return statement.sums


def added(scores: Floats | None = None) -> tuple[float, Floats]:
    """The ratio of variances of a dataset with these scores, and the covariance that they add."""
    _, found = solved()
    (statement,) = found.statements
    assert statement.sums is not None
    if scores is not None:
        statement = replace(statement, sums=replace(statement.sums, scores=scores))
    structure = panel_structure(
        LAYOUT, [statement], found.estimate.freedom.free, found.estimate.covariance
    )
    assert structure.found is not None
    return structure.found.excess[0], structure.covariance


def test_rigid_panels_have_no_structure_and_no_wider_covariance() -> None:
    structure = solved()[1].report.structure
    assert structure is not None
    assert structure.significant == ()
    assert max(structure.sizes_px) < 0.03
    assert structure.margin_px < 0.03
    assert structure.excess[0] < 1.3


def test_displaced_chips_are_found_and_named() -> None:
    structure = solved(CHIPS)[1].report.structure
    assert structure is not None
    assert len(structure.significant) == len(LAYOUT)
    assert 0.05 < np.median(structure.sizes_px) < 0.3


def test_a_bias_at_the_edges_is_found_in_the_margin() -> None:
    structure = solved(EDGES)[1].report.structure
    assert structure is not None
    assert structure.margin_px > 0.1
    assert structure.margin_px > 3.0 * np.median(structure.sizes_px)


@pytest.mark.parametrize("effect", [None, CHIPS, EDGES], ids=["rigid", "chips", "edges"])
def test_sigma_allows_for_structure(effect: Effect | None) -> None:
    truth, found = solved(effect)
    error = gauge_free_error(LAYOUT, found.estimate, truth, POSE)
    assert error.sigmas < 1.5
    assert error.p_value > 1e-4


def test_a_bias_at_all_edges_is_as_uncertain_as_the_stretch_that_it_causes() -> None:
    """Outwards by 0.02 mm in the margins: the magnification that fits the cells of all panels."""
    (statement,) = solved()[1].statements
    assert statement.sums is not None
    column, row = np.arange(N_CELLS) % CELLS_ALONG, np.arange(N_CELLS) // CELLS_ALONG
    along = np.array([-0.5, -0.375, -0.125, 0.125, 0.375, 0.5])
    place = np.stack([along[column], along[row]], axis=1) * LAYOUT.size_mm[0]
    margin = np.abs(np.stack([along[column], along[row]], axis=1)) == 0.5
    moved = 0.02 * np.sign(place) * margin
    weight = statement.sums.weight.sum(axis=0)
    expected = (weight * place * moved).sum() / (weight * place**2).sum()
    common = np.where(margin, 0.02, 0.0).ravel()
    found = np.sqrt(stretch_variance(LAYOUT, [statement], np.zeros(len(LAYOUT)), common))
    assert 0.5 * expected < found < 1.05 * expected
    none = np.zeros(2 * N_CELLS)
    assert stretch_variance(LAYOUT, [statement], np.zeros(len(LAYOUT)), none) == 0.0


def test_a_stretch_along_one_axis_is_named_and_allowed_for() -> None:
    """Pixels in gaps between chips that are wider than stated: taken for another distance."""
    truth, found = solved(GAPS)
    structure = found.report.structure
    assert structure is not None
    assert structure.margin_px > 0.03
    error = gauge_free_error(LAYOUT, found.estimate, truth, POSE)
    assert error.sigmas < 1.5
    assert error.p_value > 1e-4


def test_panels_that_stand_apart_at_random_are_not_stretched() -> None:
    rng, all_of_them = np.random.default_rng(4), np.ones(len(LAYOUT), dtype=np.bool_)
    for _ in range(200):
        values = np.zeros((len(LAYOUT), 6))
        values[:, :2] = rng.normal(scale=0.05, size=(len(LAYOUT), 2))
        assert stretch_ppm(LAYOUT, Correction(values), all_of_them) == 0.0


def test_a_stretch_beyond_other_displacements_is_found() -> None:
    """Whatever the shift and the rotation of all panels, and of the measured ones only."""
    rng, measured = np.random.default_rng(5), np.ones(len(LAYOUT), dtype=np.bool_)
    measured[3] = False
    place = LAYOUT.centre_root_mm - LAYOUT.centre_root_mm.mean(axis=0)
    for ppm in (-900.0, 900.0):
        root = 1e-6 * ppm * place + 1e-3 * np.cross([0.0, 0.0, 1.0], place) + [0.1, 0.2, 0.0]
        values = np.zeros((len(LAYOUT), 6))
        values[:, :3] = np.einsum("nij,ni->nj", LAYOUT.frames.rotation, root)
        values[:, :2] += rng.normal(scale=0.007, size=(len(LAYOUT), 2))
        values[3, :2] = 1.0
        assert stretch_ppm(LAYOUT, Correction(values), measured) == pytest.approx(ppm, rel=0.1)


def test_structure_is_not_averaged_away_by_reflections() -> None:
    """With all sums a hundred times as large, noise is ten times smaller and structure stays."""
    _, found = solved(CHIPS)
    (statement,) = found.statements
    sums, whole = statement.sums, statement.whole
    assert sums is not None
    many = replace(
        statement,
        whole=replace(whole, own=100.0 * whole.own, coupling=10.0 * whole.coupling),
        sums=PanelSums(100.0 * sums.weight, 100.0 * sums.pull, 100.0 * sums.gain, sums.scores),
    )
    free, few = found.estimate.freedom.free, found.estimate.covariance
    one = panel_structure(LAYOUT, [statement], free, few).covariance
    other = panel_structure(LAYOUT, [many], free, few / 100.0).covariance
    assert np.diag(other) / np.diag(one) == pytest.approx(1.0, abs=0.4)


def test_scores_that_repeat_from_block_to_block_widen_the_covariance() -> None:
    """Four neighbouring blocks with the same noise: sigma is twice what it would be."""
    rng = np.random.default_rng(3)
    (statement,) = solved()[1].statements
    root = np.linalg.cholesky(statement.whole.own)
    count = MOST_BLOCKS // 4
    noise = rng.normal(size=(MOST_BLOCKS, *root.shape[:2], 1))
    alone = (root @ noise)[..., 0] / np.sqrt(MOST_BLOCKS)
    ratio, covariance = added(alone)
    assert ratio < 1.3
    together = np.repeat(alone[:count], 4, axis=0).reshape(count, 4, *root.shape[:2]).sum(axis=1)
    wide, wider = added(together)
    assert wide == pytest.approx(4.0, rel=0.5)
    assert np.trace(wider) > 2.0 * np.trace(covariance)


def test_a_dataset_without_sums_adds_nothing() -> None:
    _, found = solved()
    (statement,) = found.statements
    free, covariance = found.estimate.freedom.free, found.estimate.covariance
    bare = panel_structure(LAYOUT, [replace(statement, sums=None)], free, covariance)
    assert bare.found is None
    assert not bare.covariance.any()


def test_sums_survive_the_arrays_of_a_summary_and_are_ignored_in_another_shape() -> None:
    sums, n = sums_of(), len(LAYOUT)
    arrays = sums.arrays()
    assert tuple(arrays) == MEMBERS
    again = PanelSums.of_arrays(arrays, n)
    assert again is not None
    for name, values in again.arrays().items():
        assert np.array_equal(values, arrays[name])
    assert sums.weight.shape == (n, N_CELLS, 2)
    assert PanelSums.of_arrays(arrays, n + 1) is None
    assert PanelSums.of_arrays({}, n) is None
    broken = {**arrays, MEMBERS[0]: np.full_like(arrays[MEMBERS[0]], np.nan)}
    assert PanelSums.of_arrays(broken, n) is None


def test_sums_over_cells_are_those_of_the_equations() -> None:
    """The residuals of all cells together pull at a panel as those of all blocks do."""
    sums = sums_of()
    (statement,) = solved()[1].statements
    assert sums.scores.shape[0] <= MOST_BLOCKS
    shifts = sums.pull.sum(axis=1)
    assert -shifts == pytest.approx(sums.scores.sum(axis=0)[:, :2], abs=0.05 * np.abs(shifts).max())
    assert sums.weight.sum(axis=1) == pytest.approx(
        np.diagonal(statement.whole.own, axis1=1, axis2=2)[:, :2], rel=1e-3
    )
