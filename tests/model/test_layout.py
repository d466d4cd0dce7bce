"""Nominal layouts: shapes, frames, distances, and how two of them differ."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import InputError, LayoutError
from calib.model.base.canonical import content_id
from calib.model.detector.families import built_in, family_of, known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames, PanelShape
from calib.model.experiment.pose import facing_pose

ROUNDING_MM = 1e-9
SEEDS = st.integers(0, 2**32 - 1)

KNOWN = tuple(one.name for one in built_in())


def test_the_panels_of_every_known_detector_fill_its_image() -> None:
    for detector in built_in():
        layout, size = detector.layout(), detector.modules.size_px
        corners = layout.frames.points(layout.corners_panel_mm()).reshape(-1, 3)
        extent = corners.max(axis=0) - corners.min(axis=0)
        pixel = layout.panels[0].pixel_mm[0]
        assert extent[:2] / pixel == pytest.approx(size, abs=1e-9)
        assert extent[2] == 0.0


def test_modules_are_numbered_along_the_fast_direction_first() -> None:
    origin = known_layout("PILATUS 6M").frames.origin_mm
    assert origin[1] == pytest.approx([494 * 0.172, 0.0, 0.0])
    assert origin[5] == pytest.approx([0.0, 212 * 0.172, 0.0])


def test_every_known_detector_is_recognised_whatever_its_panels_are_called() -> None:
    for name in KNOWN:
        layout = known_layout(name)
        renamed = tuple(replace(p, name=f"other-{k}") for k, p in enumerate(layout.panels))
        alike = {"EIGER2 16M in 4M ROI": "EIGER2 4M", "SINGLA 1M": "EIGER2 1M"}
        alike["JUNGFRAU 500K"] = "EIGER 500K"
        assert family_of(Layout(renamed, layout.frames)) == alike.get(name, name)
    six = known_layout("PILATUS 6M")
    assert family_of(Layout(six.panels[:59], six.frames.taken(list(range(59))))) is None


def test_an_unknown_detector_is_refused_with_the_known_names() -> None:
    with pytest.raises(InputError) as caught:
        known_layout("PILATUS 7M")
    assert "'PILATUS 7M' is not a known detector." in str(caught.value)
    assert all(name in caught.value.remedy for name in KNOWN)


@given(SEEDS)
def test_distance_runs_along_the_normal_and_does_not_change_with_a_turn_about_the_sample(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    layout = known_layout("PILATUS 1M")
    pose = facing_pose(layout, 265.0, beam_centre_mm=(30.0, -12.0))
    assert layout.distance_mm(pose) == pytest.approx(265.0, abs=ROUNDING_MM)
    swung = RigidMotion(rotation_from_vector(rng.normal(size=3)), np.zeros(3)) @ pose
    assert layout.distance_mm(swung) == pytest.approx(265.0, abs=ROUNDING_MM)


def test_the_facing_pose_puts_the_middle_where_it_says() -> None:
    layout = known_layout("PILATUS 1M")
    pose = facing_pose(layout, 200.0, beam_centre_mm=(3.0, 5.0), tilt_rad=(0.01, -0.02, 0.03))
    middle = pose.points(layout.centre_root_mm.mean(axis=0))
    assert middle == pytest.approx([3.0, -5.0, -200.0], abs=ROUNDING_MM)
    upright = facing_pose(layout, 200.0)
    assert upright.rotation @ layout.normal_root == pytest.approx([0.0, 0.0, -1.0])


def test_a_closed_ring_of_panels_has_a_normal_all_the_same() -> None:
    shapes = tuple(PanelShape(f"p{k}", (10, 10), (0.1, 0.1)) for k in range(4))
    turns = rotation_from_vector(np.outer(np.arange(4) * np.pi / 2, [0.0, 1.0, 0.0]))
    ring = Layout(shapes, PanelFrames(turns, np.zeros((4, 3))))
    assert np.linalg.norm(ring.normal_root) == pytest.approx(1.0)


@given(SEEDS)
def test_panels_seen_from_a_further_frame_carry_their_points_along(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layout = known_layout("PILATUS 300K")
    motion = RigidMotion(rotation_from_vector(rng.normal(size=3)), rng.normal(scale=99.0, size=3))
    corners = layout.corners_panel_mm()
    moved = layout.frames.moved(motion).points(corners)
    assert np.abs(moved - motion.points(layout.frames.points(corners))).max() < ROUNDING_MM


def test_corners_go_round_the_panel() -> None:
    shape = PanelShape("p", (10, 20), (0.1, 0.2))
    layout = Layout((shape,), PanelFrames(np.eye(3)[None], np.zeros((1, 3))))
    assert layout.corners_panel_mm()[0] == pytest.approx(
        np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 4.0], [0.0, 4.0]])
    )
    assert layout.centre_root_mm[0] == pytest.approx([0.5, 2.0, 0.0])


@pytest.mark.parametrize("name", KNOWN)
def test_a_layout_survives_the_way_through_its_content(name: str) -> None:
    layout = known_layout(name)
    back = Layout.from_content(json.loads(json.dumps(layout.content())))
    assert back.panels == layout.panels
    assert np.array_equal(back.frames.rotation, layout.frames.rotation)
    assert np.array_equal(back.frames.origin_mm, layout.frames.origin_mm)
    assert content_id(back.identity()) == content_id(layout.identity())


def test_layouts_that_differ_in_anything_have_different_names() -> None:
    layout = known_layout("PILATUS 300K")
    shifted = layout.frames.origin_mm.copy()
    shifted[2, 1] = np.nextafter(shifted[2, 1], np.inf)
    others = [
        Layout(layout.panels, PanelFrames(layout.frames.rotation, shifted)),
        Layout((replace(layout.panels[0], name="x"), *layout.panels[1:]), layout.frames),
        Layout((replace(layout.panels[0], size_px=(486, 195)), *layout.panels[1:]), layout.frames),
        Layout(
            (replace(layout.panels[0], pixel_mm=(0.172, 0.1)), *layout.panels[1:]), layout.frames
        ),
        Layout(layout.panels, PanelFrames(layout.frames.rotation[:, :, [1, 0, 2]], shifted)),
    ]
    names = {content_id(one.identity()) for one in [layout, *others]}
    assert len(names) == len(others) + 1


def test_a_difference_is_described_in_words() -> None:
    layout = known_layout("PILATUS 300K")
    shapes = layout.panels
    other_size = (*shapes[:1], replace(shapes[1], size_px=(487, 194)), shapes[2])
    other_pixel = (*shapes[:2], replace(shapes[2], pixel_mm=(0.172, 0.173)))
    assert layout.difference(shapes[:2]) == "2 panels, expected 3"
    assert layout.difference(other_size) == "panel 1 has (487, 194) pixels, expected (487, 195)"
    assert layout.difference(other_pixel) == (
        "panel 2 has (0.172, 0.173) mm pixels, expected (0.172, 0.172)"
    )


def test_pixels_that_differ_by_rounding_alone_and_names_do_not_count() -> None:
    layout = known_layout("PILATUS 300K")
    same = tuple(
        replace(p, name="x", pixel_mm=(0.172 * (1 + 1e-8), 0.17200000000000001))
        for p in layout.panels
    )
    assert layout.difference(same) == ""


def test_shapes_and_frames_of_another_number_are_refused() -> None:
    layout = known_layout("PILATUS 300K")
    with pytest.raises(LayoutError, match="2 panel shapes but 3 frames"):
        Layout(layout.panels[:2], layout.frames)
