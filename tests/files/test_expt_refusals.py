"""Files that are not valid experiment lists are refused with the place of the error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import FileFormatError, MissingFileError
from calib.files.dials.expt import ExperimentFile
from support.experiment_json import as_bytes, experiment_list
from support.expt_files import parsed


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
            [0, 1e308, 1e308],
            "a.expt, detector[0].panels[0].slow_axis: found [0, 1e+308, 1e+308], "
            "expected an axis perpendicular to fast_axis.",
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
            [0, 1e-320, 0],
            "a.expt, beam[0].direction: found [0, 1e-320, 0], expected a vector with a length "
            "above 0.",
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
def test_a_file_that_is_not_an_experiment_list_is_refused(data: bytes, message: str) -> None:
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
def test_any_value_anywhere_is_read_or_refused_with_a_calib_error(
    value: Any, data: st.DataObject
) -> None:
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


def test_excessive_nesting_is_refused() -> None:
    data = b'{"__id__": "ExperimentList", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with pytest.raises(FileFormatError, match="cannot be read"):
        ExperimentFile.parse(data, "a.expt")


def test_nesting_at_the_limit_of_the_parser_is_refused_with_a_calib_error() -> None:
    """What the reader accepts may be nested too deeply for printing."""
    before, mark, after = as_bytes(experiment_list()).decode().partition("0.97")
    assert mark
    for depth in range(500, 1000, 10):
        nested = f"{before}{'[' * depth}{']' * depth}{after}"
        with pytest.raises(FileFormatError) as caught:
            ExperimentFile.parse(nested.encode(), "a.expt")
        assert caught.value.remedy


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        ExperimentFile.read(tmp_path / "none.expt")
    assert str(caught.value) == (
        f"{tmp_path / 'none.expt'}: there is no such file. Try: check the name and the folder."
    )


@pytest.mark.parametrize("digits", [19, 300, 4000])
def test_a_whole_number_beyond_64_bits_is_bad_input(digits: int) -> None:
    content = experiment_list()
    content["scan"][0]["image_range"] = [1, int("9" * digits)]
    with pytest.raises(FileFormatError, match=r"scan\[0\]\.image_range"):
        parsed(content)
