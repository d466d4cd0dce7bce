"""Which reflections of a table are used, and the notices about the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.files.dials.dataset_write import dataset_table
from calib.files.dials.pairing import load_datasets
from calib.files.dials.plausibility import indexing_residual
from calib.model.experiment.dataset import Dataset
from support.pair_folder import Folder


def test_unindexed_rows_are_dropped_and_flagged_ones_kept(first: Dataset, folder: Folder) -> None:
    table = dataset_table(first)
    ids, hkl = table.array("id").copy(), table.array("miller_index").copy()
    ids[0], hkl[1] = -1, 0
    flags = np.full(300, 1 << 17, np.uint64)
    refl = folder.refl(first, id=ids, miller_index=hkl, flags=flags)
    (loaded,) = load_datasets([folder.expt(first), refl])
    np.testing.assert_array_equal(loaded.reflections.centroid_mm, first.reflections.centroid_mm[2:])
    assert set(loaded.reflections.flags.tolist()) == {1 << 17}


def test_a_table_without_flags_has_none_set(first: Dataset, folder: Folder) -> None:
    (loaded,) = load_datasets([folder.expt(first), folder.refl(first, drop=("flags",))])
    assert not loaded.reflections.flags.any()


def test_rows_without_variance_are_dropped_with_a_notice(first: Dataset, folder: Folder) -> None:
    variance = np.array(first.reflections.variance_mm)
    variance[[3, 4, 5], [0, 1, 2]] = [0.0, -1.0, 0.0]
    refl = folder.refl(first, changes={"xyzobs.mm.variance": variance})
    (loaded,) = load_datasets([folder.expt(first), refl])
    assert len(loaded.reflections) == 297
    assert loaded.notices == (
        "3 of 300 indexed reflections in first.refl have no variance, since nothing was observed "
        "there, and are left out.",
    )


def test_stills_need_no_variance_in_phi(first: Dataset, folder: Folder) -> None:
    def stop(content: dict[str, Any]) -> None:
        content["experiment"][0] |= {"scan": None, "goniometer": None}
        rotation = -first.reflections.centroid_mm[0, 2]
        sine, cosine = np.sin(rotation), np.cos(rotation)
        for axis in "abc":
            x, y, z = content["crystal"][0][f"real_space_{axis}"]
            turned = [x, cosine * y + sine * z, cosine * z - sine * y]
            content["crystal"][0][f"real_space_{axis}"] = turned

    variance = first.reflections.variance_mm * [1.0, 1.0, 0.0]
    ids = np.where(np.arange(300) == 0, 0, -1).astype(np.int32)
    paths = [
        folder.expt(first, stop),
        folder.refl(first, id=ids, changes={"xyzobs.mm.variance": variance}),
    ]
    (loaded,) = load_datasets(paths)
    assert len(loaded.reflections) == 1
    assert loaded.notices == ()


def test_positions_in_mm_that_disagree_with_px_are_used_with_a_notice(
    first: Dataset, folder: Folder
) -> None:
    mm = np.array(first.reflections.centroid_mm)
    mm[:10, 0] += 0.25 * 0.172
    refl = folder.refl(first, changes={"xyzobs.mm.value": mm})
    (loaded,) = load_datasets([folder.expt(first), refl])
    np.testing.assert_array_equal(loaded.reflections.centroid_mm, mm)
    assert loaded.notices == (
        "10 of 300 positions in mm in first.refl differ from those in px by more than 0.02 px (at "
        "most 0.25 px) under the detector's own model; the mm are taken as they are.",
    )


def test_maps_of_pixel_offsets_give_a_notice(first: Dataset, folder: Folder) -> None:
    def with_maps(content: dict[str, Any]) -> None:
        content["imageset"] = [{"dx": "dx.pickle", "dy": "dy.pickle"}]

    (loaded,) = load_datasets([folder.expt(first, with_maps), folder.refl(first)])
    assert loaded.notices == (
        "first.expt names maps of pixel offsets (dx.pickle, dy.pickle); a map and moved panels "
        "must not correct the same distortion twice.",
    )


def test_nan_in_a_row_that_is_not_indexed_is_ignored(first: Dataset, folder: Folder) -> None:
    values, ids = np.array(first.reflections.centroid_mm), np.zeros(300, np.int32)
    values[5], ids[5] = np.nan, -1
    paths = [folder.expt(first), folder.refl(first, id=ids, changes={"xyzobs.mm.value": values})]
    assert len(load_datasets(paths)[0].reflections) == 299


@pytest.mark.parametrize("rows", [1, 7, 299, 300])
def test_the_size_of_blocks_makes_no_difference(
    first: Dataset, folder: Folder, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    variance = np.array(first.reflections.variance_mm)
    variance[[0, 11, 299]] = 0.0
    paths = [folder.expt(first), folder.refl(first, changes={"xyzobs.mm.variance": variance})]
    (whole,) = load_datasets(paths)
    monkeypatch.setattr("calib.files.dials.select._BLOCK", rows)
    (blocks,) = load_datasets(paths)
    assert blocks.notices == whole.notices != ()
    for name in ("experiment", "panel", "miller_index", "centroid_mm", "variance_mm", "flags"):
        one, other = (getattr(data.reflections, name) for data in (whole, blocks))
        assert np.array_equal(one, other)


def test_real_pairs_agree_and_keep_their_reflections(real_data: Path) -> None:
    counts = {}
    for expt in sorted(real_data.glob("*/*.expt")):
        if "single" in expt.name:
            continue
        (dataset,) = load_datasets([expt.with_suffix(".refl"), expt])
        counts[f"{expt.parent.name}/{dataset.name}"] = len(dataset.reflections)
        found = indexing_residual(dataset.experiments, dataset.detector, dataset.reflections)
        assert not found.is_far
        assert float(np.median(found.off_grid)) < 0.3
    assert counts == {
        "lcysteine_2M/s20": 2305,
        "lcysteine_2M/s25": 2889,
        "narrow_wedges_6M/multi": 5984,
        "stills_cspad/multi_stills_combined": 1167,
        "thaumatin_6M/multi": 13805,
    }


def test_real_positions_without_parallax_in_the_model_give_a_notice(real_data: Path) -> None:
    folder = real_data / "narrow_wedges_6M"
    (dataset,) = load_datasets([folder / "multi.expt", folder / "multi.refl"])
    assert dataset.notices == (
        "5984 of 5984 positions in mm in multi.refl differ from those in px by more than 0.02 px "
        "(at most 0.56 px) under the detector's own model; the mm are taken as they are.",
    )
