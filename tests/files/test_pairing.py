"""Experiment lists and reflection tables are matched into datasets."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.files.dials.expt import ExperimentFile
from calib.files.dials.pairing import load_datasets
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import ExperimentList
from support.pair_folder import TOGETHER, Folder, nameless, refused


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


def test_unmatched_files_are_listed(first: Dataset, second: Dataset, folder: Folder) -> None:
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


def test_progress_reports_each_pair(first: Dataset, second: Dataset, folder: Folder) -> None:
    calls: list[tuple[str, int, int]] = []
    paths = [folder.expt(first), folder.refl(first), folder.expt(second), folder.refl(second)]
    load_datasets(paths, lambda *call: calls.append(call))
    assert calls == [("first", 0, 2), ("second", 1, 2)]


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


def test_a_detector_without_reflections_is_left_out_with_a_notice(
    first: Dataset, second: Dataset, folder: Folder
) -> None:
    both = joined(first, second, share_detector=False)
    none_of_second = np.where(both.reflections.experiment == 1, -1, 0).astype(np.int32)
    (loaded,) = load_datasets([folder.expt(both), folder.refl(both, id=none_of_second)])
    assert loaded.name == "joined"
    assert loaded.notices == (
        "detector 1 of joined.expt has no indexed reflection and is left out.",
    )


@pytest.mark.parametrize("model", ["beam", "goniometer"])
def test_a_scan_varying_beam_or_goniometer_is_not_used_without_notice(
    first: Dataset, folder: Folder, model: str
) -> None:
    models = first.experiments
    (beam, *beams), (gonio, *gonios) = models.beams, models.goniometers
    if model == "beam":
        beam = replace(beam, s0_at_scan_points=np.array([beam.s0, beam.s0]))
    else:
        gonio = replace(gonio, setting_at_scan_points=np.array([gonio.setting, gonio.setting]))
    varying = replace(models, beams=(beam, *beams), goniometers=(gonio, *gonios))
    data = replace(first, experiments=varying)
    (loaded,) = load_datasets([folder.expt(data), folder.refl(data)])
    assert loaded.notices == (
        f"first.expt has a scan-varying {model}: calib starts from the mean over its scan points "
        "and refines the change along the scan as changes of the crystal and of the spots.",
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


def test_real_data_of_two_scans_are_separate_datasets(real_data: Path) -> None:
    folder = real_data / "lcysteine_2M"
    paths = [folder / "s25.refl", folder / "s20.expt", folder / "s20.refl", folder / "s25.expt"]
    assert [d.source.names for d in load_datasets(paths)] == [
        ("s20.expt", "s20.refl"),
        ("s25.expt", "s25.refl"),
    ]


def test_the_epoch_of_a_real_file_is_that_of_its_earliest_image(real_data: Path) -> None:
    folder = real_data / "narrow_wedges_6M"
    (dataset,) = load_datasets([folder / "multi.expt", folder / "multi.refl"])
    scans = ExperimentFile.read(folder / "multi.expt").experiments.scans
    assert dataset.epoch == min(scan.epoch for scan in scans if scan.epoch)
