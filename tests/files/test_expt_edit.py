"""Experiment lists are edited in place: moved panels change, nothing else does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import LayoutError
from calib.files.dials.expt import ExperimentFile
from calib.model.detector.frames import rotation_from_vector
from calib.model.detector.layout import PanelFrames
from support.experiment_json import as_bytes, detector, experiment_list, group
from support.expt_files import assert_same_frames, moved_frames, parsed


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


def test_frames_in_nested_groups_are_unchanged_by_conversion_to_the_root_frame() -> None:
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


def test_a_panel_that_is_only_rotated_is_edited() -> None:
    file = parsed(experiment_list())
    old = file.root_frames(0)
    turn = rotation_from_vector(np.array([0.0, 0.0, 1e-9]))
    new = PanelFrames(old.rotation @ turn, old.origin_mm)
    assert_same_frames(file.with_frames({0: new}).root_frames(0), new, 1e-15)


def test_another_number_of_panels_is_refused() -> None:
    file = parsed(experiment_list())
    with pytest.raises(LayoutError, match=r"a.expt, detector\[0\]: 2 panel frames, expected 4\."):
        file.with_frames({0: file.root_frames(0).taken([0, 1])})


def test_panels_of_real_files_are_moved_and_the_rest_is_kept(real_data: Path) -> None:
    paths = sorted(real_data.glob("*/*.expt"))
    assert paths
    for path in paths:
        file = ExperimentFile.read(path)
        assert file.data == path.read_bytes()
        frames = file.root_frames(0)
        assert file.with_frames({0: frames}).data == file.data
        new = moved_frames(frames)
        assert_same_frames(file.with_frames({0: new}).root_frames(0), new)
