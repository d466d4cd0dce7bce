"""Experiment lists: read in their old and new forms."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.errors import FileFormatError
from calib.files.dials.expt import ExperimentFile
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from support.experiment_json import experiment_list, group, panel
from support.expt_files import EXACT, assert_same_frames, moved_frames, parsed


def test_an_experiment_list_is_read_into_its_models() -> None:
    file = parsed(experiment_list())
    models = file.experiments
    (entry,) = models.experiments
    assert entry.identifier == "aaaa"
    assert (entry.beam, entry.detector, entry.goniometer) == (0, 0, 0)
    assert (entry.scan, entry.crystal, entry.imageset) == (0, 0, 0)
    np.testing.assert_allclose(models.beams[0].s0, [0.0, 0.0, -1 / 0.97])
    assert models.scans[0].image_range == (1, 3)
    assert models.scans[0].start_rad == pytest.approx(math.radians(10.0))
    assert models.scans[0].width_rad == pytest.approx(math.radians(0.5))
    assert models.scans[0].epoch == 1372841397.0
    np.testing.assert_array_equal(models.crystals[0].real_space[1], [0.0, 60.0, 2.0])
    assert models.crystals[0].hall_symbol == " P 1"
    read = models.detectors[0]
    assert read.identifier == "PILATUS, S/N 24-0107"
    assert read.panels[3].name == "Panel3"
    assert read.panels[3].size_px == (100, 50)
    assert read.panels[3].pixel_mm == (0.172, 0.172)
    assert read.sensors.parallax.all()
    assert set(read.sensors.mu_per_mm.tolist()) == {1.5}
    assert set(read.sensors.thickness_mm.tolist()) == {0.32}
    assert file.stem == "a"


def test_panel_frames_are_composed_from_their_groups() -> None:
    read = parsed(experiment_list()).experiments.detectors[0]
    assert read.lab_from_root is not None
    # Panel 3 at (20, 10, 0) in a root with fast (.6, .8, 0) and slow (.8, -.6, 0).
    np.testing.assert_allclose(read.frames.origin_mm[3], [-10.0, 35.0, -200.0])
    np.testing.assert_allclose(read.frames.rotation[3][:, 2], [0.0, 0.0, -1.0], atol=EXACT)


def test_a_group_of_groups_is_the_product_of_its_frames() -> None:
    content = experiment_list()
    quadrant = group([{"panel": 0}, {"panel": 1}], origin=[5.0, 6.0, 7.0])
    other = group([group([{"panel": 2}, {"panel": 3}], origin=[0.0, 1.0, 0.0])])
    content["detector"][0]["hierarchy"] = group([quadrant, other])
    read = parsed(content).experiments.detectors[0]
    turn = RigidMotion(np.array([[0.6, 0.8, 0.0], [0.8, -0.6, 0.0], [0, 0, -1.0]]), np.zeros(3))
    root = RigidMotion(turn.rotation, np.array([-30.0, 25.0, -200.0]))
    inner = root @ RigidMotion(turn.rotation, np.array([5.0, 6.0, 7.0]))
    assert read.lab_from_root is not None
    np.testing.assert_allclose(read.lab_from_root.translation_mm, root.translation_mm)
    np.testing.assert_allclose(read.frames.origin_mm[1], inner.points(np.array([20.0, 0.0, 0.0])))
    deepest = root @ root @ RigidMotion(turn.rotation, np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(read.frames.origin_mm[2], deepest.points(np.array([0.0, 10.0, 0.0])))


def test_the_root_frame_is_that_of_the_innermost_group_of_all_panels() -> None:
    plain = parsed(experiment_list())
    content = experiment_list()
    outermost = group([content["detector"][0]["hierarchy"]])
    outermost |= {"fast_axis": [1, 0, 0], "slow_axis": [0, 1, 0], "origin": [0, 0, 0]}
    content["detector"][0]["hierarchy"] = outermost
    nested = parsed(content)
    assert_same_frames(nested.root_frames(0), plain.root_frames(0))
    assert nested.experiments.detectors[0].lab_from_root is not None
    assert_same_frames(
        nested.experiments.detectors[0].frames, plain.experiments.detectors[0].frames
    )


@pytest.mark.parametrize("form", ["no hierarchy", "identity root", "list of panels"])
def test_panels_without_a_root_are_in_the_laboratory_frame(form: str) -> None:
    content = experiment_list()
    if form == "no hierarchy":
        del content["detector"][0]["hierarchy"]
    elif form == "list of panels":
        content["detector"][0] = content["detector"][0]["panels"]
    else:
        content["detector"][0]["hierarchy"] |= {
            "fast_axis": [1, 0, 0],
            "slow_axis": [0, 1, 0],
            "origin": [0, 0, 0],
        }
    file = parsed(content)
    read = file.experiments.detectors[0]
    assert read.lab_from_root is None
    np.testing.assert_array_equal(read.frames.origin_mm[3], [20.0, 10.0, 0.0])
    new = moved_frames(read.frames)
    assert_same_frames(file.with_frames({0: new}).experiments.detectors[0].frames, new)


def test_old_strategies_contain_mu_and_thickness() -> None:
    content = experiment_list()
    old = panel(0, px_mm_strategy={"type": "ParallaxCorrectedPxMmStrategy", "mu": 3.0, "t0": 0.45})
    del old["mu"], old["thickness"], old["identifier"], old["name"], old["gain"]
    content["detector"][0]["panels"][0] = old
    del content["detector"][0]["panels"][1]["px_mm_strategy"]
    content["detector"][0]["panels"][2]["px_mm_strategy"] = None
    content["detector"][0]["panels"][3]["px_mm_strategy"] = {"type": "SimplePxMmStrategy"}
    sensors = parsed(content).experiments.detectors[0].sensors
    assert sensors.parallax.tolist() == [True, False, False, False]
    assert sensors.mu_per_mm.tolist() == [3.0, 1.5, 1.5, 1.5]
    assert sensors.thickness_mm.tolist() == [0.45, 0.32, 0.32, 0.32]


@pytest.mark.parametrize("absent", ["null", "missing"])
def test_a_still_has_neither_goniometer_nor_scan(absent: str) -> None:
    content = experiment_list(goniometer=[], scan=[])
    for key in ("goniometer", "scan", "imageset"):
        content["experiment"][0][key] = None
        if absent == "missing":
            del content["experiment"][0][key]
            content.pop(key)
    (entry,) = parsed(content).experiments.experiments
    assert (entry.goniometer, entry.scan, entry.imageset) == (None, None, None)


def test_a_scan_that_does_not_rotate_is_a_still_with_a_time() -> None:
    content = experiment_list()
    content["scan"][0]["oscillation"] = [90.0, 0.0]
    models = parsed(content).experiments
    assert models.experiments[0].goniometer is None
    assert models.scans[models.experiments[0].scan or 0].epoch == 1372841397.0


def test_null_models_are_none_and_shift_no_other_index() -> None:
    content = experiment_list()
    for key in ("beam", "detector", "goniometer", "scan", "crystal"):
        content[key].insert(0, None)
        content["experiment"][0][key] = 1
    content["experiment"].append(copy.deepcopy(content["experiment"][0]))
    content["experiment"][1] |= {"goniometer": 0, "scan": 0, "crystal": 0, "identifier": "b"}
    file = parsed(content)
    first, second = file.experiments.experiments
    assert (first.beam, first.detector, first.goniometer, first.scan, first.crystal) == (0,) * 5
    assert (second.goniometer, second.scan, second.crystal) == (None, None, None)
    new = moved_frames(file.root_frames(0))
    assert_same_frames(file.with_frames({0: new}).root_frames(0), new)


def test_several_axes_reduce_to_one_with_fixed_and_setting_rotation() -> None:
    axes = [[0.0, 1.0, 0.0], [0.6, 0.0, 0.8], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    angles = [10.0, 20.0, 30.0, 40.0]
    content = experiment_list()
    content["goniometer"] = [
        {"axes": axes, "angles": angles, "names": list("abcd"), "scan_axis": 2}
    ]
    folded = parsed(content).experiments.goniometers[0]
    turns = [
        rotation_from_vector(np.array(a) * math.radians(x))
        for a, x in zip(axes, angles, strict=True)
    ]
    np.testing.assert_allclose(folded.fixed, turns[1] @ turns[0], atol=EXACT)
    np.testing.assert_allclose(folded.setting, turns[3], atol=EXACT)
    np.testing.assert_allclose(folded.axis, axes[2])


def test_newer_scans_keep_their_values_in_properties() -> None:
    content = experiment_list()
    content["scan"] = [
        {
            "image_range": [1, 3],
            "batch_offset": 0,
            "properties": {
                "oscillation": [10.0, 10.5, 11.0],
                "epochs": [7.0, 8.0, 9.0],
                "exposure_time": [0.1, 0.1, 0.1],
            },
            "valid_image_ranges": {},
        },
        {
            "image_range": [4, 4],
            "properties": {"oscillation": [20.0], "oscillation_width": [0.25]},
        },
        {"image_range": [5, 5], "properties": {}},
    ]
    first, one_image, bare = parsed(content).experiments.scans
    assert (first.start_rad, first.width_rad) == pytest.approx(np.radians([10.0, 0.5]))
    assert first.epoch == 7.0
    assert (one_image.start_rad, one_image.width_rad) == pytest.approx(np.radians([20.0, 0.25]))
    assert (bare.width_rad, bare.epoch) == (0.0, None)


@pytest.mark.parametrize("epochs", [[0.0, 0.0, 0.0], [], None, "absent"])
def test_an_epoch_that_is_not_set_is_none(epochs: Any) -> None:
    content = experiment_list()
    if epochs == "absent":
        del content["scan"][0]["epochs"]
    else:
        content["scan"][0]["epochs"] = epochs
    assert parsed(content).experiments.scans[0].epoch is None


def test_nan_in_a_value_that_is_not_read_is_kept() -> None:
    content = experiment_list(profile=[{"sigma_b": math.nan, "sigma_m": math.inf}])
    file = parsed(content)
    assert b"NaN" in file.with_frames({0: moved_frames(file.root_frames(0))}).data


def test_offset_maps_of_imagesets_are_named() -> None:
    content = experiment_list()
    content["imageset"] = [{"dx": "dx.pickle", "dy": "dy.pickle"}, {"dx": None, "dy": ""}, {}]
    assert parsed(content).offset_maps == ("dx.pickle", "dy.pickle")


def test_the_real_cspad_has_its_panels_in_quadrants_and_sensors(real_data: Path) -> None:
    file = ExperimentFile.read(real_data / "stills_cspad" / "multi_stills_combined.expt")
    (read,) = file.experiments.detectors
    assert len(read.panels) == 64
    assert read.lab_from_root is not None
    assert read.lab_from_root.translation_mm.tolist() == [0.0, 0.0, -105.003]
    assert {entry.goniometer for entry in file.experiments.experiments} == {None}


def test_scan_points_of_a_crystal_are_read() -> None:
    content = experiment_list()
    a_matrix = np.linalg.inv([content["crystal"][0][f"real_space_{k}"] for k in "abc"])
    points = [a_matrix, a_matrix @ rotation_from_vector(np.array([1e-3, 0.0, 0.0]))]
    assert parsed(content).experiments.crystals[0].a_at_scan_points is None
    content["crystal"][0]["A_at_scan_points"] = [point.ravel().tolist() for point in points]
    (crystal,) = parsed(content).experiments.crystals
    np.testing.assert_array_equal(crystal.a_at_scan_points, points)
    content["crystal"][0]["A_at_scan_points"][1] = [0.0] * 9
    with pytest.raises(FileFormatError, match="A_at_scan_points"):
        parsed(content)


def test_scan_points_of_a_beam_are_read_and_their_mean_has_the_wavelength() -> None:
    content = experiment_list()
    static = parsed(content).experiments.beams[0]
    assert static.s0_at_scan_points is None
    np.testing.assert_array_equal(static.mean_s0, static.s0)
    turns = [rotation_from_vector(np.array([0.0, k, 0.0])) for k in (1e-3, 3e-3)]
    points = [turn @ static.s0 for turn in turns]
    content["beam"][0]["s0_at_scan_points"] = [point.tolist() for point in points]
    (beam,) = parsed(content).experiments.beams
    np.testing.assert_array_equal(beam.s0_at_scan_points, points)
    middle = rotation_from_vector(np.array([0.0, 2e-3, 0.0])) @ static.s0
    np.testing.assert_allclose(beam.mean_s0, middle, rtol=0, atol=1e-12)
    content["beam"][0]["s0_at_scan_points"][1] = [0.0] * 3
    with pytest.raises(FileFormatError, match="s0_at_scan_points"):
        parsed(content)


@pytest.mark.parametrize("multi_axis", [False, True])
def test_scan_points_of_a_goniometer_are_read_and_their_mean_is_a_rotation(
    multi_axis: bool,
) -> None:
    content = experiment_list()
    gonio: dict[str, Any] = (
        {"axes": [[1, 0, 0], [0, 1, 0]], "angles": [0, 0], "scan_axis": 0}
        if multi_axis
        else {"rotation_axis": [1, 0, 0]}
    )
    content["goniometer"][0] = gonio
    (static,) = parsed(content).experiments.goniometers
    np.testing.assert_array_equal(static.mean_setting, static.setting)
    points = [rotation_from_vector(np.array([0.0, 0.0, k])) for k in (1e-3, 3e-3)]
    gonio["setting_rotation_at_scan_points"] = [point.ravel().tolist() for point in points]
    (found,) = parsed(content).experiments.goniometers
    np.testing.assert_array_equal(found.setting_at_scan_points, points)
    middle = rotation_from_vector(np.array([0.0, 0.0, 2e-3]))
    np.testing.assert_allclose(found.mean_setting, middle, rtol=0, atol=1e-12)
    gonio["setting_rotation_at_scan_points"][1] = [0.0] * 9
    with pytest.raises(FileFormatError, match="setting_rotation_at_scan_points"):
        parsed(content)


def test_scan_points_of_integrated_sweeps_are_read(real_data: Path) -> None:
    file = ExperimentFile.read(real_data / "lcysteine_2M" / "single_20.expt")
    (crystal,), (scan,) = file.experiments.crystals, file.experiments.scans
    points = crystal.a_at_scan_points
    assert points is not None
    assert len(points) == scan.n_images + 1
    turned = points @ crystal.real_space
    assert 1e-3 < np.linalg.norm(turned - np.eye(3), axis=(1, 2)).max() < 0.05


def test_groups_that_hold_several_panels_are_read_with_their_levels() -> None:
    def named(name: str, children: list[dict[str, Any]]) -> dict[str, Any]:
        return group(children, name=name)

    panels = [{"panel": k} for k in range(6)]
    content = experiment_list()
    content["detector"] = [
        {
            "panels": [panel(k) for k in range(6)],
            "hierarchy": named(
                "root",
                [
                    named("left", [named("a", panels[:2]), named("b", panels[2:3])]),
                    named("right", [named("same", panels[3:])]),
                ],
            ),
        }
    ]
    found = parsed(content).experiments.detectors[0].groups
    assert [(g.name, g.level, g.panels) for g in found] == [
        ("left", 1, (0, 1, 2)),
        ("right", 1, (3, 4, 5)),
        ("a", 2, (0, 1)),
    ]
    assert parsed(experiment_list()).experiments.detectors[0].groups == ()
