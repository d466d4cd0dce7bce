"""Experiment lists: read in their old and new forms, edited in place."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import FileFormatError, LayoutError, MissingFileError
from calib.files.expt import ExperimentFile
from calib.model.frames import RigidMotion, rotation_from_vector
from calib.model.layout import PanelFrames
from support.experiment_json import as_bytes, detector, experiment_list, group, panel

EXACT = 1e-12


def parsed(content: dict[str, Any]) -> ExperimentFile:
    return ExperimentFile.parse(as_bytes(content), "a.expt")


def moved_frames(frames: PanelFrames, seed: int = 0) -> PanelFrames:
    rng = np.random.default_rng(seed)
    turn = rotation_from_vector(rng.normal(scale=1e-3, size=(len(frames), 3)))
    return PanelFrames(
        frames.rotation @ turn, frames.origin_mm + rng.normal(scale=0.1, size=(len(frames), 3))
    )


def assert_same_frames(one: PanelFrames, other: PanelFrames, tolerance: float = EXACT) -> None:
    np.testing.assert_allclose(one.rotation, other.rotation, rtol=0, atol=tolerance)
    np.testing.assert_allclose(one.origin_mm, other.origin_mm, rtol=0, atol=1e3 * tolerance)


# Reading


def test_a_list_means_what_it_says() -> None:
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


def test_panels_stand_where_their_groups_put_them() -> None:
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
def test_panels_without_a_root_stand_in_the_laboratory(form: str) -> None:
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


def test_old_strategies_carry_mu_and_thickness_themselves() -> None:
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


def test_several_axes_fold_to_one_with_fixed_and_setting_rotation() -> None:
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


def test_nan_where_nobody_looks_is_carried() -> None:
    content = experiment_list(profile=[{"sigma_b": math.nan, "sigma_m": math.inf}])
    file = parsed(content)
    assert b"NaN" in file.with_frames({0: moved_frames(file.root_frames(0))}).data


def test_offset_maps_of_imagesets_are_named() -> None:
    content = experiment_list()
    content["imageset"] = [{"dx": "dx.pickle", "dy": "dy.pickle"}, {"dx": None, "dy": ""}, {}]
    assert parsed(content).offset_maps == ("dx.pickle", "dy.pickle")


# Editing


def without_numbers(text: bytes) -> list[bytes]:
    return re.split(rb"-?\d+\.?\d*(?:[eE][-+]?\d+)?", text)


json_space = st.text(alphabet=" \t\n\r", max_size=3)


@st.composite
def formatted(draw: st.DrawFn) -> bytes:
    """A list with two detectors and arbitrary white space, number formats and unknown keys."""
    content = experiment_list()
    content["detector"].insert(0, detector(2))
    content["experiment"][0]["detector"] = draw(st.integers(0, 1))
    content["unknown"] = draw(
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        )
    )
    content["detector"][1]["panels"][0]["note"] = draw(st.text(alphabet='[]{},:"\\é0 ', max_size=6))
    gaps = draw(st.lists(json_space, min_size=8, max_size=8))
    text = json.dumps(content, ensure_ascii=draw(st.booleans()))
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', text)
    for index in range(0, len(pieces), 2):
        gap = gaps[index % len(gaps)]
        pieces[index] = re.sub(r"([\[\]{},:])", lambda m, g=gap: g + m[1] + g, pieces[index])
    joined = "".join(pieces).replace("0.172", "1.72E-1").replace("20.0", "2000e-2")
    return joined.encode("utf-8", errors="surrogatepass")


@given(formatted(), st.integers(0, 2**32))
def test_only_numbers_of_moved_panels_change(data: bytes, seed: int) -> None:
    file = ExperimentFile.parse(data, "a.expt")
    new = moved_frames(file.root_frames(1), seed)
    changed = file.with_frames({1: new})
    assert_same_frames(changed.root_frames(1), new)
    assert without_numbers(changed.data) == without_numbers(data)
    before, after = json.loads(data), json.loads(changed.data)
    for was, now in zip(
        before["detector"][1]["panels"], after["detector"][1]["panels"], strict=True
    ):
        for axis in ("fast_axis", "slow_axis", "origin"):
            now[axis] = was[axis]
    assert json.dumps(before) == json.dumps(after)


@given(formatted())
def test_an_untouched_file_survives_byte_for_byte(data: bytes) -> None:
    file = ExperimentFile.parse(data, "a.expt")
    assert file.with_frames({}).data == data
    same = {index: file.root_frames(index) for index in range(2)}
    assert file.with_frames(same).data == data


def test_the_edited_file_is_what_parsing_its_bytes_gives() -> None:
    content = experiment_list()
    content["detector"].append(detector(2))
    file = parsed(content)
    changed = file.with_frames(
        {0: moved_frames(file.root_frames(0), 1), 1: moved_frames(file.root_frames(1), 2)}
    )
    again = ExperimentFile.parse(changed.data, "a.expt")
    for one, other in zip(changed.experiments.detectors, again.experiments.detectors, strict=True):
        np.testing.assert_array_equal(one.frames.rotation, other.frames.rotation)
        np.testing.assert_array_equal(one.frames.origin_mm, other.frames.origin_mm)
    assert changed.sha256 == again.sha256 != file.sha256


def test_moving_twice_is_moving_once() -> None:
    file = parsed(experiment_list())
    new = moved_frames(file.root_frames(0))
    once = file.with_frames({0: new})
    assert once.with_frames({0: new}).data == once.data


def test_frames_in_deeper_groups_survive_the_way_through_the_root() -> None:
    content = experiment_list()
    inner = group([{"panel": 2}, {"panel": 3}], origin=[0.0, 1.0, 0.0])
    content["detector"][0]["hierarchy"] = group([group([{"panel": 0}, {"panel": 1}]), inner])
    file = parsed(content)
    new = moved_frames(file.root_frames(0))
    changed = file.with_frames({0: new})
    assert_same_frames(changed.root_frames(0), new)
    lab = changed.experiments.detectors[0].lab_from_root
    assert lab is not None
    assert_same_frames(changed.experiments.detectors[0].frames, new.moved(lab))


def test_a_number_that_does_not_change_keeps_its_text() -> None:
    data = as_bytes(experiment_list()).replace(b"20.0", b"2.00e1")
    file = ExperimentFile.parse(data, "a.expt")
    old = file.root_frames(0)
    changed = file.with_frames(
        {0: PanelFrames(old.rotation, old.origin_mm + np.array([0.0, 0.125, 0.0]))}
    )
    assert changed.data.count(b"2.00e1") == data.count(b"2.00e1") == 2
    assert changed.data.count(b"10.125") == 2


def test_a_panel_that_only_turns_is_moved() -> None:
    file = parsed(experiment_list())
    old = file.root_frames(0)
    turn = rotation_from_vector(np.array([0.0, 0.0, 1e-9]))
    new = PanelFrames(old.rotation @ turn, old.origin_mm)
    assert_same_frames(file.with_frames({0: new}).root_frames(0), new, 1e-15)


def test_another_number_of_panels_is_refused() -> None:
    file = parsed(experiment_list())
    with pytest.raises(LayoutError, match=r"a.expt, detector\[0\]: 2 panel frames, expected 4\."):
        file.with_frames({0: file.root_frames(0).taken([0, 1])})


# Bad input


def wrong(path: str, value: Any) -> dict[str, Any]:
    """The list with another value at a path such as ``detector.0.panels.1.origin``."""
    content = experiment_list()
    *way, last = [int(k) if k.isdigit() else k for k in path.split(".")]
    place: Any = content
    for key in way:
        place = place[key]
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "detector.0.panels.1.origin",
            [1.0, 2.0],
            "a.expt, detector[0].panels[1].origin: found [1.0, 2.0], expected a list of 3 numbers.",
        ),
        (
            "detector.0.panels.1.origin",
            [1.0, math.nan, 0],
            "a.expt, detector[0].panels[1].origin: found [1.0, NaN, 0], "
            "expected a list of 3 finite numbers.",
        ),
        (
            "crystal.0.real_space_b",
            [math.inf, 0, 0],
            "a.expt, crystal[0].real_space_b: found [Infinity, 0, 0], "
            "expected a list of 3 finite numbers.",
        ),
        (
            "crystal.0.real_space_b",
            [50.0, 1.0, 0.0],
            "a.expt, crystal[0].real_space_a: found [50.0, 1.0, 0.0], "
            "expected three axes a, b, c that span a cell.",
        ),
        (
            "detector.0.panels.0.slow_axis",
            [1, 0, 0],
            "a.expt, detector[0].panels[0].slow_axis: found [1, 0, 0], "
            "expected an axis perpendicular to fast_axis.",
        ),
        (
            "detector.0.hierarchy.children.2",
            {"panel": 4},
            "a.expt, detector[0].hierarchy.children[2].panel: found 4, "
            "expected the index of one of 4 panels.",
        ),
        (
            "detector.0.hierarchy.children.2",
            {"panel": 1},
            "a.expt, detector[0].hierarchy.children[2].panel: found 1, "
            "expected a panel that no other group holds.",
        ),
        (
            "detector.0.hierarchy.children",
            [{"panel": 0}, {"panel": 1}, {"panel": 3}],
            'a.expt, detector[0].hierarchy.children: found [{"panel": 0}, {"panel": 1}, '
            '{"panel": 3}], expected groups that hold panel 2 too.',
        ),
        (
            "detector.0.panels.0.image_size",
            [100, 0],
            "a.expt, detector[0].panels[0].image_size: found [100, 0], expected two sizes above 0.",
        ),
        (
            "detector.0.panels.0.pixel_size",
            [0.1, -0.1],
            "a.expt, detector[0].panels[0].pixel_size: found [0.1, -0.1], "
            "expected two sizes above 0 mm.",
        ),
        (
            "experiment.0.crystal",
            1,
            "a.expt, experiment[0].crystal: found 1, "
            "expected an index below 1, the number of crystal models.",
        ),
        (
            "experiment.0.beam",
            -1,
            "a.expt, experiment[0].beam: found -1, "
            "expected an index below 1, the number of beam models.",
        ),
        (
            "experiment.0.detector",
            "detector.json",
            'a.expt, experiment[0].detector: found "detector.json", '
            "expected an index (calib reads no models from further files).",
        ),
        (
            "beam.0.wavelength",
            True,
            "a.expt, beam[0].wavelength: found true, expected a finite number.",
        ),
        (
            "beam.0.wavelength",
            0,
            "a.expt, beam[0].wavelength: found 0, expected a wavelength above 0 Angstrom.",
        ),
        (
            "beam.0.direction",
            [0, 0, 0],
            "a.expt, beam[0].direction: found [0, 0, 0], expected a vector that is not zero.",
        ),
        (
            "scan.0.image_range",
            [3, 1],
            "a.expt, scan[0].image_range: found [3, 1], expected first and last image number.",
        ),
        (
            "goniometer.0",
            {"axes": [[1, 0, 0]], "angles": [0.0], "scan_axis": 1},
            "a.expt, goniometer[0].scan_axis: found 1, expected the index of one of 1 axes.",
        ),
        ("detector", {"panels": []}, 'a.expt, detector: found {"panels": []}, expected a list.'),
        (
            "detector.0.panels",
            [],
            'a.expt, detector[0]: found {"panels": [], "hierarchy": {"name": "root", '
            '"fast_axis":..., expected a detector with panels.',
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_place(path: str, value: Any, message: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        parsed(wrong(path, value))
    assert str(caught.value) == f"{message} Try: write the file again with DIALS."
    assert caught.value.code == "bad-value"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("detector.0.panels.1.origin", "detector[0].panels[1]"),
        ("crystal.0.space_group_hall_symbol", "crystal[0]"),
        ("detector.0.hierarchy.children", "detector[0].hierarchy"),
        ("experiment", "top level"),
    ],
)
def test_a_missing_key_is_named_with_its_place(path: str, place: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        parsed(wrong(path, None))
    key = path.rsplit(".", 1)[-1]
    assert str(caught.value) == (
        f"a.expt, {place}: there is no {key!r}, expected one. Try: write the file again with DIALS."
    )


def test_an_experiment_without_detector_is_refused() -> None:
    with pytest.raises(FileFormatError, match=r"experiment\[0\]: the experiment has no detector"):
        parsed(wrong("experiment.0.detector", None))


def test_a_polychromatic_beam_is_refused() -> None:
    with pytest.raises(FileFormatError, match=r"a.expt, beam\[0\]: the beam has no wavelength"):
        parsed(wrong("beam.0", {"__id__": "polychromatic", "direction": [0, 0, 1]}))


DIALS_EXPT = "give a .expt file written by DIALS."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.expt: the file is empty. Try: write it again with DIALS."),
        (
            b'{"__id__": "Crystal"}',
            f"a.expt: this JSON has the __id__ 'Crystal', expected 'ExperimentList'. "
            f"Try: {DIALS_EXPT}",
        ),
        (
            b"[1, 2]",
            f"a.expt: this JSON is a list, expected 'ExperimentList'. Try: {DIALS_EXPT}",
        ),
        (
            b'[{"__id__": "DataBlock"}]',
            "a.expt: this is a datablock of DIALS 1, expected 'ExperimentList'. "
            "Try: import its images again with dials.import.",
        ),
        (
            b'{"a": 1, "b" 2}',
            "a.expt, line 1 column 14: found '2}', expected ':'. "
            "Try: copy or write it again with DIALS.",
        ),
        (
            b'{"a": 1}\n{"b": 2}',
            "a.expt, line 2 column 1: found '{\"b\": 2}', expected the end of the file. "
            "Try: copy or write it again with DIALS.",
        ),
        (b"\xff\xfe{}", f"a.expt: byte 0 is not UTF-8 text, expected JSON. Try: {DIALS_EXPT}"),
        (
            b"hello",
            "a.expt, line 1 column 1: found 'hello', expected value. "
            "Try: copy or write it again with DIALS.",
        ),
        (
            b"\x93\xbcdials::af::reflection_table",
            "a.expt: this is a reflection table, expected an experiment list. "
            "Try: give the .expt file in its place.",
        ),
    ],
)
def test_what_is_no_experiment_list_is_told(data: bytes, message: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        ExperimentFile.parse(data, "a.expt")
    assert str(caught.value) == message


def test_a_pickle_is_refused_with_the_way_to_convert_it() -> None:
    with pytest.raises(FileFormatError) as caught:
        ExperimentFile.parse(b"\x80\x02cdxtbx\n", "old.pickle")
    assert str(caught.value) == (
        "old.pickle: this is a pickle, which runs code when it is loaded; calib never loads one. "
        "Try: convert it with DIALS, on a computer where you trust the file: python -c 'from "
        "dxtbx.model.experiment_list import ExperimentListFactory as F; "
        'F.from_pickle_file("old.pickle").as_file("old.expt")\''
    )


ASCII = json.dumps(experiment_list()).encode("ascii")


@given(st.integers(1, len(ASCII) - 1))
def test_a_truncated_list_is_refused_as_such(length: int) -> None:
    with pytest.raises(FileFormatError) as caught:
        ExperimentFile.parse(ASCII[:length], "a.expt")
    assert str(caught.value) == (
        f"a.expt: the JSON is cut off after {length} characters. "
        "Try: copy or write it again with DIALS."
    )


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=4), st.data())
def test_any_value_anywhere_is_read_or_refused_in_words(value: Any, data: st.DataObject) -> None:
    content = experiment_list()
    place: Any = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
        else:
            break
    place[key] = value
    try:
        file = parsed(content)
    except FileFormatError as error:
        assert "a.expt" in error.place
    else:
        assert file.with_frames({}).data == as_bytes(content)


def test_nesting_beyond_reason_is_refused() -> None:
    data = b'{"__id__": "ExperimentList", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with pytest.raises(FileFormatError, match="cannot be read"):
        ExperimentFile.parse(data, "a.expt")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        ExperimentFile.read(tmp_path / "none.expt")
    assert str(caught.value) == (
        f"{tmp_path / 'none.expt'}: there is no such file. Try: check the name and the folder."
    )


# Real files


def test_real_files_survive_and_move(real_data: Path) -> None:
    paths = sorted(real_data.glob("*/*.expt"))
    assert paths
    for path in paths:
        file = ExperimentFile.read(path)
        assert file.data == path.read_bytes()
        frames = file.root_frames(0)
        assert file.with_frames({0: frames}).data == file.data
        new = moved_frames(frames)
        assert_same_frames(file.with_frames({0: new}).root_frames(0), new)


def test_the_real_cspad_has_its_panels_in_quadrants_and_sensors(real_data: Path) -> None:
    file = ExperimentFile.read(real_data / "stills_cspad" / "multi_stills_combined.expt")
    (read,) = file.experiments.detectors
    assert len(read.panels) == 64
    assert read.lab_from_root is not None
    assert read.lab_from_root.translation_mm.tolist() == [0.0, 0.0, -105.003]
    assert {entry.goniometer for entry in file.experiments.experiments} == {None}


@pytest.mark.parametrize("digits", [19, 300, 4000])
def test_a_whole_number_beyond_64_bits_is_bad_input(digits: int) -> None:
    content = experiment_list()
    content["scan"][0]["image_range"] = [1, int("9" * digits)]
    with pytest.raises(FileFormatError, match=r"scan\[0\]\.image_range"):
        parsed(content)


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


def test_integrated_sweeps_say_how_their_crystal_changed(real_data: Path) -> None:
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
