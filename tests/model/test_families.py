"""The registry: detectors by name, and recognised in experiments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.config.layouts import known_detectors
from calib.errors import InputError, LayoutError
from calib.model.detector.families import built_in, family_of, known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames

EIGER_PX = (0.075, 0.075)
ROI = (2068, 2162)


@pytest.mark.parametrize(
    ("size", "pixel", "facts", "name"),
    [
        ((2463, 2527), (0.172, 0.17200000000000001), {}, "PILATUS 6M"),
        ((2463, 2527), (0.172, 0.172), {"text": "PILATUS3 6M, S/N 60-0126"}, "PILATUS 6M"),
        ((1475, 1679), (0.172, 0.172), {"text": "PILATUS 2M S/N 24-0107 Diamond"}, "PILATUS 2M"),
        ((4150, 4371), EIGER_PX, {"text": "EIGER 16M XR4i S/N 160-0001 Diamond"}, "EIGER 16M"),
        (ROI, EIGER_PX, {"text": "Dectris EIGER2 Si 4M, S/N E-08-0999"}, "EIGER2 4M"),
        (ROI, EIGER_PX, {"text": "Dectris EIGER2 XE 16M"}, "EIGER2 16M in 4M ROI"),
        (ROI, EIGER_PX, {"serial": "E-32-0102"}, "EIGER2 16M in 4M ROI"),
        (ROI, EIGER_PX, {"serial": "E-08-0102"}, "EIGER2 4M"),
        (ROI, EIGER_PX, {"roi_mode": "4M"}, "EIGER2 16M in 4M ROI"),
        (ROI, EIGER_PX, {"roi_mode": "disabled"}, "EIGER2 4M"),
        ((1028, 1062), EIGER_PX, {"text": "Dectris Singla 1M"}, "SINGLA 1M"),
    ],
)
def test_a_detector_is_recognised_from_its_image_and_what_the_file_calls_it(
    size: tuple[int, int], pixel: tuple[float, float], facts: dict[str, str], name: str
) -> None:
    assert built_in().recognise(size, pixel, **facts).name == name


@pytest.mark.parametrize(
    ("size", "pixel", "facts", "code"),
    [
        (ROI, EIGER_PX, {}, "ambiguous-layout"),
        (ROI, EIGER_PX, {"serial": "X-1"}, "ambiguous-layout"),
        (ROI, EIGER_PX, {"text": "EIGER 4M"}, "unknown-layout"),
        (ROI, EIGER_PX, {"text": "EIGER2 9M"}, "unknown-layout"),
        (ROI, (0.075, 0.15), {}, "unknown-layout"),
        ((2463, 2527), (0.344, 0.344), {}, "unknown-layout"),
        ((3072, 3072), (0.1, 0.1), {"text": "ADSC Q315"}, "unknown-layout"),
    ],
)
def test_a_detector_is_not_guessed(
    size: tuple[int, int], pixel: tuple[float, float], facts: dict[str, str], code: str
) -> None:
    with pytest.raises(LayoutError) as caught:
        built_in().recognise(size, pixel, **facts)
    assert caught.value.code == code
    assert "--layout" in caught.value.remedy


def test_an_image_of_a_region_has_the_modules_of_the_whole_detector() -> None:
    whole, region = built_in().get("EIGER2 16M"), built_in().get("EIGER2 16M in 4M ROI")
    numbers = [int(name.removeprefix("Panel")) for name in region.modules.names]
    assert numbers == [9, 10, 13, 14, 17, 18, 21, 22]
    first = whole.modules.boxes_px[9, :2]
    shifted = whole.modules.boxes_px[numbers] - [*first, *first]
    assert np.array_equal(shifted, region.modules.boxes_px)


@pytest.mark.parametrize("name", ["pilatus 6m", "PILATUS6M", "Pilatus3-6M", "pilatus_6M"])
def test_names_are_matched_without_case_and_by_other_names_of_the_family(name: str) -> None:
    assert built_in().get(name).name == "PILATUS 6M"


def test_the_hash_of_a_layout_does_not_depend_on_where_it_came_from() -> None:
    drawn = known_layout("PILATUS 1M")
    pose = RigidMotion(rotation_from_vector(np.array([0.3, -1.2, 0.5])), np.array([9.0, 1.0, 4e2]))
    renamed = tuple(replace(p, name=f"m{k}") for k, p in enumerate(drawn.panels))
    pixel = 172e-6 * 1e3
    exact = tuple(replace(p, pixel_mm=(pixel, pixel)) for p in renamed)
    moved = Layout(exact, drawn.frames.moved(pose))
    assert moved.geometry_id == drawn.geometry_id
    origin = drawn.frames.origin_mm.copy()
    origin[3, 0] += 1e-5
    other = Layout(drawn.panels, PanelFrames(drawn.frames.rotation, origin))
    assert other.geometry_id != drawn.geometry_id


def test_a_row_of_modules_is_no_column_of_them() -> None:
    assert family_of(known_layout("PILATUS 300K-W")) == "PILATUS 300K-W"
    assert family_of(known_layout("PILATUS 300K")) == "PILATUS 300K"


FAMILY = """
format = "calib/family/1"
family = "LAMBDA"
module_px = [256, 256]
pixel_mm = 0.055
[models]
"{}" = [2, 1]
"""


def test_layouts_of_the_user_are_known_beside_those_built_in(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(FAMILY.format("LAMBDA X"))
    known = known_detectors(tmp_path)
    assert known.get("lambda x").family.source == str(tmp_path / "own.toml")
    assert known.recognise((512, 256), (0.055, 0.055)).name == "LAMBDA X"
    assert len(list(known)) == len(list(built_in())) + 1


@pytest.mark.parametrize("name", ["PILATUS 6M", "pilatus3 6m"])
def test_a_layout_of_the_user_replaces_none_that_is_built_in(tmp_path: Path, name: str) -> None:
    (tmp_path / "own.toml").write_text(FAMILY.format(name))
    with pytest.raises(InputError) as caught:
        known_detectors(tmp_path)
    assert caught.value.code == "layout-exists"
    assert caught.value.place == str(tmp_path / "own.toml")
