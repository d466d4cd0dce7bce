"""Numbers out of physical bounds are refused by the readers, before anything is computed."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calib.errors import FileFormatError
from calib.files.dials.dataset_write import dataset_table
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.format import DialsFormat
from calib.files.dials.pairing import load_datasets
from calib.files.dials.refl import table_bytes
from calib.model.experiment.dataset import Dataset
from support.experiment_json import as_bytes, experiment_list, group
from support.pair_folder import Folder


def changed(path: str, value: Any) -> bytes:
    """The list with another value at a path such as ``detector.0.panels.1.origin``."""
    content = experiment_list()
    *way, last = [int(k) if k.isdigit() else k for k in path.split(".")]
    place: Any = content
    for key in way:
        place = place[key]
    place[last] = value
    return as_bytes(content)


@pytest.mark.parametrize("extreme", [1e308, -1e308, 1e155, 1e7])
@pytest.mark.parametrize(
    "path",
    [
        "detector.0.panels.0.origin.0",
        "detector.0.panels.3.origin.2",
        "detector.0.panels.0.fast_axis.0",
        "detector.0.hierarchy.origin.1",
        "beam.0.wavelength",
        "beam.0.direction.0",
        "goniometer.0.rotation_axis.0",
        "goniometer.0.fixed_rotation.1",
        "goniometer.0.setting_rotation.8",
        "scan.0.oscillation.0",
        "scan.0.oscillation.1",
        "crystal.0.real_space_a.0",
        "crystal.0.real_space_c.2",
    ],
)
def test_a_number_out_of_bounds_is_named_with_its_place(path: str, extreme: float) -> None:
    with pytest.raises(FileFormatError) as caught:
        ExperimentFile.parse(changed(path, extreme), "a.expt")
    assert caught.value.code == "bad-value"
    assert path.split(".")[0] in caught.value.place
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("detector.0.panels.0.pixel_size", [1e-300, 0.1]),
        ("detector.0.panels.0.pixel_size", [1e308, 0.1]),
        ("detector.0.panels.0.image_size", [10**6, 10]),
        ("detector.0.panels.0.image_size", [2**62, 10]),
        ("detector.0.panels.0.thickness", 1e308),
        ("detector.0.panels.0.mu", 1e-320),
        ("detector.0.panels.0.mu", 1e300),
        ("detector.0.panels.0.name", "a\nb"),
        ("detector.0.panels.0.name", "a" * 201),
        ("detector.0.panels.0.identifier", "S/N \x1b[2J"),
        ("experiment.0.identifier", "a\u2028b"),
        ("beam.0.wavelength", 9e-5),
        ("beam.0.wavelength", 100.1),
        ("scan.0.image_range", [1, 2**62]),
        ("scan.0.image_range", [-(2**62), -(2**62)]),
        ("scan.0.image_range", [1, 10_000_000]),
        ("goniometer.0", {"axes": [[1, 0, 0]], "angles": [1e308], "scan_axis": 0}),
        ("crystal.0.A_at_scan_points", [[1e200] + [0.0] * 8] * 2),
    ],
    ids=str,
)
def test_a_size_a_count_or_a_name_out_of_bounds_is_refused(path: str, value: Any) -> None:
    with pytest.raises(FileFormatError) as caught:
        ExperimentFile.parse(changed(path, value), "a.expt")
    assert caught.value.code == "bad-value"


def test_groups_that_add_up_to_more_than_the_bound_are_refused() -> None:
    """Each origin is within 100 m, but not the sum."""
    content = experiment_list()
    inner = content["detector"][0]["hierarchy"] | {"origin": [9e4, 0.0, 0.0]}
    content["detector"][0]["hierarchy"] = group([inner], origin=[9e4, 9e4, 9e4])
    with pytest.raises(FileFormatError, match="origins of panels, each a length"):
        ExperimentFile.parse(as_bytes(content), "a.expt")


@pytest.mark.parametrize("value", [0.0, -1.0])
@pytest.mark.parametrize("key", ["mu", "thickness"])
def test_an_unknown_sensor_is_read_as_zero(key: str, value: float) -> None:
    file = ExperimentFile.parse(changed(f"detector.0.panels.0.{key}", value), "a.expt")
    sensors = file.experiments.detectors[0].sensors
    assert {"mu": sensors.mu_per_mm, "thickness": sensors.thickness_mm}[key][0] == 0.0


def test_the_bounds_themselves_are_read() -> None:
    for path, value in (
        ("detector.0.panels.0.origin", [0.0, 0.0, -99_000.0]),
        ("beam.0.wavelength", 1e-4),
        ("beam.0.wavelength", 100.0),
        ("scan.0.oscillation", [-1e5, 0.5]),
    ):
        ExperimentFile.parse(changed(path, value), "a.expt")


def test_duplicate_identifiers_are_refused_and_empty_ones_are_not_duplicates() -> None:
    content = experiment_list()
    content["experiment"] *= 2
    with pytest.raises(FileFormatError) as caught:
        ExperimentFile.parse(as_bytes(content), "a.expt")
    assert (caught.value.code, caught.value.place) == (
        "duplicate-identifier",
        "a.expt, experiment[1].identifier",
    )
    assert "experiments 0 and 1 have the same identifier" in caught.value.problem
    for entry in content["experiment"]:
        entry["identifier"] = ""
    file = ExperimentFile.parse(as_bytes(content), "a.expt")
    assert (len(file.experiments.experiments), file.position) == (2, {})


def test_a_table_with_one_identifier_for_two_ids_is_refused(first: Dataset, folder: Folder) -> None:
    name = first.experiments.experiments[0].identifier
    refl = folder.refl(first, identifiers={0: name, 1: name})
    with pytest.raises(FileFormatError, match="the ids 0 and 1 have the same experiment") as caught:
        load_datasets([folder.expt(first), refl])
    assert caught.value.code == "duplicate-identifier"
    empty = folder.refl(first, identifiers={0: "", 1: ""})
    assert load_datasets([folder.expt(first), empty])


@pytest.mark.parametrize("nrows", [-1, 2**31, 2**62, 2**63 - 1])
@pytest.mark.parametrize("with_columns", [False, True])
def test_a_number_of_rows_that_a_file_cannot_hold_is_refused(
    first: Dataset, folder: Folder, nrows: int, with_columns: bool
) -> None:
    table = dataset_table(first)
    whole = table_bytes(table if with_columns else replace(table, columns={}))
    old = b"\xa5nrows" + _packed(table.nrows)
    assert whole.count(old) == 1
    refl = folder.path / "rows.refl"
    refl.write_bytes(whole.replace(old, b"\xa5nrows\xd3" + struct.pack(">q", nrows)))
    for read in (
        load_datasets,
        lambda paths: DialsFormat().read_data(paths, need_reflections=True),
    ):
        with pytest.raises(FileFormatError) as caught:
            read([folder.expt(first), refl])
        assert caught.value.code in {"bad-table", "bad-column"}


def _packed(number: int) -> bytes:
    if number < 128:
        return bytes([number])
    return b"\xcc" + bytes([number]) if number < 256 else b"\xcd" + struct.pack(">H", number)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("xyzobs.mm.value", 1e308),
        ("xyzobs.mm.value", -1e6),
        ("xyzobs.mm.variance", 1e300),
        ("xyzobs.mm.variance", 1e-300),
        ("miller_index", 2**31 - 1),
        ("miller_index", -(2**31)),
    ],
)
def test_a_reflection_out_of_bounds_is_named_with_its_row(
    first: Dataset, folder: Folder, column: str, value: float
) -> None:
    values = np.array(dataset_table(first).array(column))
    values[[7, 9], 0] = value
    refl = folder.refl(first, changes={column: values})
    with pytest.raises(FileFormatError) as caught:
        load_datasets([folder.expt(first), refl])
    assert (caught.value.code, caught.value.place) == ("out-of-bounds", f"{refl}, column {column}")
    assert "2 indexed reflections have values out of range, the first of them in row 7" in str(
        caught.value
    )


@pytest.mark.parametrize("column", ["xyzobs.mm.value", "xyzobs.px.value"])
@pytest.mark.parametrize("value", [1e308, -math.inf])
def test_a_position_out_of_bounds_is_not_moved(
    first: Dataset, folder: Folder, column: str, value: float
) -> None:
    values = np.array(dataset_table(first).array(column))
    values[5, 1] = value
    paths = [folder.expt(first), folder.refl(first, changes={column: values})]
    (data,) = DialsFormat().read_data(paths, need_reflections=True)
    with pytest.raises(FileFormatError, match=r"the first of them in row 5"):
        data.positions()
    values[5, 1] = math.nan
    paths = [folder.expt(first), folder.refl(first, changes={column: values})]
    (data,) = DialsFormat().read_data(paths, need_reflections=True)
    assert len(data.positions().panel) == len(values)


def test_columns_that_are_not_read_may_hold_anything(first: Dataset, folder: Folder) -> None:
    values = np.array(dataset_table(first).array("xyzobs.px.value"))
    values[:, 0] = 1e300
    refl = folder.refl(first, changes={"xyzobs.px.value": values})
    (loaded,) = load_datasets([folder.expt(first), refl])
    assert any("differ from those in px" in notice for notice in loaded.notices)
