"""split and merge: the calibrations of files that went there and back, and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.errors import CalibError
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.pairing import load_datasets
from calib.files.dials.refl import Column, Table, read_table
from calib.flows.layouts.split import SplitRequest, merge, split
from calib.model.base.arrays import Bools
from calib.model.detector.correction import Freedom
from calib.model.experiment.pose import layout_of
from calib.model.result.report import BeforeAfter
from calib.solve.datasets import solve_in_process
from calib.solve.options import Crystals, SolveOptions
from calib.solve.panels.solution import Solution
from calib.solve.prior import PanelPrior
from support.modules import one_panel, spots, write_expt, write_table

FIXTURES = Path(__file__).parents[2] / "fixtures"
TENTH_OF_A_UM_MM, THREE_UM_MM, ROUNDING_MM = 1e-4, 3e-3, 1e-8
SAME_RMSD = 0.02
INDEXED = np.uint64(1 << 2)
EIGER_4M = (2068, 2162)


def solved(*stems: Path, ignore_flags: bool = False) -> Solution:
    """The corrections common to some datasets, in the plane."""
    paths = [stem.with_suffix(ending) for stem in stems for ending in (".expt", ".refl")]
    datasets = load_datasets(paths)
    starts = [(data, layout_of(data.detector)[1]) for data in datasets]
    options = SolveOptions(
        Freedom.IN_PLANE, PanelPrior(), crystals=Crystals.AUTO, ignore_flags=ignore_flags
    )
    layout = layout_of(datasets[0].detector)[0]
    return solve_in_process(starts, layout, options, lambda *_: None)


def rows_of(table: Table, keep: Bools) -> Table:
    """Some rows of a table whose columns are all of numbers."""
    columns = {k: Column(c.typename, table.array(k)[keep]) for k, c in table.columns.items()}
    return Table(int(keep.sum()), table.identifiers, columns, table.version)


def split_to(stem: Path, out: Path) -> Path:
    split(SplitRequest(stem.with_suffix(".expt"), out, stem.with_suffix(".refl")))
    return out


def farthest_mm(one: Solution, other: Solution) -> float:
    """The largest difference of shifts of measured panels."""
    measured = one.estimate.measured & other.estimate.measured
    assert measured.any()
    shifts = one.estimate.correction.values - other.estimate.correction.values
    return float(np.abs(shifts[measured, :3]).max())


def used(solution: Solution) -> BeforeAfter:
    assert solution.report.overall.used is not None
    return solution.report.overall.used


def test_merging_and_splitting_gives_the_identical_calibration(tmp_path: Path) -> None:
    """Of spots on the panels: two simulated outliers are beyond their panel's edge."""
    near, one = tmp_path / "near.expt", tmp_path / "one.expt"
    near.write_bytes((FIXTURES / "small_near.expt").read_bytes())
    table = read_table(FIXTURES / "small_near.refl")
    px = table.array("xyzobs.px.value")[:, :2]
    inside = np.asarray(((px >= 0.0) & (px < (487, 195))).all(axis=1))
    assert inside.sum() == table.nrows - 2
    write_table(near.with_suffix(".refl"), rows_of(table, inside))
    merge(SplitRequest(near, one, near.with_suffix(".refl")))
    assert len(ExperimentFile.read(one).experiments.detectors[0].panels) == 1
    again = split_to(one, tmp_path / "again.expt")
    there, back = solved(near), solved(again)
    assert farthest_mm(there, back) < ROUNDING_MM
    assert used(there).after.rms_x_px == pytest.approx(used(back).after.rms_x_px, abs=1e-9)


@pytest.mark.long
def test_the_split_thaumatin_set_gives_the_calibration_of_the_multi_panel_one(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "thaumatin_6M"
    ours = solved(split_to(folder / "single", tmp_path / "split.expt"))
    assert farthest_mm(ours, solved(folder / "multi")) < TENTH_OF_A_UM_MM


@pytest.mark.long
def test_the_split_cysteine_sets_give_the_calibration_of_the_multi_panel_ones(
    real_data: Path, tmp_path: Path
) -> None:
    """With the same reflections: those indexed, whatever their other flags."""
    folder = real_data / "lcysteine_2M"
    stems = []
    for name in ("20", "25"):
        out = split_to(folder / f"single_{name}", tmp_path / f"split{name}.expt")
        table = read_table(out.with_suffix(".refl"))
        stems.append(tmp_path / f"{name}.expt")
        stems[-1].write_bytes(out.read_bytes())
        few = rows_of(table, (table.array("flags") & INDEXED) > 0)
        write_table(stems[-1].with_suffix(".refl"), few)
    ours = solved(*stems, ignore_flags=True)
    theirs = solved(folder / "s20", folder / "s25", ignore_flags=True)
    assert farthest_mm(ours, theirs) < THREE_UM_MM
    for axis in ("rms_x_px", "rms_y_px"):
        both = (getattr(used(one).after, axis) for one in (ours, theirs))
        assert next(both) == pytest.approx(next(both), rel=SAME_RMSD)


def refused(request: SplitRequest, *, merging: bool = False) -> CalibError:
    with pytest.raises(CalibError) as caught:
        merge(request) if merging else split(request)
    assert not request.output.exists()
    return caught.value


def test_a_detector_that_is_not_recognised_is_refused(tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel((3072, 3072)))
    error = refused(SplitRequest(path, tmp_path / "b.expt"))
    assert (error.code, error.place) == ("unknown-layout", str(path))


def test_an_ambiguous_image_is_split_by_the_name_of_the_layout_or_the_serial(
    tmp_path: Path,
) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel(EIGER_4M, 0.075))
    assert refused(SplitRequest(path, tmp_path / "b.expt")).code == "ambiguous-layout"
    named = split(SplitRequest(path, tmp_path / "b.expt", layout="eiger2 4m"))
    assert named.detectors[0].known.name == "EIGER2 4M"
    region = split(SplitRequest(path, tmp_path / "c.expt", serial="E-32-0102"))
    assert region.detectors[0].known.name == "EIGER2 16M in 4M ROI"
    text = "Dectris EIGER2 XE 16M, S/N E-32-0102"
    write_expt(path, one_panel(EIGER_4M, 0.075, identifier=text))
    found = split(SplitRequest(path, tmp_path / "d.expt"))
    assert found.detectors[0].known.name == "EIGER2 16M in 4M ROI"
    assert "dials.find_spots" in found.notices[0]


