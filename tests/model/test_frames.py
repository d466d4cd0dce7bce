"""Rotations and rigid motions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.detector.frames import (
    RigidMotion,
    fit_rigid,
    orthonormal,
    right_jacobian,
    rotation_from_vector,
    skew,
    vector_from_rotation,
)

ROUNDING = 1e-14
NEAR_PI_ROUNDING_RAD = 1e-12
POINTS_ROUNDING_MM = 1e-9

COMPONENTS = st.floats(-1.0, 1.0)
AXES = (
    st.tuples(COMPONENTS, COMPONENTS, COMPONENTS)
    .map(np.array)
    .filter(lambda v: bool(np.linalg.norm(v) > 1e-2))
    .map(lambda v: np.asarray(v / np.linalg.norm(v)))
)
ANGLES_RAD = st.one_of(
    st.floats(0.0, np.pi - 1e-3), st.floats(-12.0, -3.0).map(lambda exponent: 10.0**exponent)
)
VECTORS = st.tuples(AXES, ANGLES_RAD).map(lambda pair: np.asarray(pair[0] * pair[1]))
SEEDS = st.integers(0, 2**32 - 1)


def some_motion(rng: np.random.Generator) -> RigidMotion:
    return RigidMotion(rotation_from_vector(rng.normal(size=3)), rng.normal(scale=100.0, size=3))


@given(VECTORS)
def test_a_rotation_vector_survives_the_way_through_its_matrix(vector: Floats) -> None:
    back = vector_from_rotation(rotation_from_vector(vector))
    assert np.abs(back - vector).max() <= 1e-12 + 10.0 * ROUNDING * np.linalg.norm(vector)


@given(AXES, st.floats(-16.0, -2.0).map(lambda exponent: np.pi - 10.0**exponent))
def test_a_rotation_by_almost_half_a_turn_survives(axis: Floats, angle: float) -> None:
    rotation = rotation_from_vector(axis * angle)
    back = vector_from_rotation(rotation)
    assert np.linalg.norm(back) == pytest.approx(angle, abs=NEAR_PI_ROUNDING_RAD)
    assert np.abs(rotation_from_vector(back) - rotation).max() < NEAR_PI_ROUNDING_RAD


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_a_turn_about_an_axis_is_half_a_turn(axis: int) -> None:
    signs = -np.ones(3)
    signs[axis] = 1.0
    found = vector_from_rotation(np.diag(signs))
    assert np.abs(found) == pytest.approx(np.pi * np.eye(3)[axis])


@given(VECTORS)
def test_the_smallest_turns_keep_all_their_digits(vector: Floats) -> None:
    tiny = 1e-9 * vector
    rotation = rotation_from_vector(tiny)
    assert np.abs(vector_from_rotation(rotation) - tiny).max() <= 1e-15 * np.linalg.norm(tiny) + (
        np.finfo(np.float64).eps
    )


@given(VECTORS)
def test_a_rotation_matrix_is_a_rotation(vector: Floats) -> None:
    rotation = rotation_from_vector(vector)
    assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 10.0 * ROUNDING
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert np.abs(rotation @ vector - vector).max() < 10.0 * ROUNDING


@given(AXES, st.floats(-3.0, 3.0))
def test_a_turn_is_what_the_matrix_exponential_says(axis: Floats, angle: float) -> None:
    generator, term, total = skew(axis * angle), np.eye(3), np.eye(3)
    for order in range(1, 40):
        term = term @ generator / order
        total = total + term
    assert np.abs(rotation_from_vector(axis * angle) - total).max() < 1e-12


@given(SEEDS)
def test_skew_is_the_vector_product(seed: int) -> None:
    a, b = np.random.default_rng(seed).normal(size=(2, 5, 3))
    assert np.abs(np.einsum("nij,nj->ni", skew(a), b) - np.cross(a, b)).max() < 10.0 * ROUNDING


@given(VECTORS, AXES)
def test_the_right_jacobian_is_the_derivative_of_the_exponential(
    vector: Floats, direction: Floats
) -> None:
    step = 1e-6
    turn = rotation_from_vector(vector).T @ rotation_from_vector(vector + step * direction)
    other = rotation_from_vector(vector).T @ rotation_from_vector(vector - step * direction)
    found = (vector_from_rotation(turn) - vector_from_rotation(other)) / (2.0 * step)
    assert np.abs(right_jacobian(vector) @ direction - found).max() < 1e-8


def test_the_right_jacobian_has_no_step_where_its_series_takes_over() -> None:
    axis = np.array([0.6, 0.0, 0.8])
    below, above = right_jacobian(axis * (1e-3 - 1e-12)), right_jacobian(axis * (1e-3 + 1e-12))
    assert np.abs(below - above).max() < 1e-11


@given(SEEDS)
def test_a_motion_and_its_inverse_cancel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    motion, points = some_motion(rng), rng.normal(scale=300.0, size=(7, 3))
    assert np.abs(motion.inverse().points(motion.points(points)) - points).max() < (
        POINTS_ROUNDING_MM
    )
    both = motion @ motion.inverse()
    assert np.abs(both.rotation - np.eye(3)).max() < 10.0 * ROUNDING
    assert np.abs(both.translation_mm).max() < POINTS_ROUNDING_MM


@given(SEEDS)
def test_motions_act_one_after_the_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    outer, inner = some_motion(rng), some_motion(rng)
    points = rng.normal(scale=300.0, size=(7, 3))
    together = (outer @ inner).points(points)
    assert np.abs(together - outer.points(inner.points(points))).max() < POINTS_ROUNDING_MM


@given(SEEDS)
def test_the_rigid_fit_finds_the_motion_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    motion, points = some_motion(rng), rng.normal(scale=100.0, size=(20, 3))
    found = fit_rigid(points, motion.points(points), rng.uniform(0.1, 1.0, size=20))
    assert np.abs(found.rotation - motion.rotation).max() < 1e-12
    assert np.abs(found.translation_mm - motion.translation_mm).max() < POINTS_ROUNDING_MM


@given(SEEDS)
def test_the_rigid_fit_of_a_plane_is_no_mirror_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    motion = some_motion(rng)
    points = np.column_stack([rng.normal(scale=100.0, size=(20, 2)), np.zeros(20)])
    found = fit_rigid(points, motion.points(points), np.ones(20))
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)
    assert np.abs(found.points(points) - motion.points(points)).max() < POINTS_ROUNDING_MM


@given(SEEDS)
def test_a_point_without_weight_does_not_bend_the_rigid_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    motion, points = some_motion(rng), rng.normal(scale=100.0, size=(10, 3))
    there, weights = motion.points(points), np.ones(10)
    there[3] += 50.0
    weights[3] = 0.0
    found = fit_rigid(points, there, weights)
    assert np.abs(found.rotation - motion.rotation).max() < 1e-12


def test_the_rigid_fit_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(3)
    here, weights = rng.normal(scale=100.0, size=(15, 3)), rng.uniform(0.2, 2.0, size=15)
    there = some_motion(rng).points(here) + rng.normal(scale=0.5, size=(15, 3))
    best = fit_rigid(here, there, weights)

    def cost(motion: RigidMotion) -> float:
        return float(weights @ ((motion.points(here) - there) ** 2).sum(axis=1))

    for step in 1e-4 * np.vstack([np.eye(6), -np.eye(6)]):
        turned = RigidMotion(rotation_from_vector(step[3:]), 100.0 * step[:3]) @ best
        assert cost(turned) > cost(best)


def test_axes_are_made_perpendicular_keeping_the_fast_one() -> None:
    fast, slow = np.array([2.0, 0.0, 0.0]), np.array([1e-4, -3.0, 0.0])
    rotation = orthonormal(fast, slow)
    assert np.abs(rotation - np.array([[1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0]])).max() < ROUNDING


def test_a_motion_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="rotation contains NaN or infinity"):
        RigidMotion(np.full((3, 3), np.nan), np.zeros(3))
    with pytest.raises(InputError, match="translation_mm has shape"):
        RigidMotion(np.eye(3), np.zeros(2))


def test_values_cannot_be_changed_after_they_were_made() -> None:
    given_rotation = np.eye(3)
    motion = RigidMotion(given_rotation, np.zeros(3))
    given_rotation[0, 0] = 7.0
    assert motion.rotation[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        motion.rotation[0, 0] = 2.0
