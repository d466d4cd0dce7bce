"""Effects of crystals and lattices move reflections by what physics predicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.model.experiment.experiment import Crystal
from calib.simulate.effects.crystal import CrystalDrift, RadiationDamage
from calib.simulate.effects.lattice import Misindexing, SecondLattice
from calib.simulate.effects.slip import Slip
from calib.simulate.effects.symmetry import LowerSymmetry
from support.effect_laws import (
    LAYOUT,
    POSE,
    TRUTH,
    exact,
    exact_stills,
    fits,
    matched,
    plain,
    share_of,
    turned,
)
from support.forward import Scene, Sweep, traced

OBLIQUE = np.array([1.0, -2.0, 2.0]) / 3.0


def test_a_crystal_that_slips_by_a_milliradian_moves_the_spots_after_it_and_none_before() -> None:
    found = exact(Slip(1e-3, at_share=0.5))
    (scan,) = found.dataset.experiments.scans
    turn = turned(1e-3 * OBLIQUE)[0]
    rotated = Crystal(found.true_crystal.real_space @ turn.T, "P 1")
    table = found.dataset.reflections
    after = table.centroid_mm[:, 2] > np.radians(40.0)
    for mine, crystal in ((~after, found.true_crystal), (after, rotated)):
        scene = Scene(
            LAYOUT, TRUTH, (POSE,), found.dataset.experiments.beams,
            found.dataset.experiments.goniometers, (crystal,), (Sweep(scan),),
        )  # fmt: skip
        centroid = table.centroid_mm[mine]
        again = traced(scene, 0, table.miller_index[mine], table.panel[mine], centroid[:, 2])
        assert np.abs(again - centroid).max() < 1e-8
    i, j = matched(plain(), found)
    one, other = plain().dataset.reflections.centroid_mm[i], table.centroid_mm[j]
    shift = np.abs(one - other)[:, :2].max(axis=1)
    late = one[:, 2] > np.radians(40.2)
    early = one[:, 2] < np.radians(39.8)
    assert shift[early].max() < 1e-9
    # At most a milliradian times the path of 120 to 150 mm, and less for most.
    assert 0.02 < shift[late].max() < 0.2
    assert np.median(shift[late]) > 0.002


def test_a_crystal_that_drifts_turns_by_its_size_from_one_extreme_to_the_other() -> None:
    found = exact(CrystalDrift(2e-3, 0.5, cell_share=1e-3))
    way = 0.5 * np.sin(np.pi * (share_of(found) - 0.5))
    assert np.ptp(way) == pytest.approx(1.0, abs=0.01)
    turn = turned(np.outer(2e-3 * way, OBLIQUE))
    grown = np.eye(3) * (1.0 + 1e-3 * way)[:, None, None]
    assert fits(found, crystal=turn, strain=grown)
    assert not fits(found, crystal=turn)
    assert not fits(found, strain=grown)


def test_waves_of_a_drift_are_periods_in_the_scan() -> None:
    found = exact(CrystalDrift(2e-3, 3.0))
    way = 0.5 * np.sin(6.0 * np.pi * (share_of(found) - 0.5))
    assert fits(found, crystal=turned(np.outer(2e-3 * way, OBLIQUE)))


def test_a_damaged_crystal_has_grown_by_its_share_at_the_end() -> None:
    found = exact(RadiationDamage((1e-3, 2e-3, -5e-4)))
    lengths = 1.0 + np.outer(share_of(found), [1e-3, 2e-3, -5e-4])
    assert fits(found, strain=lengths[:, :, None] * np.eye(3))


def test_a_lattice_of_lower_symmetry_has_unequal_axes_and_a_tetragonal_file() -> None:
    found = exact(LowerSymmetry(5e-4))
    a, b, c = np.linalg.norm(found.true_crystal.real_space, axis=1)
    basis = found.true_crystal.real_space * np.array([[1.00025], [0.99975], [1.0]])
    (scan,) = found.dataset.experiments.scans
    scene = Scene(
        LAYOUT, TRUTH, (POSE,), found.dataset.experiments.beams,
        found.dataset.experiments.goniometers, (Crystal(basis, "P 1"),), (Sweep(scan),),
    )  # fmt: skip
    table = found.dataset.reflections
    again = traced(scene, 0, table.miller_index, table.panel, table.centroid_mm[:, 2])
    assert np.abs(again - table.centroid_mm).max() < 1e-8
    (stated,) = found.dataset.experiments.crystals
    assert np.linalg.norm(stated.real_space, axis=1) == pytest.approx([a, b, c])
    assert stated.hall_symbol == " P 4nw 2abw"


def test_a_sheared_lattice_has_the_angle_between_a_and_b() -> None:
    found = exact(LowerSymmetry(0.0, 1e-3))
    strain = np.eye(3)
    strain[0, 1] = np.tan(1e-3)
    assert fits(found, strain=np.tile(strain, (len(share_of(found)), 1, 1)))
    a, b = strain[:, 0], strain[:, 1]
    assert np.arccos(a @ b / np.linalg.norm(b)) == pytest.approx(np.pi / 2 - 1e-3)


def test_a_second_lattice_has_its_share_and_its_rotation() -> None:
    found = exact(SecondLattice(0.3, 3e-3), n=1000)
    table = found.dataset.reflections
    rows = np.arange(len(table))
    turn = np.tile(turned(3e-3 * OBLIQUE), (len(table), 1, 1))
    same = np.tile(np.eye(3), (len(table), 1, 1))
    i, j = matched(exact(n=1000), found)
    one = exact(n=1000).dataset.reflections.centroid_mm[i]
    moved = np.abs(one - table.centroid_mm[j]).max(axis=1) > 1e-6
    second = np.zeros(len(table), dtype=bool)
    second[j[moved]] = True
    assert moved.mean() == pytest.approx(0.3, abs=0.05)
    known = np.isin(rows, j)
    both = np.where(second[:, None, None], turn, same)
    part = found.dataset.reflections.where(known)
    subset = replace(found, dataset=replace(found.dataset, reflections=part))
    assert fits(subset, crystal=both[known])
    assert not fits(subset)


def test_both_passages_of_an_index_are_of_the_same_domain() -> None:
    found = exact(SecondLattice(0.5, 3e-3), range_rad=2.0 * np.pi, n=1500)
    ideal = exact(range_rad=2.0 * np.pi, n=1500)
    i, j = matched(ideal, found)
    one = ideal.dataset.reflections.centroid_mm[i]
    moved = np.abs(one - found.dataset.reflections.centroid_mm[j]).max(axis=1) > 1e-6
    index = [tuple(h) for h in found.dataset.reflections.miller_index[j].tolist()]
    of: dict[tuple[int, ...], set[bool]] = {}
    for h, m in zip(index, moved.tolist(), strict=True):
        of.setdefault(h, set()).add(m)
    assert any(index.count(h) == 2 for h in of)
    assert all(len(found) == 1 for found in of.values())


def test_misindexed_reflections_keep_their_places_and_are_off_by_one_step() -> None:
    found = exact(Misindexing(0.1, (0, 0, 1)), n=1000)
    one, other = exact(n=1000).dataset.reflections, found.dataset.reflections
    assert np.array_equal(one.centroid_mm, other.centroid_mm)
    step = other.miller_index - one.miller_index
    off = step.any(axis=1)
    assert off.mean() == pytest.approx(0.1, abs=0.03)
    assert (step[off] == (0, 0, 1)).all()


def test_whole_stills_are_misindexed_or_not_at_all() -> None:
    found = exact_stills(Misindexing(0.4, (0, 1, 0), whole=True), n_crystals=12)
    ideal = exact_stills(n_crystals=12).dataset.reflections
    table = found.dataset.reflections
    off = (table.miller_index != ideal.miller_index).any(axis=1)
    per_still = [off[table.experiment == k].mean() for k in range(12)]
    assert set(per_still) == {0.0, 1.0}


def test_stills_of_a_strained_crystal_follow_their_own_cells() -> None:
    """A cell that is .1 % larger scatters to sines of theta that are .1 % smaller."""
    grown = exact_stills(CrystalDrift(0.0, 0.5, cell_share=2e-3), n_crystals=2)
    ideal = exact_stills(n_crystals=2)
    i, j = matched(ideal, grown, 0.2)
    table = ideal.dataset.reflections
    frames = TRUTH.frames(LAYOUT).moved(POSE)

    def two_theta(centroid: np.ndarray, panel: np.ndarray) -> np.ndarray:
        flat = np.pad(centroid[:, :2], ((0, 0), (0, 1)))
        lab = np.einsum("nij,nj->ni", frames.rotation[panel], flat) + frames.origin_mm[panel]
        return np.asarray(np.arccos(-lab[:, 2] / np.linalg.norm(lab, axis=1)))

    sine = [
        np.sin(0.5 * two_theta(t.centroid_mm[k], t.panel[k]))
        for t, k in ((table, i), (grown.dataset.reflections, j))
    ]
    ratio = sine[1] / sine[0]
    of = table.experiment[i]
    assert np.median(ratio[of == 0]) == pytest.approx(1.001, abs=1e-5)
    assert np.median(ratio[of == 1]) == pytest.approx(0.999, abs=1e-5)
