"""Finding where a detector stands, and what its panels already carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import LayoutError
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout, PanelShape
from calib.model.experiment.experiment import Detector, Sensors
from calib.model.experiment.pose import DRAWN, facing_pose, layout_of, locate_detector, panel_order

ROUNDING = 1e-12
ROUNDING_MM = 1e-9
ONE_MICROMETRE_MM = 1e-3
SEEDS = st.integers(0, 2**32 - 1)
LAYOUT = known_layout("PILATUS 1M")


def some_pose(seed: int) -> RigidMotion:
    rng = np.random.default_rng(seed)
    tilt = rng.normal(scale=0.05, size=3)
    return facing_pose(
        LAYOUT,
        float(rng.uniform(100.0, 700.0)),
        beam_centre_mm=(float(rng.normal(scale=30.0)), float(rng.normal(scale=30.0))),
        tilt_rad=(tilt[0], tilt[1], tilt[2]),
    )


def some_correction(seed: int, scale: float = 1.0) -> Correction:
    rng = np.random.default_rng(seed + 1)
    sigma = scale * np.array([0.1, 0.1, 0.05, 1e-3, 1e-3, 1e-3])
    return Correction(rng.normal(size=(len(LAYOUT), 6)) * sigma)


def detector_with(
    correction: Correction, pose: RigidMotion, *, with_root: bool, layout: Layout = LAYOUT
) -> Detector:
    """A detector whose panels carry a correction, with or without its root frame."""
    none = np.zeros(len(layout))
    return Detector(
        layout.panels,
        correction.frames(layout).moved(pose),
        pose if with_root else None,
        Sensors(none > 0, none, none),
        "",
    )


def reordered(detector: Detector, order: list[int]) -> Detector:
    return replace(
        detector,
        panels=tuple(detector.panels[k] for k in order),
        frames=detector.frames.taken(order),
    )


def far_apart_mm(a: RigidMotion, b: RigidMotion) -> float:
    corners = LAYOUT.frames.points(LAYOUT.corners_panel_mm())
    return float(np.abs(a.points(corners) - b.points(corners)).max())


@given(SEEDS)
def test_the_root_frame_of_a_detector_as_drawn_is_its_pose_exactly(seed: int) -> None:
    pose = some_pose(seed)
    found = locate_detector(LAYOUT, detector_with(Correction.none(10), pose, with_root=True), [])
    assert found.lab_from_root is pose
    assert found.exact
    assert found.carries == DRAWN


@given(SEEDS)
def test_a_known_calibration_is_recognised_within_its_root_frame(seed: int) -> None:
    pose, present = some_pose(seed), some_correction(seed)
    detector = detector_with(present, pose, with_root=True)
    known = [("24-0107:1", some_correction(seed + 7)), ("24-0107:2", present)]
    found = locate_detector(LAYOUT, detector, known)
    assert found.lab_from_root is pose
    assert found.exact
    assert (found.carries, found.correction) == ("24-0107:2", present)


@given(SEEDS)
def test_without_a_root_frame_the_pose_is_fitted_to_rounding(seed: int) -> None:
    pose, present = some_pose(seed), some_correction(seed)
    for correction, name in ((Correction.none(10), DRAWN), (present, "24-0107:2")):
        found = locate_detector(
            LAYOUT, detector_with(correction, pose, with_root=False), [("24-0107:2", present)]
        )
        assert far_apart_mm(found.lab_from_root, pose) < ROUNDING_MM
        assert not found.exact
        assert found.carries == name


@given(SEEDS)
def test_a_detector_turned_as_a_whole_within_its_root_is_fitted_with_that_turn(seed: int) -> None:
    pose, present = some_pose(seed), some_correction(seed)
    rng = np.random.default_rng(seed)
    wobble = RigidMotion(rotation_from_vector(rng.normal(scale=0.01, size=3)), rng.normal(size=3))
    detector = replace(detector_with(present, wobble @ pose, with_root=True), lab_from_root=pose)
    found = locate_detector(LAYOUT, detector, [("24-0107:2", present)])
    assert not found.exact
    assert found.carries == "24-0107:2"
    assert far_apart_mm(found.lab_from_root, wobble @ pose) < ROUNDING_MM


@given(SEEDS, st.booleans())
def test_panels_refined_elsewhere_give_a_rigid_fit_and_its_residual(
    seed: int, with_root: bool
) -> None:
    pose, moved = some_pose(seed), some_correction(seed)
    found = locate_detector(
        LAYOUT,
        detector_with(moved, pose, with_root=with_root),
        [("24-0107:2", some_correction(seed + 5))],
    )
    assert found.carries == ""
    assert found.correction is None
    assert not found.exact
    assert ONE_MICROMETRE_MM < found.residual_mm < 1.0
    # Ten panels a tenth of a millimetre off, on average: so far may the fit be off.
    assert far_apart_mm(found.lab_from_root, pose) < 0.5


def test_a_few_panels_that_moved_far_do_not_turn_the_detector() -> None:
    pose, values = some_pose(3), np.zeros((10, 6))
    values[[2, 7], 0] = [1.5, -2.0]
    found = locate_detector(LAYOUT, detector_with(Correction(values), pose, with_root=False), [])
    assert far_apart_mm(found.lab_from_root, pose) < ONE_MICROMETRE_MM
    assert found.residual_mm == pytest.approx(2.0, abs=ONE_MICROMETRE_MM)


def test_a_detector_within_a_micrometre_counts_as_drawn_and_beyond_it_does_not() -> None:
    values = np.zeros((10, 6))
    values[4, 1] = 0.8 * ONE_MICROMETRE_MM
    near = locate_detector(
        LAYOUT, detector_with(Correction(values), some_pose(0), with_root=True), []
    )
    assert (near.carries, near.exact) == (DRAWN, False)
    values[4, 1] = 2.0 * ONE_MICROMETRE_MM
    far = locate_detector(
        LAYOUT, detector_with(Correction(values), some_pose(0), with_root=True), []
    )
    assert far.carries == ""


def test_the_nearest_candidate_counts_of_several_that_fit() -> None:
    first, second = some_correction(1), some_correction(1)
    nudged = second.values.copy()
    nudged[0, 0] += 0.5 * ONE_MICROMETRE_MM
    detector = detector_with(Correction(nudged), some_pose(0), with_root=False)
    found = locate_detector(LAYOUT, detector, [("a", first), ("b", Correction(nudged))])
    assert found.carries == "b"


@given(st.permutations(range(10)))
def test_panels_are_matched_by_name_in_whatever_order_they_come(order: list[int]) -> None:
    pose, present = some_pose(2), some_correction(2)
    detector = reordered(detector_with(present, pose, with_root=True), order)
    found = locate_detector(LAYOUT, detector, [("24-0107:2", present)])
    assert found.exact
    assert [order[k] for k in found.order] == list(range(10))
    assert [detector.panels[k].name for k in found.order] == [p.name for p in LAYOUT.panels]


def test_panels_with_other_names_are_taken_as_they_come() -> None:
    shapes = tuple(replace(p, name=f"row-{k}") for k, p in enumerate(LAYOUT.panels))
    assert panel_order(LAYOUT, shapes) == tuple(range(10))


def test_panels_of_one_name_are_taken_as_they_come() -> None:
    shapes = tuple(replace(p, name="") for p in LAYOUT.panels)
    assert panel_order(LAYOUT, shapes) == tuple(range(10))


def test_another_layout_is_refused_with_what_differs() -> None:
    other = known_layout("PILATUS 2M")
    detector = detector_with(
        Correction.none(24), RigidMotion.identity(), with_root=True, layout=other
    )
    with pytest.raises(LayoutError) as caught:
        locate_detector(LAYOUT, detector, [])
    assert str(caught.value) == (
        "these are not the panels of the calibrated detector: 24 panels, expected 10. "
        "Try: give the serial of the detector that took these data with --serial."
    )
    fewer = tuple(LAYOUT.panels[:9])
    with pytest.raises(LayoutError, match="9 panels, expected 10"):
        panel_order(LAYOUT, fewer)
    wide: PanelShape = replace(LAYOUT.panels[3], size_px=(400, 195))
    with pytest.raises(LayoutError, match=r"panel 3 has \(400, 195\) pixels"):
        panel_order(LAYOUT, (*LAYOUT.panels[:3], wide, *LAYOUT.panels[4:]))


@pytest.mark.parametrize("with_root", [False, True])
def test_panels_in_another_order_under_other_names_are_refused(with_root: bool) -> None:
    """As they come they would be put where others are."""
    detector = detector_with(Correction.none(10), some_pose(1), with_root=with_root)
    shuffled = reordered(detector, [1, 0, *range(2, 10)])
    renamed = tuple(replace(p, name=f"q{k}") for k, p in enumerate(shuffled.panels))
    with pytest.raises(LayoutError, match="or their order and names differ: in this order they"):
        locate_detector(LAYOUT, replace(shuffled, panels=renamed), [("a", some_correction(1))])


@given(SEEDS, st.booleans())
def test_a_detector_taken_as_drawn_is_found_where_it_stands(seed: int, with_root: bool) -> None:
    pose, correction = some_pose(seed), some_correction(seed)
    detector = detector_with(correction, pose, with_root=with_root)
    layout, root = layout_of(detector)
    assert layout.panels == detector.panels
    back = layout.frames.moved(root)
    assert np.abs(back.rotation - detector.frames.rotation).max() < ROUNDING
    assert np.abs(back.origin_mm - detector.frames.origin_mm).max() < ROUNDING_MM
    if with_root:
        assert root is pose
    else:
        assert np.abs(layout.frames.rotation[0] - np.eye(3)).max() < ROUNDING
        assert np.abs(layout.frames.origin_mm[0]).max() < ROUNDING_MM
