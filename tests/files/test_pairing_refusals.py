"""Reflections that cannot be used are refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.errors import FileFormatError, InputError
from calib.files.dials.dataset_write import dataset_table
from calib.files.dials.pairing import load_datasets
from calib.files.dials.pairs import pair_files
from calib.files.dials.refl import Column, read_table, table_bytes
from calib.model.experiment.dataset import Dataset
from support.pair_folder import TOGETHER, Folder, refused


def test_a_table_without_indexed_reflections_is_refused(first: Dataset, folder: Folder) -> None:
    expt = folder.expt(first)
    for change in ({"id": np.full(300, -1, np.int32)}, {"miller_index": np.zeros((300, 3), "i4")}):
        refl = folder.refl(first, changes=change)
        assert refused([expt, refl], "no-indexed-reflections") == (
            f"{refl}: none of 300 reflections is indexed. "
            "Try: run dials.index, and give the files that it writes."
        )


@pytest.mark.parametrize("column", ["xyzobs.mm.value", "xyzobs.mm.variance", "panel"])
def test_a_missing_column_is_named(first: Dataset, folder: Folder, column: str) -> None:
    refl = folder.refl(first, drop=(column,))
    assert refused([folder.expt(first), refl], "missing-column") == (
        f"{refl}: there is no column {column!r}, expected one. "
        "Try: index the reflections with dials.index, which makes it."
    )


@pytest.mark.parametrize("column", ["xyzobs.mm.value", "xyzobs.mm.variance"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_a_used_column_is_named_with_row_and_count(
    first: Dataset, folder: Folder, column: str, value: float
) -> None:
    values = np.array(dataset_table(first).array(column))
    values[[7, 9, 11], [0, 1, 2]] = value
    refl = folder.refl(first, changes={column: values})
    assert refused([folder.expt(first), refl], "not-finite") == (
        f"{refl}, column {column}: NaN or infinity in 3 indexed reflections, the first of them in "
        "row 7 (counted from 0). "
        "Try: take these reflections out, or process the images again with DIALS."
    )


def test_the_first_row_that_is_not_finite_is_counted_across_blocks(
    first: Dataset, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.array(first.reflections.centroid_mm)
    values[[150, 290], 1] = [np.nan, np.inf]
    monkeypatch.setattr("calib.files.dials.select._BLOCK", 7)
    paths = [folder.expt(first), folder.refl(first, changes={"xyzobs.mm.value": values})]
    assert "in 2 indexed reflections, the first of them in row 150 (" in refused(
        paths, "not-finite"
    )


def test_a_panel_that_the_detector_lacks_is_named(first: Dataset, folder: Folder) -> None:
    panel = np.array(dataset_table(first).array("panel"))
    panel[3] = 24
    expt, refl = folder.expt(first), folder.refl(first, panel=panel)
    assert refused([expt, refl], "panel-out-of-range") == (
        f"{refl}, column panel: a reflection names panel 24, but the detector in {expt} has 24 "
        f"panels. {TOGETHER}"
    )


def test_reflections_outside_their_panels_are_refused(first: Dataset, folder: Folder) -> None:
    mm = np.array(first.reflections.centroid_mm)
    mm[:9, 1] += 195 * 0.172 + 20
    expt, refl = folder.expt(first), folder.refl(first, changes={"xyzobs.mm.value": mm})
    assert refused([expt, refl], "outside-panels") == (
        f"9 of 300 reflections in {refl} lie outside their panels in {expt}. {TOGETHER}"
    )


def test_variances_that_are_all_zero_are_refused(first: Dataset, folder: Folder) -> None:
    refl = folder.refl(first, changes={"xyzobs.mm.variance": np.zeros((300, 3))})
    assert refused([folder.expt(first), refl], "no-variances") == (
        f"{refl}, column xyzobs.mm.variance: none of 300 indexed reflections has variances above "
        "0. Try: index and refine with DIALS, which estimates them."
    )


def test_a_column_of_another_type_is_refused(first: Dataset, folder: Folder) -> None:
    refl = folder.refl(first)
    table = read_table(refl)
    columns = {**table.columns, "xyzobs.mm.value": Column("double", np.zeros(300))}
    refl.write_bytes(table_bytes(replace(table, columns=columns)))
    assert refused([folder.expt(first), refl], "bad-column") == (
        f"{refl}, column xyzobs.mm.value: the type is double, expected 3 numbers a row. "
        "Try: write the table again with DIALS."
    )


def test_reflections_without_crystal_are_refused(first: Dataset, folder: Folder) -> None:
    def imported(content: dict[str, Any]) -> None:
        del content["experiment"][0]["crystal"]

    expt, refl = folder.expt(first, imported), folder.refl(first)
    assert refused([expt, refl], "no-crystal") == (
        f"{expt} and {refl}: experiment 0 has indexed reflections but no crystal. "
        "Try: give the .expt file that dials.index wrote with these reflections."
    )


def test_a_detector_of_one_panel_is_refused(first: Dataset, folder: Folder) -> None:
    def one_panel(content: dict[str, Any]) -> None:
        content["detector"][0]["panels"] = [
            content["detector"][0]["panels"][0] | {"image_size": [1475, 1679]}
        ]
        content["detector"][0]["hierarchy"]["children"] = [{"panel": 0}]

    expt = folder.expt(first, one_panel)
    assert refused([expt, folder.refl(first)], "one-panel") == (
        f"{expt}: the detector is described as one panel of 1475 x 1679 pixels; it must be split "
        "into its modules first. Try: use calib split, and give the files that it writes."
    )


def test_a_list_without_experiments_is_refused(first: Dataset, folder: Folder) -> None:
    expt = folder.expt(first, lambda content: content["experiment"].clear())
    assert refused([expt, folder.refl(first)], "no-experiments") == (
        f"{expt}: this list holds no experiment. {TOGETHER}"
    )


@pytest.mark.parametrize("name", ["a.pickle", "a.expt", "a.refl"])
def test_a_pickle_is_refused_whatever_its_name(folder: Folder, name: str) -> None:
    path = folder.path / name
    path.write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(FileFormatError, match="calib never loads one") as caught:
        pair_files([path])
    assert caught.value.code == "pickle"


def test_real_data_of_one_panel_are_refused(real_data: Path) -> None:
    folder = real_data / "thaumatin_6M"
    with pytest.raises(InputError, match="one panel of 2463 x 2527 pixels"):
        load_datasets([folder / "single.expt", folder / "single.refl"])
