"""Files of other programs in the place of experiments: named for what they are."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from calib.errors import FileFormatError
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.pairs import distinct_names
from calib.files.dials.refl_header import looks_like_table, read_index
from calib.files.kinds import REFLECTIONS
from calib.files.reader import read_data, read_experiments
from support.experiment_json import experiment_list

IMPORT = "import the images with dials.import, and give the .expt file that it writes."


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file, such as a NeXus master file of images"),
        (b"###CBF: VERSION 1.5, CBFlib\n", "an image in CBF"),
        (b"; PSI JF4M\nclen = 0.1\np0/min_fs = 0\np0/fs = +1.0x\n", "a geometry of CrystFEL"),
        (b" XPARM.XDS    VERSION Jan 26, 2018\n   1  0.0 0.1\n", "a geometry of XDS"),
        (b"! a comment\nJOB= XYCORR INIT\nORGX= 1231\n", "a geometry of XDS"),
        (b"!FORMAT=XDS_ASCII MERGE=FALSE\n", "reflections of XDS"),
        (b"# TITLE      Geometry parameters of CSPAD\n", "a geometry of psana"),
    ],
)
def test_a_file_of_another_program_is_named_with_a_remedy(
    head: bytes, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "given"
    path.write_bytes(head)
    for read in (read_experiments, lambda one: read_data([one])):
        with pytest.raises(FileFormatError) as caught:
            read(path)
        assert (caught.value.code, caught.value.place) == ("other-format", str(path))
        assert caught.value.problem.startswith(f"this is {name}, which holds no experiments")
        assert caught.value.remedy == IMPORT


def test_a_pickle_named_pickle_is_taken_for_a_reflection_table(tmp_path: Path) -> None:
    path = tmp_path / "dials-423.pickle"
    path.write_bytes(b"\x80\x02cdials_array_family_flex_ext\nreflection_table\nq\x01.")
    with pytest.raises(FileFormatError) as caught:
        read_data([path])
    assert 'flex.reflection_table.from_file("dials-423.pickle").as_file("dials-423.refl")' in (
        caught.value.remedy
    )


def _text(words: str, width: int) -> bytes:
    data = words.encode()
    narrow = bytes([0xA0 | len(data)]) if len(data) < 32 else struct.pack(">BB", 0xD9, len(data))
    wide = (narrow, struct.pack(">BB", 0xD9, len(data)), struct.pack(">BH", 0xDA, len(data)))
    return (*wide, struct.pack(">BI", 0xDB, len(data)))[width] + data


def _sized(n: int, width: int, fixed: int, first: int) -> bytes:
    if width == 0:
        return bytes([fixed | n])
    return struct.pack(">BH", first, n) if width == 1 else struct.pack(">BI", first + 1, n)


@pytest.mark.parametrize("width", [0, 1, 2, 3])
@pytest.mark.parametrize("payload", [b"\xc4\x08", b"\xc5\x00\x08", b"\xc6\x00\x00\x00\x08"])
def test_a_table_may_have_headers_of_any_width(width: int, payload: bytes, tmp_path: Path) -> None:
    def array(n: int) -> bytes:
        return _sized(n, width, 0x90, 0xDC)

    def map_of(n: int) -> bytes:
        return _sized(n, width, 0x80, 0xDE)

    column = _text("panel", width) + array(2) + _text("std::size_t", width)
    column += array(2) + b"\x01" + payload + struct.pack("<Q", 7)
    data = array(3) + _text("dials::af::reflection_table", width) + b"\x01" + map_of(3)
    data += _text("identifiers", width) + map_of(1) + b"\x00" + _text("id", width)
    data += _text("nrows", width) + b"\xcd\x00\x01"
    data += _text("data", width) + map_of(1) + column
    assert looks_like_table(data[:64])
    assert REFLECTIONS.recognises(data)
    path = tmp_path / "wide.refl"
    path.write_bytes(data)
    with path.open("rb") as file:
        index = read_index(file, "wide.refl")
    span = index.columns["panel"]
    assert data[span.offset : span.offset + span.size] == struct.pack("<Q", 7)
    assert (index.nrows, index.identifiers) == (1, {0: "id"})


def test_names_are_the_shortest_ends_of_paths_that_differ() -> None:
    given = [Path(one) for one in ("a/x/refined.expt", "b/x/refined.expt", "b/y/refined.expt")]
    assert list(distinct_names(given).values()) == ["a/x/refined", "b/x/refined", "y/refined"]
    assert distinct_names([Path("p/one.expt"), Path("p/two.expt")])[Path("p/one.expt")] == "one"


def test_a_list_of_detectors_alone_holds_no_experiment(tmp_path: Path) -> None:
    content = experiment_list()
    content = {key: content[key] for key in ("__id__", "detector")}
    content["experiment"] = [{"__id__": "Experiment", "detector": 0}]
    path = tmp_path / "level1.json"
    path.write_text(json.dumps(content))
    file = ExperimentFile.read(path)
    assert file.experiments.experiments == ()
    assert file.experiments.detectors_in_use == tuple(range(len(file.experiments.detectors)))
