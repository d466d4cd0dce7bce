"""Values that lie exactly on a limit, and on which side of it they count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.layout import PanelFrames, PanelShape
from calib.model.experiment.dataset import Dataset, Source
from calib.model.experiment.experiment import (
    Beam,
    Crystal,
    Detector,
    Experiment,
    ExperimentList,
    Goniometer,
    Scan,
    Sensors,
)
from calib.model.experiment.reflections import Reflections
from calib.solve.dataset.batched import is_batched
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.parameters import Slip
from calib.solve.dataset.selection import fit_for_use, folds_of
from calib.solve.dataset.slip import split
from calib.solve.drift.difference import CalibrationDifference
from calib.solve.drift.significance import _stand_out
from calib.solve.joint.dataset_state import fit_rigid, initialise
from calib.solve.joint.refinement import Refinement, _converged, _Stage
from calib.solve.panels.system import PanelSystem
from calib.solve.panels.weak_modes import _unit_remainder, _words
from calib.solve.parallel.executor import LocalExecutor
from calib.solve.prior import PanelPrior
from support.scenes import options, quiet, simulation, started

SCAN = Scan((1, 10), 0.5, 0.1, None)
FAR_FROM_SPINDLE = (0.0, 0.5)
SINE_LIMIT = 0.02
ROTATING = Experiment("", 0, 0, 0, 0, 0, None)
STILL = Experiment("", 0, 0, None, None, 0, None)


def hand_made(
    entries: Sequence[Experiment], experiment: Sequence[int], centroids: Sequence[Sequence[float]]
) -> Dataset:
    """Reflections on one panel across a beam along z, at such a distance that spots at
    y = 0.02 mm are 1 mm from the sample; the spindle is along x."""
    origin = np.array([[0.0, 0.0, np.sqrt(1.0 - SINE_LIMIT**2)]])
    detector = Detector(
        (PanelShape("panel", (100, 100), (0.1, 0.1)),),
        PanelFrames(np.eye(3)[None], origin),
        None,
        Sensors(np.zeros(1, dtype=bool), np.zeros(1), np.zeros(1)),
        "",
    )
    models = ExperimentList(
        tuple(entries),
        (Beam(np.array([0.0, 0.0, -1.0]), 1.0),),
        (detector,),
        (Goniometer(np.array([1.0, 0.0, 0.0]), np.eye(3), np.eye(3)),),
        (SCAN,),
        (Crystal(50.0 * np.eye(3), " P 1"),),
    )
    n = len(experiment)
    table = Reflections(
        experiment=np.array(experiment, dtype=np.int32),
        panel=np.zeros(n, dtype=np.int32),
        miller_index=np.ones((n, 3), dtype=np.int32),
        centroid_mm=np.array(centroids),
        variance_mm=np.full((n, 3), 1e-4),
        flags=np.zeros(n, dtype=np.int32),
    )
    return Dataset("hand-made", Source((), ()), models, detector, table, None)


def test_an_angle_exactly_one_image_outside_the_scan_is_the_last_that_is_used() -> None:
    first, last = SCAN.start_rad - SCAN.width_rad, SCAN.end_rad + SCAN.width_rad
    angles = [first, np.nextafter(first, -1.0), last, np.nextafter(last, 9.0)]
    dataset = hand_made([ROTATING], [0] * 4, [(*FAR_FROM_SPINDLE, phi) for phi in angles])
    assert fit_for_use(dataset).tolist() == [True, False, True, False]


def test_a_reflection_exactly_at_the_spindle_cutoff_is_excluded() -> None:
    sines = [SINE_LIMIT, np.nextafter(SINE_LIMIT, 1.0)]
    dataset = hand_made([ROTATING], [0, 0], [(0.0, sine, 1.0) for sine in sines])
    assert fit_for_use(dataset).tolist() == [False, True]


def test_the_first_still_is_in_the_first_half_and_the_next_in_the_second() -> None:
    dataset = hand_made([STILL] * 3, [0, 0, 1, 1, 2, 2], [(*FAR_FROM_SPINDLE, 0.0)] * 6)
    assert folds_of(dataset, np.arange(6)).tolist() == [0, 0, 2, 2, 0, 0]


def grouped(*sizes: int) -> Observations:
    """Groups of so many reflections, each of an experiment of its own."""
    n = sum(sizes)
    return Observations(
        experiment=np.repeat(np.arange(len(sizes)), sizes),
        panel=np.zeros(n, dtype=np.int64),
        fold=np.zeros(n, dtype=np.int64),
        hkl=np.zeros((3, n), dtype=np.float32),
        observed=np.zeros((3, n)),
        sigma=np.ones((3, n)),
        flagged_on_panel=np.zeros(1, dtype=np.int64),
        n_unfit=0,
        group_start=np.concatenate([[0], np.cumsum(sizes)]),
        first=np.zeros(n, dtype=np.int64),
        basis=None,
    )


@pytest.mark.parametrize(("sizes", "batched"), [((8, 8), False), ((8, 7), True)])
def test_groups_of_eight_reflections_on_average_are_too_large_for_batches(
    sizes: tuple[int, ...], batched: bool
) -> None:
    assert is_batched(grouped(*sizes), np.arange(2), (1, 1)) is batched


def test_crystals_are_static_after_a_scan_is_split_at_a_slip() -> None:
    layout, _, scan = simulation("PILATUS 300K", n_reflections=300)
    fit = started(scan.dataset, layout, options())
    middle = float(np.median(fit.seen.observed[2]))
    found = split(fit, Slip(0, middle, (1e-3, 0.0, 0.0)))
    assert found.nuisance.drift.tolist() == np.zeros((9, 2)).tolist()


def refined_until(shift_sigma: float, most: int) -> Refinement:
    """A scan refined until the largest shift is below so many sigma, or for ``most`` iterations."""
    layout, _, scan = simulation("PILATUS 300K", n_reflections=300)
    executor = LocalExecutor([scan.dataset])
    executor.map(initialise, layout, options(), each=[(scan.dataset.detector.lab_from_root,)])
    executor.map(fit_rigid)
    system = PanelSystem(layout, Freedom.FULL, PanelPrior())
    stage = _Stage("panels", 0, until_sigma=shift_sigma, most=most)
    return _converged(executor, Correction.none(len(layout)), system, quiet, stage)


def test_a_refinement_whose_last_shift_equals_the_limit_has_not_converged() -> None:
    found = refined_until(1.0, 20)
    assert found.converged
    same = refined_until(found.longest_shift, found.iterations)
    assert same.longest_shift == found.longest_shift
    assert not same.converged
    above = float(np.nextafter(found.longest_shift, np.inf))
    assert refined_until(above, found.iterations).converged


@pytest.mark.parametrize("variance", [1.0, 4.0])
def test_a_direction_exactly_at_the_rank_limit_has_no_degree_of_freedom(variance: float) -> None:
    """The limit is a fraction of the summed variances of both calibrations."""
    compared = CalibrationDifference.__new__(CalibrationDifference)
    compared.free, compared.known, compared.same_data = (0, 1), np.array([True]), False
    compared.gauge, compared.rank = np.zeros((2, 0)), 1e-6
    compared.variance = np.full(2, variance)
    compared.difference = np.zeros(2)
    compared.covariance = variance * np.diag([1e-6, 1.01e-6])
    _, _, degrees = compared.panels(compared.known)
    assert degrees.tolist() == [1]
    assert compared.chi_square(*compared.aligned(compared.known), compared.known) == (0.0, 1)


class OneMoved(CalibrationDifference):
    """A significant change in which panel 0 moved by a tenth of the tolerance, and by so many
    sigma squared; the other panels moved by one sigma."""

    def __init__(self, chi_square: float) -> None:
        self.layout, self.tolerance_mm = known_layout("PILATUS 300K"), 1.0
        self.known = np.array([True, True, True])
        self.found = np.array([chi_square, 1.0, 1.0])

    def aligned(self, on: Bools) -> tuple[Floats, Floats]:
        return np.zeros((len(on), 6)), np.zeros((6 * len(on), 6 * len(on)))

    def chi_square(self, difference: Floats, covariance: Floats, on: Bools) -> tuple[float, int]:
        return 1000.0, int(on.sum())

    def panels(self, on: Bools) -> tuple[Floats, Floats, Ints]:
        return np.zeros(3), self.found, np.ones(3, dtype=np.int64)


@pytest.mark.parametrize(("chi_square", "replaced"), [(25.0, True), (24.99, False)])
def test_a_panel_that_moved_five_times_as_far_as_the_others_was_replaced(
    chi_square: float, replaced: bool
) -> None:
    shift = np.zeros((3, 6))
    shift[0, 0] = 0.1
    others = np.array([False, True, True])
    assert _stand_out(OneMoved(chi_square), shift, (0,), others) is replaced


def test_what_is_left_of_a_pattern_must_be_longer_than_rounding_error() -> None:
    nothing = np.zeros((3, 0))
    assert _unit_remainder(np.array([1e-9, 0.0, 0.0]), nothing) is None
    longer = _unit_remainder(np.array([np.nextafter(1e-9, 1.0), 0.0, 0.0]), nothing)
    assert longer is not None
    assert longer.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(("excess", "name"), [(3e-7, "simple"), (2e-6, "complex")])
def test_of_patterns_that_agree_to_a_millionth_the_first_names_the_mode(
    excess: float, name: str
) -> None:
    mode = np.tile([0.5, 0.0, 0.0], 4)
    names = [("simple", 0.8 * mode), ("complex", (0.8 + excess) * mode)]
    assert _words(mode, names, np.arange(4)) == name
