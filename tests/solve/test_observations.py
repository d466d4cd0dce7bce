"""Which reflections a solution uses, and into which folds they fall."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from calib.errors import SolveError
from calib.model.base.arrays import Bools
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import Scan
from calib.model.experiment.pose import facing_pose
from calib.model.experiment.reflections import Reflections
from calib.model.result.summary import Part
from calib.solve.dataset.observations import FOLDS, Observations, usable_observations
from calib.solve.dataset.selection import fit_for_use
from calib.solve.joint.dataset_validation import PART_FOLDS
from support.forward import Scene, Sweep, measured, with_models
from support.scenes import TETRAGONAL, crystal, general_scene, options, simulation, started


@cache
def scan() -> Dataset:
    _, _, made = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=3000)
    return made.dataset


@cache
def many_sweeps() -> Dataset:
    return measured(general_scene(), np.random.default_rng(1))


def with_columns(dataset: Dataset, **changes: Any) -> Dataset:
    """The dataset with some columns changed for the rows given as {row: value}."""
    table = dataset.reflections
    arrays = {}
    for name, rows in changes.items():
        column = getattr(table, name).copy()
        for row, value in rows.items():
            column[row] = value
        arrays[name] = column
    return replace(dataset, reflections=replace(table, **arrays))


def centroids(seen: Observations) -> set[tuple[float, ...]]:
    return {tuple(column) for column in seen.observed.T.tolist()}


def rows_used(dataset: Dataset, seen: Observations) -> Bools:
    used = centroids(seen)
    table = dataset.reflections.centroid_mm.tolist()
    return np.array([tuple(row) in used for row in table])


def test_observations_are_sorted_into_groups_of_one_experiment_panel_and_fold() -> None:
    seen = usable_observations(many_sweeps())
    key = np.stack([seen.experiment, seen.panel, seen.fold])
    starts = seen.group_start
    assert (starts[0], starts[-1]) == (0, len(seen))
    assert (np.diff(starts) > 0).all()
    groups = [key[:, a:b] for a, b in pairwise(starts)]
    assert all((group == group[:, :1]).all() for group in groups)
    assert len({tuple(group[:, 0]) for group in groups}) == len(groups)


def test_every_reflection_is_in_the_whole_once_and_in_one_half_and_worked_on_or_held_out() -> None:
    seen = usable_observations(many_sweeps())
    counts = {
        part: sum((seen.fold == fold).astype(np.int64) for fold in folds)
        for part, folds in PART_FOLDS.items()
    }
    assert (counts[Part.WHOLE] == 1).all()
    assert np.array_equal(counts[Part.WORKING], ~seen.held_out)
    assert np.array_equal(counts[Part.HALF_A], seen.fold // 2 % 2 == 0)
    assert np.array_equal(counts[Part.HALF_B], seen.fold // 2 % 2 == 1)


def test_every_row_keeps_its_own_numbers_through_the_sorting() -> None:
    dataset = many_sweeps()
    seen, table = usable_observations(dataset), dataset.reflections
    by_position = {tuple(row): k for k, row in enumerate(table.centroid_mm.tolist())}
    rows = [by_position[tuple(column)] for column in seen.observed.T.tolist()]
    assert len(set(rows)) == len(seen)
    assert np.array_equal(seen.experiment, table.experiment[rows])
    assert np.array_equal(seen.panel, table.panel[rows])
    assert np.array_equal(seen.hkl.T, table.miller_index[rows])
    assert np.array_equal(seen.sigma.T, np.sqrt(table.variance_mm[rows]))


@pytest.mark.parametrize(
    "changes",
    [
        {"experiment": {5: -1}},
        {"miller_index": {5: (0, 0, 0)}},
        {"variance_mm": {5: (1e-4, 0.0, 1e-8)}},
        {"variance_mm": {5: (1e-4, 1e-4, -1.0)}},
        {"variance_mm": {5: (1e-4, float("nan"), 1e-8)}},
        {"centroid_mm": {5: (1.0, float("nan"), 0.1)}},
        {"centroid_mm": {5: (1.0, float("inf"), 0.1)}},
        {"centroid_mm": {5: (1.0, 1.0, -0.1)}},
        {"centroid_mm": {5: (1.0, 1.0, 7.0)}},
        {"flags": {5: 1 << 10}},
        {"flags": {5: 1 << 17 | 1 << 10}},
        {"flags": {5: 1 << 25}},
        {"flags": {5: 1 << 27}},
    ],
    ids=lambda changes: str(changes),
)
def test_what_cannot_be_used_is_left_out_and_nothing_else(changes: dict[str, Any]) -> None:
    before = rows_used(scan(), usable_observations(scan()))
    assert before[5]
    spoilt = with_columns(scan(), **changes)
    seen = usable_observations(spoilt)
    after = rows_used(spoilt, seen)
    assert not after[5]
    assert np.array_equal(np.delete(after, 5), np.delete(before, 5))
    flagged = np.bincount(spoilt.reflections.panel[5:6], minlength=3) * ("flags" in changes)
    assert seen.flagged_on_panel.tolist() == flagged.tolist()


@pytest.mark.parametrize("bit", [2, 3, 4, 5, 8, 16, 26])
def test_other_flags_keep_nothing_out(bit: int) -> None:
    spoilt = with_columns(scan(), flags={5: 1 << bit})
    assert len(usable_observations(spoilt)) == len(usable_observations(scan()))


def test_judgements_of_others_can_be_set_aside_and_overloads_cannot() -> None:
    spoilt = with_columns(scan(), flags={5: 1 << 17, 6: 1 << 25, 7: 1 << 10, 8: 1 << 27})
    respected = usable_observations(spoilt, obey_flags=True)
    reconsidered = usable_observations(spoilt, ignore_flags=True)
    assert len(reconsidered) == len(respected) + 2
    assert (respected.flagged_on_panel.sum(), reconsidered.flagged_on_panel.sum()) == (4, 2)


def test_reflections_near_the_spindle_are_left_out() -> None:
    """As DIALS counts nearness: |(s1 x s0) . axis| with s1 and s0 of length 1/wavelength."""
    dataset = scan()
    seen = usable_observations(dataset)
    left_out = ~rows_used(dataset, seen)
    table, frames = dataset.reflections, dataset.detector.frames
    lab = np.einsum("nij,nj->ni", frames.rotation[table.panel][:, :, :2], table.centroid_mm[:, :2])
    lab += frames.origin_mm[table.panel]
    # The spindle runs along x and the beam along -z: the product is the y of the direction.
    wavelength = dataset.experiments.beams[0].wavelength_angstrom
    nearness = np.abs(lab[:, 1]) / np.linalg.norm(lab, axis=1) / wavelength**2
    assert left_out.any()
    assert np.array_equal(left_out, nearness <= 0.02)
    assert seen.n_unfit == left_out.sum()


def test_outliers_of_an_earlier_refinement_are_set_apart() -> None:
    spoilt = with_columns(scan(), flags={5: 1 << 17, 6: 1 << 25, 7: 1 << 17 | 1 << 27})
    seen, others = usable_observations(spoilt), usable_observations(spoilt, ignore_flags=True)
    assert seen.flagged is not None
    assert seen.observed[:, seen.flagged].T.tolist() == [spoilt.reflections.centroid_mm[5].tolist()]
    assert seen.flagged_on_panel.sum() == 2
    assert others.flagged is None


def test_nearness_to_the_spindle_is_free_of_scale() -> None:
    """Electrons diffract within a degree of the beam, where unit vectors are all near the spindle:
    the distance on the Ewald sphere counts."""
    dataset = scan()
    (beam,) = dataset.experiments.beams
    electrons = replace(beam, wavelength_angstrom=0.0251)
    models = replace(dataset.experiments, beams=(electrons,))
    assert fit_for_use(replace(dataset, experiments=models)).all()
    assert not fit_for_use(dataset).all()


def test_when_nothing_is_left_the_message_says_how_much_was_flagged() -> None:
    table = scan().reflections
    flagged = replace(scan(), reflections=replace(table, flags=np.full(len(table), 1 << 17)))
    with pytest.raises(SolveError) as caught:
        usable_observations(flagged)
    assert str(caught.value).startswith(
        "seed1: none of the 3000 reflections can be used (3000 are flagged as outliers or excluded)"
    )


def test_a_thinned_set_is_an_even_part_of_every_group_and_all_of_the_small_ones() -> None:
    seen = usable_observations(many_sweeps())
    few, _ = seen.thinned(-(-len(seen) // 3))
    assert len(few) < 0.6 * len(seen)
    assert centroids(few) < centroids(seen)
    assert len(few.group_start) == len(seen.group_start)
    assert (few.group_start[0], few.group_start[-1]) == (0, len(few))
    sizes, left = np.diff(seen.group_start), np.diff(few.group_start)
    assert (left[sizes < 5] == sizes[sizes < 5]).all()
    assert (left[sizes >= 5] == -(-sizes[sizes >= 5] // 3)).all()
    key = np.stack([few.experiment, few.panel, few.fold])
    assert all(np.ptp(key[:, a:b], axis=1).max() == 0 for a, b in pairwise(few.group_start))
    assert seen.thinned(len(seen))[0] is seen


# Folds.

SCANS = [(0.1, 3600), (0.15, 540), (0.1, 10), (-0.1, 900)]
"""Width of an image in degrees, and how many images."""


def folds_by_block(width_deg: float, n_images: int, seed: int = 0) -> tuple[Observations, Scan]:
    """Reflections spread evenly over one scan."""
    rng = np.random.default_rng(seed)
    dataset = scan()
    models = dataset.experiments
    width = np.radians(width_deg)
    swept = Scan((1, n_images), 0.5, width, None)
    n = 4000
    xy = dataset.reflections.centroid_mm[rng.integers(0, 3000, n), :2]
    table = Reflections(
        np.zeros(n, dtype=np.int64),
        dataset.reflections.panel[rng.integers(0, 3000, n)],
        np.ones((n, 3), dtype=np.int64),
        np.column_stack([xy, 0.5 + rng.random(n) * n_images * width]),
        np.ones((n, 3)),
        np.zeros(n, dtype=np.int64),
    )
    changed = replace(dataset, reflections=table)
    return usable_observations(with_models(changed, replace(models, scans=(swept,)))), swept


@pytest.mark.parametrize(("width_deg", "n_images"), SCANS)
def test_a_fifth_is_held_out_in_short_blocks_and_the_halves_are_equal(
    width_deg: float, n_images: int
) -> None:
    seen, _ = folds_by_block(width_deg, n_images)
    assert seen.held_out.mean() == pytest.approx(0.2, abs=0.03)
    half = seen.fold // 2 % 2
    assert half.mean() == pytest.approx(0.5, abs=0.06)
    compared = abs(width_deg) * n_images > 20.0
    assert set(seen.fold) == set(range(FOLDS if compared else 4))


@pytest.mark.parametrize(("width_deg", "n_images"), SCANS)
def test_nothing_is_held_out_at_a_scans_ends(width_deg: float, n_images: int) -> None:
    seen, swept = folds_by_block(width_deg, n_images)
    phi, low = seen.observed[2], min(swept.start_rad, swept.end_rad)
    share = (phi - low) / abs(swept.end_rad - swept.start_rad)
    held = share[seen.held_out]
    assert held.min() > share[~seen.held_out].min()
    assert held.max() < share[~seen.held_out].max()
    # Whole blocks stand between what is held out and the ends.
    span_deg = np.degrees(abs(swept.end_rad - swept.start_rad))
    block = min(1.0 / 15.0, 2.0 / span_deg)
    assert held.min() >= block
    assert held.max() <= 1.0 - block


def test_blocks_are_runs_of_phi_of_at_most_two_degrees() -> None:
    seen, _ = folds_by_block(0.1, 3600)
    order = np.argsort(seen.observed[2])
    fold, phi = seen.fold[order], np.degrees(seen.observed[2][order])
    ends = np.flatnonzero(np.diff(fold)) + 1
    lengths = [np.ptp(run) for run in np.split(phi, ends)]
    assert max(lengths) <= 2.0
    assert len(lengths) > 150


def test_each_experiment_has_its_own_blocks() -> None:
    """Two crystals on the same images, and sweeps one after the other."""
    layout = known_layout("PILATUS 300K")
    rng = np.random.default_rng(0)
    twins = tuple(crystal(rng, (57.8, 57.8, 150.2, 90, 90, 90), TETRAGONAL) for _ in range(2))
    image = np.radians(0.1)
    general = general_scene()
    both = Scan((1, 600), 0.0, image, None)
    scene = Scene(
        layout,
        Correction.none(3),
        (facing_pose(layout, 120.0),),
        general.beams[:1],
        general.goniometers[:1],
        twins,
        (
            Sweep(both, crystal=0),
            Sweep(both, crystal=1),
            Sweep(Scan((1, 600), 7.0, image, None), crystal=0),
        ),
    )
    dataset = measured(scene, rng)
    seen = usable_observations(dataset)
    for index in range(3):
        mine = seen.experiment == index
        assert seen.held_out[mine].mean() == pytest.approx(0.2, abs=0.08)
        assert set(seen.fold[mine]) == set(range(FOLDS))
    assert len(started(dataset, layout, options()).instrument.strains) == 2


def test_reflections_without_experiment_crystal_or_goniometer_are_not_fit_for_use() -> None:
    dataset = scan()
    assert fit_for_use(dataset)[:2].all()
    unindexed = with_columns(dataset, experiment={0: -1})
    assert fit_for_use(unindexed)[:2].tolist() == [False, True]
    models = dataset.experiments
    entry = models.experiments[0]
    for lacking in (replace(entry, crystal=None), replace(entry, goniometer=None)):
        without = replace(dataset, experiments=replace(models, experiments=(lacking,)))
        assert not fit_for_use(without).any()


def test_groups_of_varying_crystals_have_one_first_coefficient_too() -> None:
    """Grouping anew with the same coefficient for all gives the same groups."""
    seen = usable_observations(many_sweeps())
    first = np.random.default_rng(2).integers(0, 3, len(seen))
    for given in (np.zeros_like(first), first):
        found, order = seen.varying(given, None)
        key = np.stack([found.experiment, found.panel, found.fold, given[order]])
        groups = [key[:, a:b] for a, b in pairwise(found.group_start)]
        assert all((group == group[:, :1]).all() for group in groups)
        assert len({tuple(group[:, 0]) for group in groups}) == len(groups)
        assert np.array_equal(found.observed, seen.observed[:, order])
