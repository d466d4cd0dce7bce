"""Rigid motions: adjoints, tangents, and which of them the gauge consists of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector, vector_from_rotation
from calib.model.detector.layout import Layout, PanelFrames
from calib.solve.algebra.rigid_motion import adjoints, gauge_directions, tangents_from_parameters
from support.scenes import barrel

SEEDS = st.integers(0, 2**32 - 1)
STEP = 1e-6
FLAT = known_layout("PILATUS 1M")


def centres(layout: Layout, frames: PanelFrames) -> Floats:
    return np.asarray(frames.points(0.5 * layout.size_mm[:, None, :])[:, 0])


def tangent_between(layout: Layout, one: PanelFrames, other: PanelFrames) -> Floats:
    """(n, 6) the motion of each panel from one place to another, in its own axes there."""
    back = one.rotation.transpose(0, 2, 1)
    shift = centres(layout, other) - centres(layout, one)
    turn = vector_from_rotation(back @ other.rotation)
    return np.concatenate([np.einsum("nij,nj->ni", back, shift), turn], axis=1)


def gauge_of(layout: Layout, freedom: Freedom, correction: Correction | None = None) -> Floats:
    at = correction or Correction.none(len(layout))
    frames = at.frames(layout)
    return gauge_directions(
        frames.rotation, centres(layout, frames), tangents_from_parameters(at), freedom
    )


def some_correction(rng: np.random.Generator, layout: Layout, freedom: Freedom) -> Correction:
    values = np.zeros((len(layout), 6))
    scale = np.array([0.2, 0.2, 0.1, 5e-3, 5e-3, 5e-3])
    values[:, freedom.free] = (rng.normal(size=values.shape) * scale)[:, freedom.free]
    return Correction(values)


@given(SEEDS, st.integers(0, 5))
def test_the_adjoint_carries_a_rigid_motion_to_each_panel(seed: int, axis: int) -> None:
    rng = np.random.default_rng(seed)
    frames = some_correction(rng, FLAT, Freedom.FULL).frames(FLAT)
    about, motion = rng.normal(scale=100.0, size=3), STEP * np.eye(6)[axis]
    turn = rotation_from_vector(motion[3:])
    moved = frames.moved(RigidMotion(turn, about - turn @ about + motion[:3]))
    found = tangent_between(FLAT, frames, moved) / STEP
    expected = adjoints(frames.rotation, centres(FLAT, frames), about)[:, :, axis]
    assert np.abs(found - expected).max() < 1e-3


@given(SEEDS, st.integers(0, 5))
def test_tangents_are_what_small_changes_of_the_parameters_do(seed: int, parameter: int) -> None:
    rng = np.random.default_rng(seed)
    correction = Correction(rng.normal(size=(10, 6)) * [1.0, 1.0, 1.0, 0.3, 0.3, 0.3])
    change = np.zeros((10, 6))
    change[:, parameter] = STEP
    here, there = correction.frames(FLAT), Correction(correction.values + change).frames(FLAT)
    found = tangent_between(FLAT, here, there) / STEP
    expected = tangents_from_parameters(correction)[:, :, parameter]
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("layout", "freedom", "expected"),
    [
        (FLAT, Freedom.FULL, 6),
        (FLAT, Freedom.IN_PLANE, 3),
        (barrel(), Freedom.FULL, 6),
        (barrel(), Freedom.IN_PLANE, 1),
        (known_layout("PILATUS 6M"), Freedom.FULL, 6),
        (known_layout("EIGER2 16M"), Freedom.IN_PLANE, 3),
    ],
    ids=["flat-full", "flat-in-plane", "barrel-full", "barrel-in-plane", "6M", "16M"],
)
def test_the_gauge_has_as_many_rigid_motions_as_the_parameters_hold(
    layout: Layout, freedom: Freedom, expected: int
) -> None:
    """On a barrel all panels can still slide along its axis, in their own planes."""
    rng = np.random.default_rng(1)
    for correction in (Correction.none(len(layout)), some_correction(rng, layout, freedom)):
        assert gauge_of(layout, freedom, correction).shape == (
            len(layout) * len(freedom.free),
            expected,
        )


def test_in_plane_freedom_on_a_detector_bent_in_two_ways_holds_no_rigid_motion() -> None:
    flat = known_layout("PILATUS 1M")
    bent = rotation_from_vector(np.random.default_rng(2).normal(scale=0.2, size=(10, 3)))
    bowl = Layout(flat.panels, PanelFrames(bent, flat.frames.origin_mm))
    assert gauge_of(bowl, Freedom.IN_PLANE).shape[1] == 0
    assert gauge_of(bowl, Freedom.FULL).shape[1] == 6


def test_a_detector_drawn_flat_to_rounding_counts_as_flat() -> None:
    pose = rotation_from_vector(np.array([0.3, -0.2, 0.9]))
    turned = Layout(
        FLAT.panels, PanelFrames(pose @ FLAT.frames.rotation, FLAT.frames.origin_mm @ pose.T)
    )
    assert gauge_of(turned, Freedom.IN_PLANE).shape[1] == 3


@pytest.mark.parametrize("freedom", list(Freedom))
@pytest.mark.parametrize("layout", [FLAT, barrel()], ids=["flat", "barrel"])
def test_a_step_along_the_gauge_moves_all_panels_as_one(layout: Layout, freedom: Freedom) -> None:
    correction = some_correction(np.random.default_rng(3), layout, freedom)
    here = correction.frames(layout)
    for direction in gauge_of(layout, freedom, correction).T:
        values = correction.values.copy()
        values[:, freedom.free] += STEP * direction.reshape(len(layout), -1)
        there = Correction(values).frames(layout)
        moved = there.rotation @ here.rotation.transpose(0, 2, 1)
        assert np.abs(moved - moved[0]).max() < 1e-11
        corners = layout.corners_panel_mm()
        before = here.points(corners).reshape(-1, 3)
        after = there.points(corners).reshape(-1, 3)
        apart = np.linalg.norm(before - before[0], axis=1) - np.linalg.norm(
            after - after[0], axis=1
        )
        assert np.abs(apart).max() < 1e-9
        assert np.abs(after - before).max() > 1e-10


def test_swelling_is_no_gauge() -> None:
    """The pixel size is known: panels that move apart are seen by the data."""
    swelling = np.zeros((10, 6))
    middle = FLAT.centre_root_mm.mean(axis=0)
    swelling[:, :2] = (FLAT.centre_root_mm - middle)[:, :2]
    gauge = gauge_of(FLAT, Freedom.FULL)
    left = swelling.ravel() - gauge @ np.linalg.lstsq(gauge, swelling.ravel(), rcond=None)[0]
    assert np.linalg.norm(left) == pytest.approx(np.linalg.norm(swelling), rel=1e-9)


@pytest.mark.parametrize(("tilt_rad", "n_motions"), [(4.5e-3, 3), (5.4e-3, 1)])
def test_panels_tilted_by_less_than_5_mrad_count_as_flat(tilt_rad: float, n_motions: int) -> None:
    """Tilted about fast, one up and one down, they can still slide along fast however steep."""
    tilts = np.zeros((10, 3))
    tilts[:, 0] = tilt_rad * np.array([1, -1, -1, 1, 1, -1, -1, 1, 1, -1])
    rotation = FLAT.frames.rotation @ rotation_from_vector(tilts)
    half = np.concatenate([0.5 * FLAT.size_mm, np.zeros((10, 1))], axis=1)
    origin = FLAT.centre_root_mm - np.einsum("nij,nj->ni", rotation, half)
    tilted = Layout(FLAT.panels, PanelFrames(rotation, origin))
    assert gauge_of(tilted, Freedom.IN_PLANE).shape[1] == n_motions
