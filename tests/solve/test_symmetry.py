"""Cells keep their symmetry, and nothing more is held than the symmetry asks for."""

from __future__ import annotations

from dataclasses import replace

import gemmi
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.experiment import Crystal, Scan
from calib.model.experiment.pose import facing_pose
from calib.solve.dataset.symmetry import (
    VOIGT,
    allowed_strains,
    hall_from_name,
    strain_matrix,
    symmetric_setting,
)
from support.forward import Scene, Sweep, measured, with_models
from support.scenes import crystal, general_scene, options, simulation, started

EXACT_ANGSTROM = 1e-10
EXACT_DEGREES = 1e-10

SYSTEMS = {
    "P1": ((50.0, 61.0, 72.0, 81.0, 77.0, 66.0), 6),
    "P21": ((60.0, 45.0, 71.0, 90.0, 103.0, 90.0), 4),
    "C2": ((90.0, 45.0, 61.0, 90.0, 110.0, 90.0), 4),
    "P212121": ((50.0, 61.0, 72.0, 90.0, 90.0, 90.0), 3),
    "P43212": ((57.8, 57.8, 150.2, 90.0, 90.0, 90.0), 2),
    "P61": ((70.0, 70.0, 110.0, 90.0, 90.0, 120.0), 2),
    "R3:H": ((80.0, 80.0, 90.0, 90.0, 90.0, 120.0), 2),
    "R3:R": ((60.0, 60.0, 60.0, 85.0, 85.0, 85.0), 2),
    "P213": ((97.0, 97.0, 97.0, 90.0, 90.0, 90.0), 1),
}
"""A cell of each crystal system, and how many numbers describe it."""


def cell_of(real_space: Floats) -> Floats:
    """a, b, c in Angstrom and alpha, beta, gamma in degrees of a basis with rows a, b, c."""
    length = np.linalg.norm(real_space, axis=1)
    cosine = [
        real_space[i] @ real_space[j] / (length[i] * length[j]) for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    return np.concatenate([length, np.degrees(np.arccos(cosine))])


def some_crystal(name: str, seed: int = 0) -> Crystal:
    return crystal(np.random.default_rng(seed), SYSTEMS[name][0], hall_from_name(name))


def distorted(given: Crystal, size: float, seed: int = 1) -> Crystal:
    strain = np.random.default_rng(seed).normal(scale=size, size=(3, 3))
    return Crystal(given.real_space @ (np.eye(3) + 0.5 * (strain + strain.T)), given.hall_symbol)


def assert_symmetric(a_matrix: Floats, hall_symbol: str, tolerance: float = 1e-13) -> None:
    """The metric of the reciprocal lattice is what every operation of the group leaves it."""
    metric = a_matrix.T @ a_matrix
    for operation in gemmi.symops_from_hall(hall_symbol).sym_ops:
        turn = np.array(operation.rot).T / operation.DEN
        changed = turn.T @ metric @ turn
        assert np.abs(changed - metric).max() <= tolerance * np.abs(metric).max()


@pytest.mark.parametrize("name", SYSTEMS)
def test_as_many_strains_are_free_as_the_crystal_system_has_cell_parameters(name: str) -> None:
    given = some_crystal(name)
    strains = allowed_strains(given.a_matrix, given.hall_symbol)
    assert strains.shape == (6, SYSTEMS[name][1])
    assert strains.T @ strains == pytest.approx(np.eye(SYSTEMS[name][1]), abs=1e-12)


@pytest.mark.parametrize("name", SYSTEMS)
def test_allowed_strains_keep_the_symmetry_even_when_they_are_large(name: str) -> None:
    given = some_crystal(name)
    for strain in allowed_strains(given.a_matrix, given.hall_symbol).T:
        stretched = (np.eye(3) + 0.1 * strain_matrix(strain)) @ given.a_matrix
        assert_symmetric(stretched, given.hall_symbol)


@pytest.mark.parametrize("name", sorted(set(SYSTEMS) - {"P1"}))
def test_every_other_strain_breaks_the_symmetry(name: str) -> None:
    given = some_crystal(name)
    strains = allowed_strains(given.a_matrix, given.hall_symbol)
    for strain in np.linalg.svd(strains)[0][:, strains.shape[1] :].T:
        stretched = (np.eye(3) + 1e-3 * strain_matrix(strain)) @ given.a_matrix
        with pytest.raises(AssertionError):
            assert_symmetric(stretched, given.hall_symbol, 1e-5)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_cell_with_its_symmetry_is_left_as_it_is(name: str) -> None:
    given = some_crystal(name)
    found = symmetric_setting(given)
    assert np.abs(found - given.a_matrix).max() < 1e-12 * np.abs(given.a_matrix).max()


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_cell_off_its_symmetry_is_brought_to_it_without_turning(name: str) -> None:
    given = distorted(some_crystal(name), 2e-3)
    found = symmetric_setting(given)
    assert_symmetric(found, given.hall_symbol)
    change = found @ np.linalg.inv(given.a_matrix)
    assert np.abs(change - change.T).max() < 1e-12
    assert np.abs(change - np.eye(3)).max() < 2e-2


def test_a_given_space_group_overrules_the_files() -> None:
    given = distorted(some_crystal("P43212"), 1e-3)
    free = symmetric_setting(given, hall_from_name("P1"))
    assert np.abs(free - given.a_matrix).max() < 1e-12
    assert_symmetric(symmetric_setting(given, hall_from_name("P4")), hall_from_name("P4"))


def test_a_cell_far_from_the_symmetry_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        symmetric_setting(some_crystal("P212121"), hall_from_name("P43212"))
    assert caught.value.code == "cell-not-symmetric"
    assert "--space-group P1" in caught.value.remedy


@pytest.mark.parametrize(
    ("given", "hall"), [("P43212", " P 4nw 2abw"), ("96", " P 4nw 2abw"), ("P 1", " P 1")]
)
def test_a_space_group_is_known_by_name_and_number(given: str, hall: str) -> None:
    assert hall_from_name(given).strip() == hall.strip()


@pytest.mark.parametrize("given", ["P7", "0", "231", "", "P43212x"])
def test_what_is_no_space_group_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="is no space group"):
        hall_from_name(given)


