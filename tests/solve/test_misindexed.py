"""Crystals that were indexed wrongly among others: found, named and left out, and no others."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from calib.model.detector.families import known_layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.pose import facing_pose
from calib.model.result.report import Reason
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.still import StillsPlan, simulated_stills
from calib.simulate.truth import random_correction
from calib.solve.joint.misindexed import FEWEST_TO_JUDGE, medians_of_runs
from calib.solve.options import Crystals
from calib.solve.panels.solution import Solution
from support.misindexed import every_tenth, joined, misindexed, only, wedges
from support.scenes import options, solution

LAYOUT = known_layout("PILATUS 1M")
TRUTH = random_correction(np.random.default_rng(3), LAYOUT)
POSE = facing_pose(LAYOUT, 200.0, beam_centre_mm=(1.5, -2.0))
N_WEDGES, N_STILLS = 20, 300
A_QUARTER_OF_SIGMA = 0.25
"""Root mean square, as wherever rejection is decided anew: a reflection at its limit moves all
parameters by 0.05 sigma where there are two thousand."""
A_FEW_IMAGES_DEG = 0.3


@cache
def many_wedges(degrees: float) -> Dataset:
    plan = ScanPlan(n_reflections=300, range_rad=np.radians(degrees))
    return wedges(np.random.default_rng(5), LAYOUT, TRUTH, POSE, plan, N_WEDGES)


@cache
def many_stills() -> Dataset:
    plan = StillsPlan(n_crystals=N_STILLS, n_reflections=60)
    return simulated_stills(np.random.default_rng(6), LAYOUT, TRUTH, POSE, plan, "stills").dataset


def in_sigma(one: Solution, other: Solution) -> float:
    """How far two solutions are from each other."""
    free = list(one.estimate.freedom.free)
    apart = one.estimate.correction.values - other.estimate.correction.values
    return float(np.sqrt(np.mean((apart[:, free] / other.estimate.sigma[:, free]) ** 2)))


def left_out(found: Solution) -> list[int | None]:
    return [one.experiment for one in found.report.misfits]


@pytest.mark.parametrize(
    "degrees",
    [1.0, pytest.param(2.0, marks=pytest.mark.long), pytest.param(5.0, marks=pytest.mark.long)],
)
def test_wrong_wedges_are_left_out_and_panels_are_those_of_the_others(degrees: float) -> None:
    data, wrong = many_wedges(degrees), [1, 7, 13]
    found = solution([misindexed(data, wrong)], LAYOUT)
    assert left_out(found) == wrong
    for one in found.report.misfits:
        number = one.experiment
        assert number is not None
        assert one.name == "wedges"
        assert one.identifier == data.experiments.experiments[number].identifier
        assert one.reason in (Reason.SCATTER, Reason.ANGLE)
    right = [number for number in range(N_WEDGES) if number not in wrong]
    alone = solution([only(data, right)], LAYOUT)
    assert in_sigma(found, alone) < A_QUARTER_OF_SIGMA
    assert found.report.datasets[0].n_crystals == len(right)


@pytest.mark.parametrize("ways", [["shifted"], pytest.param(["cell"], marks=pytest.mark.long)])
def test_wrong_wedges_are_left_out_where_most_of_the_file_is_wrong(ways: list[str]) -> None:
    data, wrong = many_wedges(1.0), list(range(12))
    found = solution([misindexed(data, wrong, ways)], LAYOUT)
    assert sorted(left_out(found), key=str) == sorted(wrong, key=str)
    alone = solution([only(data, range(len(wrong), N_WEDGES))], LAYOUT)
    assert in_sigma(found, alone) < A_QUARTER_OF_SIGMA


def test_a_file_that_is_wrong_throughout_is_left_out_whole_beside_a_good_one() -> None:
    spoilt = replace(misindexed(many_wedges(1.0), range(N_WEDGES), ["cell"]), name="spoilt")
    found = solution([spoilt, many_wedges(1.0)], LAYOUT)
    assert [(one.name, one.experiment) for one in found.report.misfits] == [("spoilt", None)]
    assert found.kept == (1,)


def test_a_file_that_is_wrong_throughout_makes_a_draft_that_says_so() -> None:
    found = solution([misindexed(many_wedges(1.0), range(N_WEDGES), ["cell"])], LAYOUT)
    assert not found.report.convergence.converged
    assert not found.acceptance.accepted
    assert any("wedges: the median residual" in reason for reason in found.acceptance.reasons)


def test_wrong_stills_are_left_out_and_panels_are_those_of_the_others() -> None:
    data, wrong = many_stills(), every_tenth(N_STILLS).tolist()
    spoilt = misindexed(data, wrong)
    found = solution([spoilt], LAYOUT)
    count = np.bincount(spoilt.reflections.experiment, minlength=N_STILLS)
    compared = [number for number in wrong if count[number] >= FEWEST_TO_JUDGE]
    assert len(compared) > 0.7 * len(wrong)
    assert left_out(found) == compared
    alone = solution([only(data, np.setdiff1d(np.arange(N_STILLS), wrong).tolist())], LAYOUT)
    assert in_sigma(found, alone) < A_QUARTER_OF_SIGMA


def test_no_sound_crystal_is_left_out() -> None:
    assert left_out(solution([many_wedges(1.0)], LAYOUT)) == []
    assert left_out(solution([many_stills()], LAYOUT)) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("outlier_share", [0.0, 0.2])
def test_no_sound_crystal_is_left_out_of_many(seed: int, outlier_share: float) -> None:
    rng = np.random.default_rng(seed)
    truth = random_correction(rng, LAYOUT)
    plan = ScanPlan(n_reflections=100, range_rad=np.radians(1.0), outlier_share=outlier_share)
    assert left_out(solution([wedges(rng, LAYOUT, truth, POSE, plan, N_WEDGES)], LAYOUT)) == []
    few = StillsPlan(n_crystals=200, n_reflections=25, outlier_share=outlier_share)
    stills = simulated_stills(rng, LAYOUT, truth, POSE, few, "stills").dataset
    assert left_out(solution([stills], LAYOUT)) == []


def test_wrong_crystals_stay_where_all_are_to_be_kept() -> None:
    spoilt = misindexed(many_wedges(1.0), [1, 7])
    kept = solution([spoilt], LAYOUT, options(keep_all=True))
    assert left_out(kept) == []
    assert kept.report.datasets[0].n_crystals == N_WEDGES


@pytest.mark.parametrize("degrees", [1.0, pytest.param(5.0, marks=pytest.mark.long)])
def test_wrong_wedges_in_files_of_their_own_are_left_out_whole(degrees: float) -> None:
    data, wrong = many_wedges(degrees), [2, 5, 8]
    spoilt, right = misindexed(data, wrong), [0, 1, 3, 4, 6, 7, 9]
    files = [replace(only(spoilt, [k]), name=f"wedge{k}") for k in range(10)]
    found = solution(files, LAYOUT)
    assert sorted(one.name for one in found.report.misfits) == ["wedge2", "wedge5", "wedge8"]
    assert all(one.experiment is None for one in found.report.misfits)
    assert list(found.kept) == right
    assert [use.name for use in found.report.datasets] == [f"wedge{k}" for k in right]
    assert in_sigma(found, solution([files[k] for k in right], LAYOUT)) < A_QUARTER_OF_SIGMA


def test_a_dataset_is_not_excluded_for_its_only_crystal_with_enough_reflections() -> None:
    data = many_stills()
    few = np.arange(len(data.reflections)) % 60 < FEWEST_TO_JUDGE - 2
    spoilt = misindexed(data, [0], ["shifted"])
    kept = spoilt.reflections.where(few | (spoilt.reflections.experiment == 0))
    found = solution([replace(spoilt, reflections=kept), many_wedges(1.0)], LAYOUT)
    assert [(one.name, one.experiment) for one in found.report.misfits] == [("stills", 0)]
    assert found.kept == (0, 1)


@cache
def one_slips(slip_deg: float) -> Dataset:
    """Six scans of 20 degrees in one file, the second indexed wrongly, the fourth slipping."""
    scans = []
    for number in range(6):
        plan = ScanPlan(
            n_reflections=1000,
            range_rad=np.radians(20.0),
            slip_rad=np.radians(slip_deg) if number == 3 else 0.0,
        )
        rng = np.random.default_rng(20 + number)
        scans.append(simulated_scan(rng, LAYOUT, TRUTH, POSE, plan, f"scan{number}").dataset)
    return misindexed(joined(scans, "scans"), [1], ["cell"])


@pytest.mark.parametrize("slip_deg", [0.3, pytest.param(1.0, marks=pytest.mark.long), 3.0])
def test_a_crystal_that_slips_among_others_is_parted_and_not_left_out(slip_deg: float) -> None:
    found = solution([one_slips(slip_deg)], LAYOUT, options(crystals=Crystals.AUTO))
    assert left_out(found) == [1]
    (use,) = found.report.datasets
    assert use.slips_deg == pytest.approx([10.0], abs=A_FEW_IMAGES_DEG)
    assert use.n_crystals == 6
    assert use.n_rejected < 0.02 * use.n_reflections


def test_medians_of_runs_are_those_of_each_run() -> None:
    rng = np.random.default_rng(1)
    count = np.concatenate([rng.integers(1, 40, size=200), [3000]])
    bounds = np.concatenate([[0], np.cumsum(count)])
    values = rng.normal(size=bounds[-1])
    expected = [
        np.sort(values[low:high])[(high - low - 1) // 2] for low, high in pairwise(bounds.tolist())
    ]
    np.testing.assert_array_equal(medians_of_runs(values, bounds), expected)
