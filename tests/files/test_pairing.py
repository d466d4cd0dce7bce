"""Experiment lists and reflection tables matched into datasets, and refused where they clash."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from calib.errors import CalibError, FileFormatError, InputError
from calib.files.agreement import misfit
from calib.files.expt import ExperimentFile
from calib.files.expt_write import experiments_bytes
from calib.files.pairing import load_datasets
from calib.files.pairs import pair_files
from calib.files.refl import Column, Table, read_table, table_bytes
from calib.files.refl_write import dataset_table
from calib.model.correction import Correction
from calib.model.dataset import Dataset
from calib.model.experiment import ExperimentList
from calib.model.families import known_layout
from calib.model.frames import RigidMotion
from calib.simulate.scan import ScanPlan, simulated_scan

TOGETHER = "Try: give the .expt and .refl files that were written together."
POSE = RigidMotion(np.diag([1.0, -1.0, -1.0]), np.array([-126.0, 144.0, -200.0]))


def simulated(seed: int, cell: tuple[float, float, float], name: str) -> Dataset:
    plan = ScanPlan(
        n_reflections=300,
        range_rad=0.5,
        cell_angstrom=cell,
        epoch=1.5e9 + seed,
        sensor_mm=0.32,
        panel_identifier="PILATUS 2M, S/N 24-0107",
    )
    layout = known_layout("PILATUS 2M")
    rng = np.random.default_rng(seed)
    return simulated_scan(rng, layout, Correction.none(len(layout)), POSE, plan, name).dataset


@pytest.fixture(scope="module")
def first() -> Dataset:
    return simulated(1, (57.8, 57.8, 150.2), "first")


@pytest.fixture(scope="module")
def second() -> Dataset:
    return simulated(2, (79.0, 79.0, 37.0), "second")


class Folder:
    """A folder in which datasets are saved, as they are or changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def expt(
        self, dataset: Dataset, change: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> Path:
        content = json.loads(experiments_bytes(dataset.experiments))
        change(content)
        path = self.path / f"{dataset.name}.expt"
        path.write_text(json.dumps(content))
        return path

    def refl(
        self,
        dataset: Dataset,
        *,
        identifiers: dict[int, str] | None = None,
        drop: tuple[str, ...] = (),
        changes: dict[str, NDArray[Any]] | None = None,
        **columns: NDArray[Any],
    ) -> Path:
        table = dataset_table(dataset)
        columns |= changes or {}
        changed = {
            name: Column(c.typename, columns.get(name, c.values))
            for name, c in table.columns.items()
            if name not in drop
        }
        path = self.path / f"{dataset.name}.refl"
        named = table.identifiers if identifiers is None else identifiers
        path.write_bytes(table_bytes(Table(table.nrows, named, changed)))
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def nameless(content: dict[str, Any]) -> None:
    for entry in content["experiment"]:
        entry["identifier"] = ""


def refused(paths: list[Path], code: str) -> str:
    with pytest.raises(CalibError) as caught:
        load_datasets(paths)
    assert caught.value.code == code, str(caught.value)
    return str(caught.value)


# Matching


def test_a_dataset_survives_saving_and_loading(first: Dataset, folder: Folder) -> None:
    expt, refl = folder.expt(first), folder.refl(first)
    (loaded,) = load_datasets([refl, expt])
    assert (loaded.name, loaded.epoch, loaded.notices) == ("first", first.epoch, ())
    assert loaded.source.names == ("first.expt", "first.refl")
    hashes = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in (expt, refl))
    assert loaded.source.sha256 == hashes
    for name in ("experiment", "panel", "miller_index", "centroid_mm", "variance_mm", "flags"):
        np.testing.assert_array_equal(
            getattr(loaded.reflections, name), getattr(first.reflections, name)
        )
    np.testing.assert_allclose(
        loaded.detector.frames.origin_mm, first.detector.frames.origin_mm, rtol=0, atol=1e-10
    )
    assert loaded.detector.lab_from_root is not None


