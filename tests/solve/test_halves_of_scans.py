"""The first half of a scan against the last: what a model that is wrong in time does to panels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Freedom
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.model.result.comparison import Agreement, Compared, Comparison
from calib.simulate.affected_scan import affected_scan
from calib.simulate.effects.crystal import CrystalDrift
from calib.simulate.effects.effect import Effect
from calib.simulate.effects.slip import Slip
from calib.simulate.scan import ScanPlan
from calib.simulate.truth import random_correction
from calib.solve.dataset.selection import folds_of
from calib.solve.panels.disagreement import disagreements_in_words
from calib.solve.panels.solution import Solution
from calib.solve.summaries import solve_summaries
from support.scenes import options, solution

LAYOUT = known_layout("PILATUS 1M")
POSE = facing_pose(LAYOUT, 300.0, beam_centre_mm=(2.0, -3.0))
TRUTH = random_correction(np.random.default_rng(4), LAYOUT)
THREE_SD = 3.0


@cache
def derived(*effects: Effect, seed: int = 1, degrees: float = 80.0, n: int = 4000) -> Solution:
    """A scan whose crystal is refined as static."""
    plan = ScanPlan(n, range_rad=np.radians(degrees))
    rng = np.random.default_rng(seed)
    scan = affected_scan(rng, LAYOUT, TRUTH, POSE, plan, "scan", effects)
    return solution([scan.dataset], LAYOUT, options(Freedom.IN_PLANE))


def halves(found: Solution) -> Comparison:
    (use,) = found.report.datasets
    assert use.halves is not None
    return use.halves


def chi_square_per_degree(found: Sequence[Comparison]) -> float:
    degrees = sum(one.degrees_of_freedom for one in found)
    return sum(one.chi_square for one in found) / degrees


def test_halves_of_a_sound_scan_agree() -> None:
    found = [halves(derived(seed=seed)) for seed in (1, 2)]
    degrees = sum(one.degrees_of_freedom for one in found)
    assert degrees >= 2 * (3 * len(LAYOUT) - 3)
    assert abs(chi_square_per_degree(found) - 1.0) < THREE_SD * np.sqrt(2.0 / degrees)
    assert Agreement.DISAGREES not in {one.agreement for one in found}
    assert derived().acceptance.accepted


@pytest.mark.parametrize("effect", [CrystalDrift(12e-3, 0.5, 0.3e-3), Slip(6e-3, 0.3)])
def test_halves_of_a_scan_whose_crystal_changes_unseen_disagree(effect: Effect) -> None:
    found = derived(effect)
    one = halves(found)
    assert one.kind is Compared.HALVES
    assert one.agreement is Agreement.DISAGREES
    assert one.chi_square_per_degree > 4.0
    assert not found.acceptance.accepted
    (reason,) = disagreements_in_words(found.report)
    assert reason in found.acceptance.reasons
    assert "The first and second halves of the scans of scan disagree" in reason
    assert f"({one.size_um:.0f} um rms over all panels)" in reason


def test_halves_are_cut_in_the_middle_of_the_scan_and_add_up_to_it() -> None:
    plan = ScanPlan(600, range_rad=np.radians(80.0))
    rng = np.random.default_rng(1)
    data = affected_scan(rng, LAYOUT, TRUTH, POSE, plan, "scan").dataset
    phi = data.reflections.centroid_mm[:, 2]
    late = folds_of(data, np.arange(len(phi))) >= 4
    assert np.array_equal(late, phi > 0.5 * np.radians(80.0))


def test_scans_of_less_than_20_degrees_are_not_cut() -> None:
    assert derived(degrees=19.0, n=1500).report.datasets[0].halves is None


def test_a_combination_keeps_the_comparison_of_its_datasets() -> None:
    found = derived(CrystalDrift(12e-3, 0.5, 0.3e-3))
    chosen = options(Freedom.IN_PLANE)
    again = solve_summaries(found.statements, LAYOUT, chosen.freedom, chosen.prior)
    assert halves(again) == halves(found)
    assert disagreements_in_words(again.report) == disagreements_in_words(found.report)
    assert not again.acceptance.accepted
