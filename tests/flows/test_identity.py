"""The identity of a detector, and whether its panels are at their nominal positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.errors import InputError, LayoutError
from calib.flows.shared.identity import checked_serial, new_detector, serial_of
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout
from calib.model.experiment.experiment import Detector, Sensors
from calib.model.experiment.pose import facing_pose
from calib.model.store.record import DetectorRecord

LAYOUT = known_layout("PILATUS 1M")
POSE = facing_pose(LAYOUT, 200.0, beam_centre_mm=(3.0, 4.0), tilt_rad=(0.01, 0.02, 0.03))
ONE_MICROMETRE_MM = 1e-3
OWN = "PILATUS 1M, S/N 10-0042"


def detector_of(
    correction: Correction | None = None,
    *,
    layout: Layout = LAYOUT,
    identifier: str = OWN,
    with_root: bool = True,
) -> Detector:
    panels = correction or Correction.none(len(layout))
    none = np.zeros(len(layout))
    return Detector(
        layout.panels,
        panels.frames(layout).moved(POSE),
        POSE if with_root else None,
        Sensors(none > 0, none, none),
        identifier,
    )


def nudged(panel: int, parameter: int, amount: float) -> Correction:
    values = np.zeros((len(LAYOUT), 6))
    values[panel, parameter] = amount
    return Correction(values)


@pytest.mark.parametrize(
    ("identifier", "given", "force", "expected"),
    [
        (OWN, None, False, "10-0042"),
        (OWN, "10-0042", False, "10-0042"),
        (OWN, "10-0099", True, "10-0099"),
        ("", "10-0099", False, "10-0099"),
        ("no serial here", "10-0099", False, "10-0099"),
    ],
)
def test_the_serial_comes_from_the_file_or_is_given(
    identifier: str, given: str | None, force: bool, expected: str
) -> None:
    assert serial_of(detector_of(identifier=identifier), given, force=force, place="x") == expected


def test_a_serial_that_contradicts_the_file_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        serial_of(detector_of(), "10-0099", force=False, place="a.expt")
    assert str(caught.value) == (
        "a.expt: the file names the detector 10-0042, not 10-0099. "
        "Try: leave out --serial, or add --force-serial if 10-0042 is wrong."
    )


@pytest.mark.parametrize(
    "serial", ["24:0107", "24 0107", "24\n0107", "9" * 81, "24\x1b[0107", "-24"]
)
def test_a_serial_that_cannot_precede_a_colon_is_refused(serial: str) -> None:
    with pytest.raises(InputError) as refused:
        checked_serial(serial)
    assert refused.value.code == "bad-serial"


def test_a_detector_without_a_serial_needs_one() -> None:
    with pytest.raises(InputError) as caught:
        serial_of(detector_of(identifier=""), None, force=False, place="a.expt")
    assert caught.value.code == "no-serial"
    assert "--serial" in caught.value.remedy


@pytest.mark.parametrize("with_root", [True, False])
def test_a_new_detector_is_taken_to_be_at_nominal_positions(with_root: bool) -> None:
    found = new_detector("10-0042", detector_of(with_root=with_root), time_zone="UTC", place="x")
    assert found.layout.panels == LAYOUT.panels
    assert np.abs(found.layout.frames.origin_mm - LAYOUT.frames.origin_mm).max() < 1e-9
    assert found.description == OWN


@pytest.mark.parametrize(("parameter", "amount"), [(0, 0.002), (1, 0.05), (2, 0.02), (4, 1e-4)])
@pytest.mark.parametrize("panel", [0, 7])
def test_a_known_family_off_its_grid_already_has_a_correction(
    panel: int, parameter: int, amount: float
) -> None:
    detector = detector_of(nudged(panel, parameter, amount))
    with pytest.raises(LayoutError) as caught:
        new_detector("10-0042", detector, time_zone="UTC", place="a.expt")
    assert caught.value.code == "already-corrected"
    assert "off the grid of a PILATUS 1M" in caught.value.problem
    assert 'calib detector add 10-0042 --layout "PILATUS 1M"' in caught.value.remedy


def test_a_module_mounted_upside_down_is_off_the_grid() -> None:
    """Rotated by 180 degrees about its centre, it covers the same area with other pixels."""
    detector = detector_of(nudged(3, 5, np.pi))
    with pytest.raises(LayoutError, match="already have a correction"):
        new_detector("10-0042", detector, time_zone="UTC", place="a.expt")


def test_rounding_in_a_file_is_not_a_correction() -> None:
    detector = detector_of(nudged(3, 0, 0.3 * ONE_MICROMETRE_MM))
    assert new_detector("10-0042", detector, time_zone="UTC", place="x").layout.panels


def test_an_unknown_family_is_registered_with_its_positions() -> None:
    shapes = tuple(replace(p, size_px=(400, 200)) for p in LAYOUT.panels)
    rng = np.random.default_rng(1)
    scattered = Layout(
        shapes,
        LAYOUT.frames.moved(RigidMotion(rotation_from_vector(rng.normal(size=3)), np.ones(3))),
    )
    found = new_detector("x", detector_of(layout=scattered), time_zone="UTC", place="x")
    assert np.abs(found.layout.frames.origin_mm - scattered.frames.origin_mm).max() < 1e-9


def moved(detector: Detector, *, distance_mm: float) -> Detector:
    """The same detector at another distance and tilt, as another file has it."""
    pose = facing_pose(LAYOUT, distance_mm, tilt_rad=(-0.2, 0.1, 0.3))
    frames = detector.frames.moved(POSE.inverse()).moved(pose)
    root = None if detector.lab_from_root is None else pose
    return replace(detector, frames=frames, lab_from_root=root)


@pytest.mark.parametrize("with_root", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_the_layout_of_a_new_detector_does_not_depend_on_the_file(
    known: bool, with_root: bool
) -> None:
    layout = LAYOUT
    if not known:
        rng = np.random.default_rng(1)
        built = Correction(rng.normal(scale=0.05, size=(len(LAYOUT), 6))).frames(LAYOUT)
        shapes = tuple(replace(p, size_px=(400, 200)) for p in LAYOUT.panels)
        layout = Layout(shapes, built)
    one = detector_of(layout=layout, with_root=with_root)
    found = {
        new_detector("10-0042", detector, time_zone=zone, place="x").layout_id
        for detector in (one, *(moved(one, distance_mm=mm) for mm in (99.9, 431.7, 1234.5)))
        for zone in ("UTC", "Asia/Tokyo")
    }
    assert len(found) == 1
    if known:
        assert found == {DetectorRecord("10-0042", LAYOUT, "UTC", "").layout_id}