def test_files_with_identifiers_may_come_in_any_order(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    paths = [folder.expt(first), folder.refl(second), folder.expt(second), folder.refl(first)]
    for order in itertools.permutations(paths):
        datasets = {d.name: d for d in load_datasets(order)}
        assert {name: d.source.names for name, d in datasets.items()} == {
            "first": ("first.expt", "first.refl"),
            "second": ("second.expt", "second.refl"),
        }


@pytest.mark.parametrize("missing_in", ["both", "lists", "tables"])
def test_files_without_identifiers_are_matched_by_order(
    first: Dataset, second: Dataset, folder: Folder, missing_in: str
) -> None:
    change = nameless if missing_in != "tables" else (lambda _: None)
    identifiers: dict[int, str] | None = None if missing_in == "lists" else {}
    lists = [folder.expt(d, change) for d in (first, second)]
    tables = [folder.refl(d, identifiers=identifiers) for d in (first, second)]
    names = [d.source.names for d in load_datasets(lists + tables)]
    assert names == [("first.expt", "first.refl"), ("second.expt", "second.refl")]


def test_a_swapped_pair_is_found_by_its_positions(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    lists = [folder.expt(d, nameless) for d in (first, second)]
    tables = [folder.refl(d, identifiers={}) for d in (second, first)]
    message = refused(lists + tables, "files-disagree")
    assert message.startswith(
        f"the reflections in {tables[0]} do not fit the experiments in {lists[0]}: half of them "
        "lie more than "
    )
    assert message.endswith(
        f" of their scattering vector from where their Miller index places them. {TOGETHER}"
    )


def test_a_cell_that_differs_by_a_tenth_is_found_in_the_same_orientation(
    first: Dataset, folder: Folder
) -> None:
    def swollen(content: dict[str, Any]) -> None:
        crystal = content["crystal"][0]
        for axis in "abc":
            crystal[f"real_space_{axis}"] = [1.1 * x for x in crystal[f"real_space_{axis}"]]

    refused([folder.expt(first, swollen), folder.refl(first)], "files-disagree")


def test_reflections_of_another_experiment_are_refused(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    expt, refl = folder.expt(first), folder.refl(second)
    assert refused([expt, refl], "other-experiment") == (
        f"the reflections in {refl} are of other experiments than those in {expt}: they have no "
        f"identifier in common. {TOGETHER}"
    )


def test_files_left_alone_are_listed(first: Dataset, second: Dataset, folder: Folder) -> None:
    a, b, refl = folder.expt(first), folder.expt(second), folder.refl(first)
    assert refused([a, b, refl], "unmatched-files") == (
        f"some files cannot be matched by identifiers; without a reflection table: {b}. {TOGETHER}"
    )
    assert refused([refl], "no-experiments") == (
        f"none of the files is an experiment list: {refl}. Try: give the .expt files too."
    )


def test_a_file_given_twice_is_refused(first: Dataset, folder: Folder) -> None:
    expt = folder.expt(first)
    around = expt.parent / ".." / expt.parent.name / expt.name
    assert refused([expt, folder.refl(first), around], "given-twice") == (
        f"{around}: this file is given twice. Try: name it once."
    )


def test_more_than_one_match_is_refused(first: Dataset, folder: Folder) -> None:
    expt, refl = folder.expt(first), folder.refl(first)
    other_expt = folder.expt(replace(first, name="other"))
    other_refl = folder.refl(replace(first, name="other"))
    assert refused([expt, refl, other_refl], "ambiguous-files") == (
        f"more than one reflection table belongs to {expt}: {refl}, {other_refl}. "
        "Try: give one reflection table for each experiment list."
    )
    assert refused([expt, other_expt, refl], "ambiguous-files") == (
        f"the reflections in {refl} belong to more than one of the experiment lists: "
        f"{expt}, {other_expt}. Try: give one experiment list for each reflection table."
    )


def test_a_list_may_stand_alone_where_no_reflections_are_needed(
    first: Dataset, folder: Folder
) -> None:
    (loaded,) = load_datasets([folder.expt(first)], need_reflections=False)
    assert len(loaded.reflections) == 0
    assert loaded.source.names == ("first.expt",)


def test_progress_tells_each_pair(first: Dataset, second: Dataset, folder: Folder) -> None:
    told: list[tuple[str, int, int]] = []
    paths = [folder.expt(first), folder.refl(first), folder.expt(second), folder.refl(second)]
    load_datasets(paths, lambda *told_now: told.append(told_now))
    assert told == [("first", 0, 2), ("second", 1, 2)]


# Several experiments in one file


def joined(*datasets: Dataset, share_detector: bool) -> Dataset:
    """One file's worth of experiments, with one detector or one each."""
    lists = [d.experiments for d in datasets]
    entries = tuple(
        replace(
            models.experiments[0],
            beam=k,
            detector=0 if share_detector else k,
            goniometer=k,
            scan=k,
            crystal=k,
            imageset=k,
        )
        for k, models in enumerate(lists)
    )
    models = ExperimentList(
        entries,
        tuple(m.beams[0] for m in lists),
        tuple(m.detectors[0] for m in (lists[:1] if share_detector else lists)),
        tuple(m.goniometers[0] for m in lists),
        tuple(m.scans[0] for m in lists),
        tuple(m.crystals[0] for m in lists),
    )
    parts = [d.reflections for d in datasets]
    reflections = replace(
        parts[0],
        experiment=np.concatenate([np.full(len(p), k) for k, p in enumerate(parts)]),
        **{
            name: np.concatenate([getattr(p, name) for p in parts])
            for name in ("panel", "miller_index", "centroid_mm", "variance_mm", "flags")
        },
    )
    return replace(datasets[0], name="joined", experiments=models, reflections=reflections)


def test_experiments_that_share_a_detector_are_one_dataset(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    both = joined(first, second, share_detector=True)
    (loaded,) = load_datasets([folder.expt(both), folder.refl(both)])
    assert loaded.name == "joined"
    assert np.bincount(loaded.reflections.experiment).tolist() == [300, 300]
    assert loaded.epoch == min(first.epoch or 0, second.epoch or 0)


def test_each_detector_has_its_own_dataset_and_reflections(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    both = joined(first, second, share_detector=False)
    one, other = load_datasets([folder.expt(both), folder.refl(both)])
    assert (one.name, other.name) == ("joined[detector 0]", "joined[detector 1]")
    assert set(one.reflections.experiment.tolist()) == {0}
    assert set(other.reflections.experiment.tolist()) == {1}
    np.testing.assert_array_equal(other.reflections.centroid_mm, second.reflections.centroid_mm)
    assert other.epoch == second.epoch
    assert one.source == other.source


def test_a_detector_without_reflections_is_left_out_with_a_word(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    both = joined(first, second, share_detector=False)
    none_of_second = np.where(both.reflections.experiment == 1, -1, 0).astype(np.int32)
    (loaded,) = load_datasets([folder.expt(both), folder.refl(both, id=none_of_second)])
    assert loaded.name == "joined"
    assert loaded.notices == (
        "detector 1 of joined.expt has no indexed reflection and is left out.",
    )


def test_ids_lead_to_experiments_through_identifiers(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    both = joined(first, second, share_detector=True)
    names = {k: e.identifier for k, e in enumerate(both.experiments.experiments)}
    ids = np.where(both.reflections.experiment == 0, 7, 3).astype(np.int32)
    expt = folder.expt(both)
    refl = folder.refl(both, identifiers={7: names[0], 3: names[1]}, id=ids)
    (loaded,) = load_datasets([expt, refl])
    np.testing.assert_array_equal(loaded.reflections.experiment, both.reflections.experiment)
    refl = folder.refl(both, identifiers={7: names[0], 3: "elsewhere"}, id=ids)
    assert refused([expt, refl], "experiment-out-of-range") == (
        f"{refl}, column id: a reflection names experiment elsewhere, which is not in {expt}. "
        f"{TOGETHER}"
    )


def test_ids_beyond_the_experiments_are_refused(first: Dataset, folder: Folder) -> None:
    expt = folder.expt(first, nameless)
    refl = folder.refl(first, identifiers={}, id=np.full(300, 2, np.int32))
    assert refused([expt, refl], "experiment-out-of-range") == (
        f"{refl}, column id: a reflection names experiment 2, but 1 stand in {expt}. {TOGETHER}"
    )


# Which reflections are kept


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


def test_rows_without_variance_are_dropped_with_a_word(first: Dataset, folder: Folder) -> None:
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


def test_mm_that_disagree_with_px_are_taken_as_they_are_with_a_word(
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


def test_maps_of_pixel_offsets_are_spoken_of(first: Dataset, folder: Folder) -> None:
    def with_maps(content: dict[str, Any]) -> None:
        content["imageset"] = [{"dx": "dx.pickle", "dy": "dy.pickle"}]

    (loaded,) = load_datasets([folder.expt(first, with_maps), folder.refl(first)])
    assert loaded.notices == (
        "first.expt names maps of pixel offsets (dx.pickle, dy.pickle); a map and moved panels "
        "must not correct the same distortion twice.",
    )


# Bad input


def test_nothing_indexed_is_told(first: Dataset, folder: Folder) -> None:
    expt = folder.expt(first)
    for change in ({"id": np.full(300, -1, np.int32)}, {"miller_index": np.zeros((300, 3), "i4")}):
        refl = folder.refl(first, changes=change)
        assert refused([expt, refl], "no-indexed-reflections") == (
            f"{refl}: none of 300 reflections is indexed. "
            "Try: dials.index, and give the files that it writes."
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


def test_nan_in_a_row_that_is_not_indexed_is_no_matter(first: Dataset, folder: Folder) -> None:
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
    monkeypatch.setattr("calib.files.reflections._BLOCK", rows)
    (blocks,) = load_datasets(paths)
    assert blocks.notices == whole.notices != ()
    for name in ("experiment", "panel", "miller_index", "centroid_mm", "variance_mm", "flags"):
        one, other = (getattr(data.reflections, name) for data in (whole, blocks))
        assert np.array_equal(one, other)


def test_the_first_row_that_is_not_finite_is_counted_across_blocks(
    first: Dataset, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.array(first.reflections.centroid_mm)
    values[[150, 290], 1] = [np.nan, np.inf]
    monkeypatch.setattr("calib.files.reflections._BLOCK", 7)
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
        "into its modules first, which calib cannot do yet. Try: dials.import multi_panel=True on "
        "the images (mini-CBF from PILATUS), then index and refine again."
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


# Real data


def test_real_pairs_agree_and_keep_their_reflections(real_data: Path) -> None:
    counts = {}
    for expt in sorted(real_data.glob("*/*.expt")):
        if "single" in expt.name:
            continue
        (dataset,) = load_datasets([expt.with_suffix(".refl"), expt])
        counts[f"{expt.parent.name}/{dataset.name}"] = len(dataset.reflections)
        found = misfit(dataset.experiments, dataset.detector, dataset.reflections)
        assert not found.is_far
        assert float(np.median(found.off_grid)) < 0.3
    assert counts == {
        "lcysteine_2M/s20": 2305,
        "lcysteine_2M/s25": 2889,
        "narrow_wedges_6M/multi": 5984,
        "stills_cspad/multi_stills_combined": 1167,
        "thaumatin_6M/multi": 13805,
    }


def test_real_data_of_two_scans_are_told_apart(real_data: Path) -> None:
    folder = real_data / "lcysteine_2M"
    paths = [folder / "s25.refl", folder / "s20.expt", folder / "s20.refl", folder / "s25.expt"]
    assert [d.source.names for d in load_datasets(paths)] == [
        ("s20.expt", "s20.refl"),
        ("s25.expt", "s25.refl"),
    ]


def test_real_data_of_one_panel_are_refused(real_data: Path) -> None:
    folder = real_data / "thaumatin_6M"
    with pytest.raises(InputError, match="one panel of 2463 x 2527 pixels"):
        load_datasets([folder / "single.expt", folder / "single.refl"])


def test_real_positions_whose_model_forgot_the_parallax_are_spoken_of(real_data: Path) -> None:
    folder = real_data / "narrow_wedges_6M"
    (dataset,) = load_datasets([folder / "multi.expt", folder / "multi.refl"])
    assert dataset.notices == (
        "5984 of 5984 positions in mm in multi.refl differ from those in px by more than 0.02 px "
        "(at most 0.56 px) under the detector's own model; the mm are taken as they are.",
    )


def test_a_real_file_tells_the_time_of_its_earliest_image(real_data: Path) -> None:
    folder = real_data / "narrow_wedges_6M"
    (dataset,) = load_datasets([folder / "multi.expt", folder / "multi.refl"])
    scans = ExperimentFile.read(folder / "multi.expt").experiments.scans
    assert dataset.epoch == min(scan.epoch for scan in scans if scan.epoch)