def test_halves_of_modules_are_split_and_merged(tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel((1028, 1062), 0.075, identifier="EIGER2 1M"))
    split(SplitRequest(path, tmp_path / "b.expt", halves=True))
    done = merge(SplitRequest(tmp_path / "b.expt", tmp_path / "c.expt"))
    assert done.detectors[0].known.name == "EIGER2 1M"
    panels = json.loads((tmp_path / "c.expt").read_bytes())["detector"][0]["panels"]
    assert panels[0]["image_size"] == [1028, 1062]
    assert panels[0]["origin"] == one_panel()["detector"][0]["panels"][0]["origin"]


def test_another_layout_than_that_of_the_image_is_refused(tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel())
    error = refused(SplitRequest(path, tmp_path / "b.expt", layout="PILATUS 6M"))
    assert error.code == "other-layout"
    assert refused(SplitRequest(path, tmp_path / "b.expt", layout="no")).code == "unknown-layout"
    one = write_expt(tmp_path / "one.expt", one_panel((487, 195)))
    assert refused(SplitRequest(one, tmp_path / "b.expt")).code == "one-module"


def test_what_is_split_is_not_split_again_and_what_is_merged_not_merged(tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel())
    split(SplitRequest(path, tmp_path / "b.expt"))
    assert refused(SplitRequest(tmp_path / "b.expt", tmp_path / "c.expt")).code == "already-split"
    error = refused(SplitRequest(path, tmp_path / "c.expt"), merging=True)
    assert error.code == "already-merged"


def test_corrected_panels_are_merged_only_where_the_correction_may_be_lost(tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel())
    split(SplitRequest(path, tmp_path / "b.expt"))
    content = json.loads((tmp_path / "b.expt").read_bytes())
    content["detector"][0]["panels"][1]["origin"][0] += 0.05
    write_expt(tmp_path / "b.expt", content)
    request = SplitRequest(tmp_path / "b.expt", tmp_path / "c.expt")
    assert refused(request, merging=True).code == "corrected-panels"
    done = merge(replace(request, drop_correction=True))
    assert "the correction is lost" in done.notices[0]


def test_several_detectors_in_one_file_are_split_each_by_its_own_modules(tmp_path: Path) -> None:
    content = one_panel()
    other = one_panel((487, 407))
    content["detector"] += other["detector"]
    content["imageset"] += other["imageset"]
    content["experiment"].append({**content["experiment"][0], "detector": 1, "imageset": 1})
    for number, entry in enumerate(content["experiment"]):
        entry["identifier"] = f"e{number}"
    path = write_expt(tmp_path / "a.expt", content)
    px = np.column_stack([np.full(6, 50.5), [50.5, 300.5, 500.5, 50.5, 300.5, 500.5], np.ones(6)])
    table = spots(px, px * 0.172)
    table.array("id")[3:] = 1
    table = replace(table, identifiers={0: "e0", 1: "e1"})
    refl = write_table(tmp_path / "a.refl", table)
    done = split(SplitRequest(path, tmp_path / "b.expt", refl))
    assert [one.known.name for one in done.detectors] == ["PILATUS 300K", "PILATUS 200K"]
    parts = read_table(tmp_path / "b.refl")
    assert parts.array("panel").tolist() == [0, 1, 2, 0, 1]
    merge(SplitRequest(tmp_path / "b.expt", tmp_path / "c.expt", tmp_path / "b.refl"))
    back = read_table(tmp_path / "c.refl").array("xyzobs.px.value")
    assert np.array_equal(back, px[:5])


def test_files_of_other_experiments_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel())
    px = np.array([[50.5, 203.0, 1.0]])
    refl = write_table(tmp_path / "a.refl", spots(px, px * 0.172))
    assert refused(SplitRequest(path, tmp_path / "b.expt", refl)).code == "outside-panels"
    error = refused(SplitRequest(path, tmp_path / "b.expt", refl, tmp_path / "a.refl"))
    assert error.code == "output-is-input"
    assert not (tmp_path / "b.refl").exists()


def test_a_public_full_cbf_of_one_panel_is_split(public_cases: Path, tmp_path: Path) -> None:
    """Its remedy was dials.import multi_panel=True, which does nothing for a full CBF."""
    case = public_cases / "12-one-panel-remedy" / "i03_multi_panel_true.expt"
    done = split(SplitRequest(case, tmp_path / "a.expt"))
    assert done.detectors[0].known.name == "PILATUS 6M"
    assert len(ExperimentFile.read(tmp_path / "a.expt").experiments.detectors[0].panels) == 60
