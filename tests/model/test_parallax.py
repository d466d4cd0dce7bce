"""Pixels and millimetres, with and without parallax."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import InputError
from calib.model.base.arrays import Floats, Ints
from calib.model.detector.frames import rotation_from_vector
from calib.model.detector.layout import PanelFrames, PanelShape
from calib.model.experiment.experiment import Detector, Sensors
from calib.model.experiment.parallax import corrected, mm_from_px, px_from_mm

ROUND_TRIP_PX = 5e-4
"""What one step of the inverse is good for with 0.32 mm of silicon (formats.md)."""
PIXEL_MM = 0.172


def detector(
    *, parallax: bool = True, mu: float = 1.5, thickness: float = 0.32, turn: float = 0.3
) -> Detector:
    """Two panels 150 mm away, the second turned."""
    rotation = rotation_from_vector(np.array([[0.0, np.pi, 0.0], [turn, np.pi - 0.2, 0.0]]))
    frames = PanelFrames(rotation, np.array([[40.0, -20.0, -150.0], [-50.0, -20.0, -150.0]]))
    shape = PanelShape("p", (487, 195), (PIXEL_MM, PIXEL_MM))
    sensors = Sensors(np.full(2, parallax), np.full(2, mu), np.full(2, thickness))
    return Detector((shape, shape), frames, None, sensors, "")


@st.composite
def positions(draw: st.DrawFn) -> tuple[Floats, Ints]:
    n = draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.uniform(0.0, [487.0, 195.0], size=(n, 2)), rng.integers(0, 2, size=n)


@given(positions())
def test_there_and_back_is_where_it_was(where: tuple[Floats, Ints]) -> None:
    px, panel = where
    back = px_from_mm(mm_from_px(px, panel, detector()), panel, detector())
    np.testing.assert_allclose(back, px, rtol=0, atol=ROUND_TRIP_PX)


@given(positions())
def test_without_parallax_a_millimetre_is_a_number_of_pixels(where: tuple[Floats, Ints]) -> None:
    px, panel = where
    plain = detector(parallax=False)
    np.testing.assert_array_equal(mm_from_px(px, panel, plain), px * PIXEL_MM)
    np.testing.assert_array_equal(px_from_mm(px, panel, plain), px / PIXEL_MM)


@pytest.mark.parametrize(("mu", "thickness"), [(0.0, 0.32), (1.5, 0.0)])
def test_parallax_without_mu_or_thickness_is_none(mu: float, thickness: float) -> None:
    incomplete = detector(mu=mu, thickness=thickness)
    px, panel = np.array([[3.0, 4.0]]), np.array([1])
    assert not corrected(incomplete).any()
    np.testing.assert_array_equal(mm_from_px(px, panel, incomplete), px * PIXEL_MM)


def test_a_photon_is_absorbed_farther_out_than_it_enters() -> None:
    # The mean depth of absorption, seen under the angle at which the photon comes in.
    flat = detector()
    px, panel = np.array([[487.0, 195.0]]), np.array([0])
    plain = px * PIXEL_MM
    mm = mm_from_px(px, panel, flat)
    lab = flat.frames.points(np.broadcast_to(plain, (2, 1, 2)))[0, 0]
    s1 = lab / np.linalg.norm(lab)
    cosine = abs(s1 @ flat.frames.rotation[0][:, 2])
    path = 0.32 / cosine
    depths = (np.arange(100_000) + 0.5) / 100_000 * path
    # 1/mu - (t/c + 1/mu) exp(-mu t/c) is the integral of s mu exp(-mu s) over the sensor.
    depth = np.sum(depths * 1.5 * np.exp(-1.5 * depths)) * path / 100_000
    along = s1 @ flat.frames.rotation[0][:, :2]
    np.testing.assert_allclose(plain[0] - mm[0], depth * along, rtol=1e-6)


def test_it_does_not_matter_which_way_a_panels_normal_points() -> None:
    plain = detector()
    length_mm = 195 * PIXEL_MM
    turned_over = np.diag([1.0, -1.0, -1.0])  # slow runs back from the panel's other edge
    other_edge = plain.frames.origin_mm + length_mm * plain.frames.rotation[:, :, 1]
    frames = PanelFrames(plain.frames.rotation @ turned_over, other_edge)
    px, panel = np.array([[400.0, 10.0], [20.0, 150.0]]), np.array([0, 1])
    mm = mm_from_px(px, panel, plain)
    mirrored = mm_from_px(px * [1.0, -1.0] + [0.0, 195.0], panel, plain, frames)
    np.testing.assert_allclose(mirrored, mm * [1.0, -1.0] + [0.0, length_mm], rtol=0, atol=1e-12)


def test_frames_given_stand_in_for_the_detectors_own() -> None:
    given_frames = detector(turn=0.1).frames
    px, panel = np.array([[400.0, 10.0], [20.0, 100.0]]), np.array([1, 1])
    instead = mm_from_px(px, panel, detector(), given_frames)
    np.testing.assert_array_equal(instead, mm_from_px(px, panel, detector(turn=0.1)))
    assert np.abs(instead - mm_from_px(px, panel, detector())).max() > 1e-3
    back = px_from_mm(instead, panel, detector(), given_frames)
    np.testing.assert_allclose(back, px, rtol=0, atol=ROUND_TRIP_PX)


def test_a_panel_seen_edge_on_is_refused() -> None:
    frames = PanelFrames(np.eye(3)[None], np.array([[10.0, 0.0, 0.0]]))
    shape = PanelShape("p", (10, 10), (0.1, 0.1))
    sensors = Sensors(np.array([True]), np.array([1.0]), np.array([0.3]))
    edge_on = Detector((shape,), frames, None, sensors, "")
    with pytest.raises(InputError, match=r"panel 0 is seen edge-on from the sample"):
        mm_from_px(np.array([[1.0, 1.0]]), np.array([0]), edge_on)