def test_what_is_no_hall_symbol_is_refused() -> None:
    with pytest.raises(InputError, match="is no Hall symbol"):
        symmetric_setting(some_crystal("P1"), "nonsense")


def test_the_six_components_of_a_strain_stand_where_they_say() -> None:
    strain = strain_matrix(np.arange(1.0, 7.0))
    assert [strain[i, j] for i, j in VOIGT] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert np.array_equal(strain, strain.T)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_crystal_system_is_refined_to_its_cell_and_keeps_its_symmetry(name: str) -> None:
    """From a cell a thousandth off its symmetry and an orientation two milliradians off."""
    layout, true, general = known_layout("PILATUS 300K"), some_crystal(name), general_scene()
    scene = Scene(
        layout,
        Correction.none(3),
        (facing_pose(layout, 120.0),),
        general.beams[:1],
        general.goniometers[:1],
        (true,),
        (Sweep(Scan((1, 900), 0.0, np.radians(0.1), None), n_reflections=400),),
    )
    dataset = measured(scene, np.random.default_rng(1))
    turn = Rotation.from_rotvec([2e-3, -1e-3, 1e-3]).as_matrix()
    given = Crystal(distorted(true, 1e-3).real_space @ turn, true.hall_symbol)
    models = replace(dataset.experiments, crystals=(given,))
    fit = started(with_models(dataset, models), layout, options())
    fit, _ = fit.refined_at(Correction.none(3), robust=True, iterations=20)
    assert_symmetric(fit.nuisance.a_matrix[0], true.hall_symbol, 1e-12)
    found = cell_of(np.linalg.inv(fit.nuisance.a_matrix[0]))
    assert found == pytest.approx(np.array(SYSTEMS[name][0]), abs=0.02)


@pytest.mark.parametrize("turn_rad", [0.0, 5e-4, 2e-2])
def test_a_tetragonal_cell_stays_tetragonal_however_far_the_crystal_turns(turn_rad: float) -> None:
    """Also where the file's orientation and cell are far from the true ones."""
    layout, truth, scan = simulation("PILATUS 300K", distance_mm=120.0, n_reflections=900)
    dataset = scan.dataset
    models = dataset.experiments
    turn = Rotation.from_rotvec([turn_rad, -turn_rad, turn_rad]).as_matrix()
    swollen = models.crystals[0].real_space * np.array([[1.004], [1.004], [0.995]])
    given = Crystal(swollen @ turn, models.crystals[0].hall_symbol)
    fit = started(with_models(dataset, replace(models, crystals=(given,))), layout, options())
    fit, _ = fit.refined_at(truth, robust=True, iterations=30)
    a, b, c, *angles = cell_of(np.linalg.inv(fit.nuisance.a_matrix[0]))
    assert a == pytest.approx(b, abs=EXACT_ANGSTROM)
    assert angles == pytest.approx([90.0] * 3, abs=EXACT_DEGREES)
    residuals = fit.residuals(Correction(truth.values)) / fit.seen.sigma
    assert np.sqrt(np.mean(residuals**2)) == pytest.approx(1.0, abs=0.05)
    assert (a, c) == pytest.approx((57.8, 150.2), abs=0.05)
